"""Findings F2, F4, F6, F7 and F8 of the FairCLIP reproduction: AUC, DPD and DEOdds on the test split."""

from collections.abc import Iterator

import numpy as np
import pandas as pd

from clipfair.tables.common.findings import ABOVE, BELOW, FAILS, Check, Claim, check_interval, check_value
from clipfair.tables.fairclip.measures import MEASURES
from clipfair.tables.fairclip.paired import paired_differences, paired_interval, per_seed
from clipfair.tables.fairclip.roles import VARIANTS, Roles
from clipfair.tables.fairclip.selection import trained_attributes

MARGIN = 2.0  # points of AUC, DPD or DEOdds; the original paper reports gains of 2 to 9
SAME = 0.1  # points: smaller differences are not visible in a printed table

# Measure -> the sign of an improvement.
GAINS = {"auc": 1, "dpd": -1, "deodds": -1}

PAIRED = "t interval over seeds, paired"


def check_gains(values: pd.DataFrame, roles: Roles) -> Iterator[Check]:
    """F2: no variant improves on the same training without a fairness loss, in AUC, DPD or DEOdds."""
    for method, reference in roles.pairs(*VARIANTS):
        for measure, sign in GAINS.items():
            name = MEASURES[measure].text
            claim = Claim(
                "F2",
                f"no gain in {name}",
                f"gain in {name} on the attributes trained for (points, positive is better)",
                MARGIN,
                BELOW,
            )
            gain = paired_interval(values, method, reference, measure, sign=sign)
            # A gain whose interval excludes zero contradicts the claim, however small it is.
            verdict = FAILS if gain.low > 0 else None
            methods = f"{method} against {reference}"
            yield check_interval(claim, gain, test=PAIRED, methods=methods, verdict=verdict)


def check_mmd(values: pd.DataFrame, roles: Roles) -> Iterator[Check]:
    """F4: MMD as released trains on the contrastive loss alone."""
    claim = Claim(
        "F4",
        "MMD as released is CLIP-FT, seed by seed",
        "largest difference in AUC over runs and seeds (points)",
        SAME,
        BELOW,
    )
    for method, reference in roles.pairs("mmd_gaussian", "mmd_laplacian"):
        ours, theirs = (_auc_by_run(values, name) for name in (method, reference))
        # Run by run, so that differences of opposite sign do not cancel.
        pairs = 100 * (ours - ours.index.get_level_values("seed").map(theirs.groupby("seed").mean()))
        largest, n = float(pairs.abs().max()), int(pairs.notna().sum())
        methods = f"{method} against {reference}"
        yield check_value(claim, largest, n, test="largest of all runs", methods=methods)


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
        claim = Claim(
            "F6",
            f"FairCLIP+ is better than FairCLIP for one attribute in {name}",
            f"gain in {name} on {' and '.join(trained_for)} (points)",
        )
        gain = paired_interval(values, several, single, measure, sign=sign, against=trained_for)
        yield check_interval(claim, gain, test=PAIRED, methods=f"{several} against {single}")
    for method, reference in roles.pairs("several"):
        claim = Claim("F6", "FairCLIP+ is below CLIP-FT in AUC", "loss in AUC (points)")
        loss = paired_interval(values, method, reference, "auc", sign=-1)
        yield check_interval(claim, loss, test=PAIRED, methods=f"{method} against {reference}")


def check_selection(values: pd.DataFrame, roles: Roles) -> Iterator[Check]:
    """F7: selection on the test split raises the reported AUC."""
    claim = Claim(
        "F7",
        "selection on the test split raises the reported AUC",
        "difference in test AUC (points)",
    )
    for on_test, on_validation in roles.selection.items():
        difference = paired_interval(values, on_test, on_validation, "auc")
        methods = f"{on_test} against {on_validation}"
        yield check_interval(claim, difference, test=PAIRED, methods=methods)


def check_noise(values: pd.DataFrame, roles: Roles) -> Iterator[Check]:
    """F8: the deviation over seeds is often larger than the difference to CLIP-FT."""
    pairs = dict(roles.pairs(*VARIANTS))
    if not pairs:
        return
    claim = Claim(
        "F8",
        "the deviation over seeds is mostly larger than the difference to CLIP-FT",
        "share of method, attribute and metric with a larger deviation than difference",
        0.5,
        ABOVE,
    )
    larger = []
    for method, reference in pairs.items():
        for attr in values.loc[values["method"] == method, "attr"].unique():
            for measure in GAINS:
                ours = per_seed(values, method, measure, attr=[attr])
                differences = paired_differences(values, method, reference, measure, of=[attr])
                if len(ours) > 1:
                    larger.append(100 * ours.std() > abs(differences.mean()))
    share = float(np.mean(larger)) if larger else np.nan
    methods = f"{', '.join(pairs)} against {', '.join(dict.fromkeys(pairs.values()))}"
    test = "count, no interval (cells are not independent)"
    yield check_value(claim, share, len(larger), test=test, methods=methods)
