"""All repeats of one mitigation method on one table.

All repeats are one job, because importing the libraries takes longer than fitting one classifier.
"""

import importlib
import math
from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
from threadpoolctl import threadpool_limits

from clipfair.core.errors import progress
from clipfair.plan.mitigation_settings import parse_mitigation
from clipfair.tabular.classifier import make_classifier
from clipfair.tabular.metrics import evaluate_predictions
from clipfair.tabular.protocol import Protocol, SplitData, split_data


# One thread: the matrices are small, and jobs run in parallel.
@threadpool_limits.wrap(limits=1, user_api="blas")
def evaluate_mitigation(
    table: pd.DataFrame,
    *,
    label: str,
    sensitive: str,
    kind: str,
    settings: Mapping,
    protocol: Protocol,
    seeds: Sequence[int],
) -> tuple[dict, pd.DataFrame]:
    """Split, fit and test once per seed.

    Parameters
    ----------
    table
        One row an example; every column but ``label`` and a publisher's ``split`` is a feature.
    label, sensitive
        Columns: labels 0 and 1, and the attribute whose values are the groups.
    kind
        The method's module in ``clipfair.tabular.methods``.
    settings
        Its settings (:mod:`clipfair.plan.mitigation_settings`); what is not named has the default.
    protocol, seeds
        The splits and the classifier; the same seed gives the same numbers.

    Returns
    -------
    Metrics for JSON (``groups``, ``n_train``, and under ``repeats`` for each seed what
    :func:`~clipfair.tabular.metrics.evaluate_predictions` gives, undefined values as None, with
    ``details`` of the fit), and the predictions: seed, row (position in the table), y, s, y_hat.

    Raises
    ------
    UserError
        If the method, a setting or a column is unknown, or the table cannot be used.
    """
    parsed = parse_mitigation(kind, settings)
    # Loaded by name, so that a job imports only its own method.
    method = importlib.import_module(f"clipfair.tabular.methods.{kind}")
    repeats, predictions = [], []
    for seed in progress(seeds, unit="repeat", what=kind):
        split_seed = seed if parsed.split_seed is None else parsed.split_seed
        data = split_data(table, label=label, sensitive=sensitive, protocol=protocol, seed=split_seed)
        classifier = make_classifier(protocol.classifier, seed=seed)
        outcome = method.fit_predict(data, parsed, classifier=classifier, seed=seed)
        metrics = evaluate_predictions(
            data.y_test, outcome.predictions, sensitive_features=data.s_test, groups=data.groups
        )
        repeats.append({"seed": seed, **_without_nan(metrics), "details": dict(outcome.details)})
        predictions.append(_predictions(data, outcome.predictions, seed=seed))
    metrics = {"groups": list(data.groups), "n_train": len(data.rows_train), "repeats": repeats}
    return metrics, pd.concat(predictions, ignore_index=True)


def _predictions(data: SplitData, y_hat: np.ndarray, *, seed: int) -> pd.DataFrame:
    return pd.DataFrame(
        {
            "seed": seed,
            "row": data.rows_test,
            "y": data.y_test,
            "s": pd.Categorical(data.s_test, categories=data.groups),
            "y_hat": y_hat,
        }
    )


def _without_nan(value: object) -> object:
    """Undefined numbers as None: JSON has no NaN."""
    if isinstance(value, Mapping):
        return {key: _without_nan(item) for key, item in value.items()}
    return None if isinstance(value, float) and math.isnan(value) else value
