"""What the FairCLIP reproduction concludes, each as a check with its statistic, interval and verdict.

Every threshold was fixed before any run was looked at. A verdict is of the whole 95% interval: on one side
of the threshold the claim holds, on the other it does not, and across it the runs cannot say.
"""

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd

from clipfair.metrics.statistics import holm
from clipfair.tables.common.markdown import markdown_table, number
from clipfair.tables.fairclip.epochs import make_series, rank_correlation, read_epochs
from clipfair.tables.fairclip.rows import (
    MEASURES,
    Interval,
    check_single,
    final_values,
    log10,
    mean_interval,
    name_of,
    per_seed,
    shared_attrs,
    targets,
)

HOLDS, FAILS, UNDECIDED = "holds", "does not hold", "undecided"

HALVED = float(np.log10(0.5))  # a drop that counts: at least by half
MARGIN = 2.0  # points of AUC, DPD or DEOdds; the original paper reports gains of 2 to 9
WEAK = 0.3  # a rank correlation below it is called none
SAME = 0.1  # points: differences below it are not visible in a printed table
CONVERGED = 0.1  # a relative error below it counts as converged

# What the reproduction reports, converged or not, and the score of the paper's mathematics.
FALLING = ("distance_square_sinkhorn", "distance_square_wasserstein", "distance_wasserstein")
FREE_OF_SCALE = ("distance_square_scale_free", "distance_scale_free")

PAIRED = "t interval over seeds, paired"
GAINS = {"auc": 1, "dpd": -1, "deodds": -1}

INTRO = (
    "Each line is a conclusion of the reproduction (or what its code implies), a statistic fixed "
    "beforehand, and the verdict of its 95% interval against a threshold fixed beforehand: the claim "
    "holds where the whole interval lies on its side, does not hold where it lies on the other, and is "
    "undecided otherwise. Seeds are the units: what is paired shares its batches. p is two-sided, of a "
    "statistic of zero, adjusted by Holm over all lines; verdicts are of the intervals alone. With three "
    "seeds an interval is 2.5 standard deviations wide on each side, so undecided is what to expect of "
    "small effects."
)


@dataclass(frozen=True)
class Check:
    """One line: a claim that the statistic lies above (or below) the threshold."""

    finding: str
    claim: str
    methods: str
    statistic: str
    interval: Interval
    threshold: float
    side: str
    test: str
    verdict: str


def build(
    records: pd.DataFrame, published: pd.DataFrame | None, settings: Mapping
) -> tuple[pd.DataFrame, None, str]:
    """Check every finding for which the settings name the methods.

    Settings: ``encoders``, ``evaluation`` (:mod:`~.rows`), ``epochs`` (where tracked),
    and ``roles``, the methods that take part: ``zero_shot``, ``fine_tuned`` (always), ``released``,
    ``corrected``, ``aligned``, ``several`` (FairCLIP+), ``mmd_gaussian`` and ``mmd_laplacian`` (as released);
    ``baselines`` (role -> the same training without its fairness loss: what it is compared with, and what
    MMD must equal; fine_tuned if not given), and ``selection`` (method selected on the test split -> the
    same selected on validation). A finding without its methods is left out.

    Returns
    -------
    One line per check: finding, model, claim, methods, statistic, value, low, high, test, n, p, p_holm,
    side, threshold, verdict (holds, does not hold, undecided); None; and the page.
    """
    roles = dict(settings["roles"])
    selection = roles.pop("selection", {})
    roles |= {_baseline(role): method for role, method in roles.pop("baselines", {}).items()}
    methods = dict.fromkeys([*roles.values(), *selection, *selection.values()])
    settings = {**settings, "rows": {method: {"name": method} for method in methods}}
    values = final_values(records, settings, "group_fairness")
    check_single(values, settings)
    lines = []
    for model, of_model in values.groupby("model", sort=False):
        present = set(of_model["method"])
        here = {role: method for role, method in roles.items() if method in present}
        pairs = {test: val for test, val in selection.items() if {test, val} <= present}
        checks = [
            *_distances_drop(of_model, here),
            *_no_gain(of_model, here),
            *_shrinks(of_model, here),
            *_mmd_is_idle(of_model, here),
            *_correlations(model, here, settings),
            *_several_attributes(of_model, here),
            *_selection(of_model, pairs),
            *_noise(of_model, here),
            *_unconverged(of_model, here),
        ]
        lines += [_line(check, name_of(model, settings)) for check in checks]
    table = pd.DataFrame(lines)
    tested = table["p"].notna()
    table.loc[tested, "p_holm"] = holm(table.loc[tested, "p"])
    return table, None, _page(table, settings)


