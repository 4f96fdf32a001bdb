"""A separate threshold for each group, chosen on validation (Hardt et al., 2016), by fairlearn.

Settings: ``label`` (``positive``), ``prompts``, ``sensitive`` and ``support``, the validation examples, as
for the kind threshold_free.

For each attribute there are two sets of thresholds, each with the highest accuracy on validation under a
constraint that it satisfies there: demographic parity, which gives ``matched_dpd``, and equalized odds, which
gives ``matched_deodds``. The rule draws between two thresholds of a group; the metrics are those of the
expected decisions.
"""

from collections.abc import Mapping

import numpy as np
import pandas as pd
from sklearn.base import BaseEstimator

from clipfair.evaluate.margins import join_parts, prompt_margins
from clipfair.evaluate.protocol import Embedded, Result
from clipfair.metrics.decisions import compare_decisions
from clipfair.metrics.measure import Measure, make_measure
from clipfair.metrics.threshold_free import HALF, compare_within_labels
from clipfair.metrics.threshold_free_measures import UNDEFINED, group_codes, measure_auc

# fairlearn's constraint -> the metric that its thresholds give, the name of that metric among those of any
# decisions, and the prefix of the other metrics of these thresholds.
CONSTRAINTS = {
    "demographic_parity": ("matched_dpd", "dpd", "parity_"),
    "equalized_odds": ("matched_deodds", "deodds", "odds_"),
}
RATES = ("selection_rate", "balanced_accuracy", "worst_balanced_accuracy")
_UNDEFINED = "one group alone, or a group without validation or test examples of both labels"


def evaluate(embedded: Embedded, settings: Mapping, rng: np.random.Generator) -> Result:
    """The metrics of both sets of thresholds of every attribute, and the AUC of the scores, which they keep.

    The scores have a column ``<constraint>_<attribute>``: the probability that a test example is selected.

    Raises
    ------
    UserError
        If there are not two prompts, a column is missing, or the validation labels are all equal.
    """
    validation, test = prompt_margins(embedded, settings)
    measures = [measure_auc("auc", test["label"].to_numpy(), test["margin"].to_numpy(np.float64))]
    for attribute in settings["sensitive"]:
        measures += _measure_aucs(test, attribute)
        for constraint in CONSTRAINTS:
            selected = select(validation, test, attribute, constraint)
            measures += _measure(test, selected, attribute, constraint)
            test[f"{constraint}_{attribute}"] = selected
    return Result(measures, join_parts(validation, test))


def select(validation: pd.DataFrame, test: pd.DataFrame, attribute: str, constraint: str) -> np.ndarray:
    """The probability that each test example is selected by thresholds that are chosen on validation.

    Parameters
    ----------
    validation, test
        Rows with ``label``, ``margin`` and the attribute.
    constraint
        ``demographic_parity`` or ``equalized_odds``.

    Returns
    -------
    (n,); NaN for an example of unknown group, and for all if there are fewer than two groups, or one of them
    lacks a label on validation: then there are no thresholds for it.
    """
    # Imported here because fairlearn takes a second to import.
    from fairlearn.postprocessing import ThresholdOptimizer

    known, fitted = test[attribute].notna().to_numpy(), validation[validation[attribute].notna()]
    selected = np.full(len(test), np.nan)
    present = test.loc[known, attribute].unique()
    labels = fitted.groupby(attribute, observed=True)["label"].nunique()
    if len(present) < 2 or not (labels == 2).all() or not set(present) <= set(labels.index):
        return selected
    optimizer = ThresholdOptimizer(
        estimator=PassedScores(),
        constraints=constraint,
        objective="accuracy_score",
        prefit=True,
        predict_method="predict",
    )
    fitted_scores, fitted_groups = _arrays(fitted, attribute)
    optimizer.fit(fitted_scores, fitted["label"].to_numpy(), sensitive_features=fitted_groups)
    scores, groups = _arrays(test[known], attribute)
    # The probabilities that its method predict draws from.
    selected[known] = optimizer._pmf_predict(scores, sensitive_features=groups)[:, 1]
    return selected


def _arrays(scores: pd.DataFrame, attribute: str) -> tuple[np.ndarray, np.ndarray]:
    """Margins (n, 1) and groups (n,), which fairlearn matches by position."""
    return scores[["margin"]].to_numpy(np.float64), scores[attribute].astype(str).to_numpy()


class PassedScores(BaseEstimator):
    """A fitted estimator for fairlearn, whose predictions are its only feature."""

    def fit(self, scores: np.ndarray, labels: np.ndarray) -> "PassedScores":
        """Do nothing; scikit-learn asks for the method."""
        return self

    def __sklearn_is_fitted__(self) -> bool:
        """There is nothing to fit."""
        return True

    def predict(self, scores: np.ndarray) -> np.ndarray:
        """The feature of (n, 1) scores; (n,)."""
        return scores[:, 0]


def _measure_aucs(test: pd.DataFrame, attribute: str) -> list[Measure]:
    """``auc_gap`` and ``worst_auc`` of the margins, which no threshold changes."""
    known = test[test[attribute].notna()]
    y, margin = known["label"].to_numpy(), known["margin"].to_numpy(np.float64)
    codes = group_codes(known[attribute])
    found = compare_within_labels(y, margin, codes, threshold=HALF) if codes.max(initial=0) else {}
    values = {name: found.get(name, np.full(1, np.nan))[0] for name in ("auc_gap", "worst_auc")}
    return [
        make_measure(
            name, value, n=len(known), label=attribute, reason=UNDEFINED if np.isnan(value) else None
        )
        for name, value in values.items()
    ]


def _measure(test: pd.DataFrame, selected: np.ndarray, attribute: str, constraint: str) -> list[Measure]:
    """The metrics of one set of thresholds."""
    metric, of_decisions, prefix = CONSTRAINTS[constraint]
    names = {metric: of_decisions, **{prefix + name: name for name in RATES}}
    rows = np.isfinite(selected)
    values = dict.fromkeys(names.values())
    if rows.any():
        codes = group_codes(test.loc[rows, attribute])
        values = compare_decisions(test.loc[rows, "label"].to_numpy(), selected[rows], codes)
    return [
        make_measure(
            name,
            values[of_values],
            n=int(rows.sum()),
            label=attribute,
            reason=_UNDEFINED if values[of_values] is None or np.isnan(values[of_values]) else None,
        )
        for name, of_values in names.items()
    ]
