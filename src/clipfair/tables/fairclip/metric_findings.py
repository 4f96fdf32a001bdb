"""Findings F2, F4, F6, F7 and F8 of the FairCLIP reproduction: AUC, DPD and DEOdds on the test split."""

from collections.abc import Iterator

import pandas as pd

from clipfair.plan.analysis_plan import read_analysis_plan
from clipfair.tables.common.findings import Check, Claim
from clipfair.tables.fairclip.measures import MEASURES
from clipfair.tables.fairclip.paired import paired_differences, per_seed
from clipfair.tables.fairclip.roles import VARIANTS, Roles
from clipfair.tables.fairclip.selection import trained_attributes

# Measure -> the sign of an improvement.
GAINS = {"auc": 1, "dpd": -1, "deodds": -1}
# Measure -> the metric of the analysis plan whose margin it has.
PLANNED = {"auc": "auc", "dpd": "dpd", "deodds": "matched-deodds"}


def check_gains(values: pd.DataFrame, roles: Roles) -> Iterator[Check]:
    """F2: a variant improves on the same training without a fairness loss, in AUC, DPD or DEOdds."""
    for method, reference in roles.pairs(*VARIANTS):
        for measure, sign in GAINS.items():
            name = MEASURES[measure].text
            statistic = f"gain in {name} on the attributes trained for (points, positive is better)"
            claim = Claim("F2", f"a gain in {name}", statistic, "higher", margin_of(measure))
            gain = paired_differences(values, method, reference, measure, sign=sign)
            yield Check(claim, gain, f"{method} against {reference}")


def check_mmd(values: pd.DataFrame, roles: Roles) -> Iterator[Check]:
    """F4: MMD as released trains on the contrastive loss alone."""
    claim = Claim(
        "F4",
        "MMD as released is CLIP-FT",
        "difference in AUC (points), of a seed's runs the one that differs most",
        "equivalent",
        margin_of("auc"),
    )
    for method, reference in roles.pairs("mmd_gaussian", "mmd_laplacian"):
        ours, theirs = (_auc_by_run(values, name) for name in (method, reference))
        # Run by run, so that differences of opposite sign do not cancel.
        pairs = 100 * (ours - ours.index.get_level_values("seed").map(theirs.groupby("seed").mean())).dropna()
        largest = pairs.groupby("seed").agg(lambda runs: runs.loc[runs.abs().idxmax()])
        yield Check(claim, largest, f"{method} against {reference}")


def _auc_by_run(values: pd.DataFrame, method: str) -> pd.Series:
    """The AUC of all examples, by attribute trained for and seed."""
    chosen = values[(values["method"] == method) & (values["metric"] == "auc") & (values["label"] == "")]
    return chosen.set_index(["attr", "seed"])["value"]


def check_several_attributes(values: pd.DataFrame, roles: Roles) -> Iterator[Check]:
    """F6: FairCLIP+ is slightly better than FairCLIP for one attribute, and worse than CLIP-FT."""
    several = roles.get("several")
    if several is None:
        return
    single = roles.get("aligned") or roles.get("corrected")
    attrs = values.loc[values["method"] == several, "attr"].unique()
    trained_for = sorted(set().union(*map(trained_attributes, attrs)))
    for measure, sign in GAINS.items() if single else ():
        name = MEASURES[measure].text
        text = f"FairCLIP+ is better than FairCLIP for one attribute in {name}"
        statistic = f"gain in {name} on {' and '.join(trained_for)} (points)"
        claim = Claim("F6", text, statistic, "higher", margin_of(measure))
        gain = paired_differences(values, several, single, measure, sign=sign, against=trained_for)
        yield Check(claim, gain, f"{several} against {single}")
    for method, reference in roles.pairs("several"):
        text = "FairCLIP+ is below CLIP-FT in AUC"
        claim = Claim("F6", text, "gain in AUC (points)", "lower", margin_of("auc"))
        gain = paired_differences(values, method, reference, "auc")
        yield Check(claim, gain, f"{method} against {reference}")


def check_selection(values: pd.DataFrame, roles: Roles) -> Iterator[Check]:
    """F7: selection on the test split raises the reported AUC."""
    text = "selection on the test split raises the reported AUC"
    claim = Claim("F7", text, "difference in test AUC (points)", "higher", margin_of("auc"))
    for on_test, on_validation in roles.selection.items():
        difference = paired_differences(values, on_test, on_validation, "auc")
        yield Check(claim, difference, f"{on_test} against {on_validation}")


def check_noise(values: pd.DataFrame, roles: Roles) -> Iterator[Check]:
    """F8: a fairness loss changes a metric more than another seed does.

    Identical methods would not pass: their difference is zero, and that between seeds is not.
    """
    pairs = dict(roles.pairs(*VARIANTS))
    if not pairs:
        return
    methods = f"{', '.join(pairs)} against {', '.join(dict.fromkeys(pairs.values()))}"
    for measure in GAINS:
        claim = Claim(
            "F8",
            f"the fairness loss changes {MEASURES[measure].text} more than another seed does",
            "absolute difference to CLIP-FT less CLIP-FT's absolute deviation from its median over seeds, "
            "mean over methods and attributes (points)",
            "higher",
            margin_of(measure),
        )
        cells = [
            _effect_less_noise(values, method, reference, measure, attr)
            for method, reference in pairs.items()
            for attr in values.loc[values["method"] == method, "attr"].unique()
        ]
        yield Check(claim, pd.concat(cells, axis=1).mean(axis=1), methods)


def _effect_less_noise(
    values: pd.DataFrame, method: str, reference: str, measure: str, attr: str
) -> pd.Series:
    """By seed, a method's absolute difference less its reference's absolute deviation from the median."""
    differences = paired_differences(values, method, reference, measure, of=[attr])
    baseline = 100 * per_seed(values, method, measure, attr=[attr]) - differences
    return differences.abs() - (baseline - baseline.median()).abs()


def margin_of(measure: str) -> float:
    """The smallest difference that matters, in points, by the analysis plan."""
    return read_analysis_plan().margin(PLANNED[measure])