def _distances_drop(values: pd.DataFrame, roles: Mapping) -> Iterator[Check]:
    """F1: distances fall as the reproduction reports them, but not in units of the scores' spread."""
    for role in ("released", "aligned", "several"):
        for reference in (roles.get("zero_shot"), _reference(roles, role)):
            if role not in roles or reference is None:
                continue
            methods = f"{roles[role]} against {reference}"
            for measure in (*FALLING, *FREE_OF_SCALE):
                drops = measure in FALLING
                claim = "falls by half or more" if drops else "does not fall by half, free of scale"
                ratio = _paired(values, roles[role], reference, measure, log=True)
                name = f"log10 ratio of the {MEASURES[measure][0]} (mean over groups)"
                yield _above_or_below(
                    "F1", f"the distance {claim}", methods, name, ratio, HALVED, "below" if drops else "above"
                )


def _no_gain(values: pd.DataFrame, roles: Mapping) -> Iterator[Check]:
    """F2: no variant gains on the same training without a fairness loss, in AUC, DPD or DEOdds."""
    for role in ("released", "corrected", "aligned", "several"):
        reference = _reference(roles, role)
        if role not in roles or reference is None:
            continue
        for measure, sign in GAINS.items():
            gain = _paired(values, roles[role], reference, measure, sign=sign)
            name = MEASURES[measure][0]
            yield Check(
                finding="F2",
                claim=f"no gain in {name}",
                methods=f"{roles[role]} against {reference}",
                statistic=f"gain in {name} on the attributes trained for (points, positive is better)",
                interval=gain,
                threshold=MARGIN,
                side="below",
                test=PAIRED,
                # A gain that is surely there counts, however small.
                verdict=FAILS if gain.low > 0 else judge(gain, MARGIN, "below"),
            )


def _shrinks(values: pd.DataFrame, roles: Mapping) -> Iterator[Check]:
    """F3: the released regulariser makes the score that it acts on small, whatever the groups."""
    reference = _reference(roles, "released")
    if "released" not in roles or reference is None:
        return
    ratio = _log_spread(values, roles["released"]) - _log_spread(values, reference)
    yield _above_or_below(
        "F3",
        "the released regulariser at least halves the spread of the score",
        f"{roles['released']} against {reference}",
        "log10 ratio of the standard deviation of the test scores diag(LL)",
        mean_interval(ratio.dropna()),
        HALVED,
        "below",
    )


def _log_spread(values: pd.DataFrame, method: str) -> pd.Series:
    """The decimal logarithm of the score's standard deviation, by seed: the mean over a method's runs.

    Both exact distances have one numerator, so that their ratio is the variance, for every group.
    """
    chosen = values[(values["method"] == method) & (values["group"] != "")]
    wide = chosen.pivot_table(index=["seed", "attr", "label", "group"], columns="metric", values="value")
    ratio = log10(wide["distance_square_wasserstein"] / wide["distance_square_scale_free"])
    return (ratio / 2).groupby("seed").mean()


def _mmd_is_idle(values: pd.DataFrame, roles: Mapping) -> Iterator[Check]:
    """F4: MMD as released trains on the contrastive loss alone."""
    for role in ("mmd_gaussian", "mmd_laplacian"):
        reference = _reference(roles, role)
        if role not in roles or reference is None:
            continue
        ours, theirs = (_auc_of_runs(values, method) for method in (roles[role], reference))
        # Every run for itself: differences of opposite sign must not cancel.
        pairs = 100 * (ours - ours.index.get_level_values("seed").map(theirs.groupby("seed").mean()))
        largest = float(pairs.abs().max())
        yield Check(
            finding="F4",
            claim="MMD as released is CLIP-FT, seed by seed",
            methods=f"{roles[role]} against {reference}",
            statistic="largest difference in AUC over runs and seeds (points)",
            interval=Interval(largest, np.nan, np.nan, int(pairs.notna().sum()), np.nan),
            threshold=SAME,
            side="below",
            test="largest of all runs",
            verdict=UNDECIDED if np.isnan(largest) else HOLDS if largest < SAME else FAILS,
        )


def _auc_of_runs(values: pd.DataFrame, method: str) -> pd.Series:
    """The AUC of all examples, by attribute trained for and seed."""
    chosen = values[(values["method"] == method) & (values["metric"] == "auc") & (values["label"] == "")]
    return chosen.set_index(["attr", "seed"])["value"]


def _correlations(model: str, roles: Mapping, settings: Mapping) -> Iterator[Check]:
    """F5: over the epochs a smaller distance does not go with better metrics."""
    if not settings.get("epochs"):
        return
    distances = ("distance_wasserstein", "distance_scale_free")
    series = make_series(read_epochs(settings), [*GAINS, *distances])
    series = series[series["model"] == model]
    fair = [roles[role] for role in ("released", "corrected", "aligned", "several") if role in roles]
    for methods in (fair, [roles[role] for role in ("fine_tuned",) if role in roles]):
        chosen = series[series["method"].isin(methods)]
        if chosen.empty:
            continue
        for distance in distances:
            for measure, sign in GAINS.items():
                rho = mean_interval(-sign * _rho_by_seed(chosen, distance, measure))
                better = "larger AUC" if sign > 0 else f"smaller {MEASURES[measure][0]}"
                yield _above_or_below(
                    "F5",
                    f"a smaller {MEASURES[distance][0]} does not go with a {better}",
                    ", ".join(methods),
                    "Spearman's rank correlation over epochs, positive: they go together",
                    rho,
                    WEAK,
                    "below",
                    test="t interval over seeds, of the mean over runs and attributes",
                )


def _several_attributes(values: pd.DataFrame, roles: Mapping) -> Iterator[Check]:
    """F6: FairCLIP+ is slightly better than FairCLIP for one attribute, and worse than CLIP-FT."""
    single = roles.get("aligned", roles.get("corrected"))
    if "several" not in roles:
        return
    attrs = values.loc[values["method"] == roles["several"], "attr"].unique()
    trained_for = sorted(set().union(*map(targets, attrs)))
    if single is not None:
        for measure, sign in GAINS.items():
            gain = _paired(values, roles["several"], single, measure, sign=sign, against=trained_for)
            name = MEASURES[measure][0]
            yield _above_or_below(
                "F6",
                f"FairCLIP+ is better than FairCLIP for one attribute in {name}",
                f"{roles['several']} against {single}",
                f"gain in {name} on {' and '.join(trained_for)} (points)",
                gain,
                0.0,
                "above",
            )
    reference = _reference(roles, "several")
    if reference is not None:
        loss = _paired(values, roles["several"], reference, "auc", sign=-1)
        methods = f"{roles['several']} against {reference}"
        name = "loss in AUC (points)"
        yield _above_or_below("F6", "FairCLIP+ is below CLIP-FT in AUC", methods, name, loss, 0.0, "above")


def _selection(values: pd.DataFrame, pairs: Mapping[str, str]) -> Iterator[Check]:
    """F7: selection on the test split raises what is reported."""
    for on_test, on_validation in pairs.items():
        yield _above_or_below(
            "F7",
            "selection on the test split raises the reported AUC",
            f"{on_test} against {on_validation}",
            "difference in test AUC (points)",
            _paired(values, on_test, on_validation, "auc"),
            0.0,
            "above",
        )


def _noise(values: pd.DataFrame, roles: Mapping) -> Iterator[Check]:
    """F8: the deviation over seeds is often larger than the difference to CLIP-FT."""
    fair = {
        roles[role]: _reference(roles, role)
        for role in ("released", "corrected", "aligned", "several")
        if role in roles and _reference(roles, role) is not None
    }
    if not fair:
        return
    larger = []
    for method, reference in fair.items():
        for attr in values.loc[values["method"] == method, "attr"].unique():
            for measure in GAINS:
                ours = per_seed(values, method, measure, attr=[attr])
                pairs = _paired_series(values, method, reference, measure, of=[attr])
                if len(ours) > 1:
                    larger.append(100 * ours.std() > abs(pairs.mean()))
    share = float(np.mean(larger)) if larger else np.nan
    yield Check(
        finding="F8",
        claim="the deviation over seeds is mostly larger than the difference to CLIP-FT",
        methods=f"{', '.join(fair)} against {', '.join(dict.fromkeys(fair.values()))}",
        statistic="share of method, attribute and metric with a larger deviation than difference",
        interval=Interval(share, np.nan, np.nan, len(larger), np.nan),
        threshold=0.5,
        side="above",
        test="count, no interval (cells are not independent)",
        verdict=UNDECIDED if np.isnan(share) else HOLDS if share > 0.5 else FAILS,
    )


def _unconverged(values: pd.DataFrame, roles: Mapping) -> Iterator[Check]:
    """F9: the released setting of the distance does not converge."""
    for role in ("zero_shot", "fine_tuned"):
        if role not in roles:
            continue
        chosen = values[(values["method"] == roles[role]) & (values["group"] != "")]
        keys = ["seed", "label", "group"]
        wide = chosen.pivot_table(index=keys, columns="metric", values="value")
        # Relative, since a distance that did not converge can be negative.
        error = (wide["distance_square_sinkhorn"] / wide["distance_square_wasserstein"] - 1).abs()
        yield _above_or_below(
            "F9",
            "the distance as released is more than ten per cent off the exact one",
            roles[role],
            "relative error of the distance as released, mean over groups",
            mean_interval(error.groupby("seed").mean()),
            CONVERGED,
            "above",
            test="t interval over seeds",
        )


def _baseline(role: str) -> str:
    """The role of what a role is compared with."""
    return f"{role}_baseline"


def _reference(roles: Mapping, role: str) -> str | None:
    """The method that a role is compared with, None if it did not take part."""
    return roles.get(_baseline(role), roles.get("fine_tuned"))


def judge(interval: Interval, threshold: float, side: str) -> str:
    """Whether the whole interval lies on the claimed ``side`` (above, below) of the threshold."""
    above, below = interval.low > threshold, interval.high < threshold
    if not above and not below:
        return UNDECIDED
    return HOLDS if above == (side == "above") else FAILS


def _above_or_below(
    finding: str,
    claim: str,
    methods: str,
    statistic: str,
    interval: Interval,
    threshold: float,
    side: str,
    test: str = PAIRED,
) -> Check:
    verdict = judge(interval, threshold, side)
    return Check(finding, claim, methods, statistic, interval, threshold, side, test, verdict)


def _paired(values: pd.DataFrame, method: str, reference: str, measure: str, **how) -> Interval:
    return mean_interval(_paired_series(values, method, reference, measure, **how))


def _paired_series(
    values: pd.DataFrame,
    method: str,
    reference: str,
    measure: str,
    *,
    sign: int = 1,
    log: bool = False,
    of: Collection[str] = (),
    against: Collection[str] = (),
) -> pd.Series:
    """Method less reference by seed, in points (or decimal logarithms), on the attributes of the method.

    Of methods that are trained for attributes, those runs count that both have. A reference of one run (a
    model that is not trained) stands against every seed. ``of`` and ``against`` choose runs of the method and
    of the reference by what they are trained for instead.
    """
    shared = shared_attrs(values, method, reference)
    all_of = {name: values.loc[values["method"] == name, "attr"].unique() for name in (method, reference)}
    ours = per_seed(values, method, measure, attr=of or shared or None)
    # A reference that is trained for attributes is measured on those, any other on the method's.
    trained_for = set().union(*map(targets, of or shared or all_of[method]))
    own = set().union(*map(targets, all_of[reference]))
    on = None if own or not trained_for else trained_for
    theirs = per_seed(values, reference, measure, on=on, attr=against or shared or None)
    if len(theirs) == 1:
        theirs = pd.Series(theirs.iloc[0], index=ours.index)
    pairs = log10(ours) - log10(theirs) if log else 100 * (ours - theirs)
    return sign * pairs.dropna()


def _rho_by_seed(series: pd.DataFrame, distance: str, measure: str) -> pd.Series:
    """The rank correlation over epochs, by seed: the mean over its runs and attributes."""
    keys = ["seed", "method", "attr", "lam", "attribute"]
    wide = series.pivot(index=[*keys, "epoch"], columns="measure", values="value")
    rho = {key: rank_correlation(run, distance, measure) for key, run in wide.groupby(level=keys)}
    by_run = pd.Series(rho).rename_axis(keys)
    return by_run.groupby("seed").mean()


def _line(check: Check, encoder: str) -> dict:
    interval = check.interval
    told = {"finding": check.finding, "encoder": encoder, "claim": check.claim, "methods": check.methods}
    told |= {"statistic": check.statistic, "value": interval.mean, "low": interval.low}
    told |= {"high": interval.high, "test": check.test, "n": interval.n, "p": interval.p}
    return {**told, "side": check.side, "threshold": check.threshold, "verdict": check.verdict}


def _page(table: pd.DataFrame, settings: Mapping) -> str:
    lines = ["# Findings of the FairCLIP reproduction", "", INTRO]
    if settings["incomparable"]:
        told = f"**These are findings about {settings['incomparable']}, not about the papers' models.**"
        lines += ["", told]
    head = ["", "claim", "methods", "statistic", "value [95%]", "n", "p (Holm)", "threshold", "verdict"]
    for encoder, part in table.groupby("encoder", sort=False):
        rows = [
            [line.finding, line.claim, line.methods, line.statistic, *_numbers(line), f"**{line.verdict}**"]
            for line in part.itertuples()
        ]
        lines += ["", f"## {encoder}", "", *markdown_table(head, rows)]
    return "\n".join(lines) + "\n"


def _numbers(line) -> list[str]:
    told = number(line.value, decimals=2, sign="+")
    if pd.notna(line.low):
        told += f" [{line.low:+.2f}, {line.high:+.2f}]"
    return [told, str(line.n), number(line.p_holm), f"{line.side} {line.threshold:.3g}"]
