"""Decision margins of validation and test examples, and everything that threshold_free measures from them.

The kinds of evaluation that predict a binary label by a margin share these steps.
"""

from collections.abc import Mapping

import numpy as np
import pandas as pd

from clipfair.core.errors import UserError
from clipfair.evaluate.own_texts import own_text_scores
from clipfair.evaluate.protocol import Embedded, Sample
from clipfair.evaluate.similarity import cosines
from clipfair.metrics.labels import binary_labels
from clipfair.metrics.measure import Measure
from clipfair.metrics.scores import make_margins
from clipfair.metrics.threshold_free import matched_threshold, recalibrate
from clipfair.metrics.threshold_free_measures import (
    SEPARATOR,
    CalibratedPredictions,
    intersect,
    measure_attributes,
    measure_auc,
    measure_selection,
)

PARTS = ("validation", "test")


def prompt_margins(embedded: Embedded, settings: Mapping) -> tuple[pd.DataFrame, pd.DataFrame]:
    """The margins of validation (the support) and of test between two prompts, as :func:`make_part` has them.

    The margin is exp(logit_scale) times the cosine of the image with the prompt of label 1 minus that with
    the prompt of label 0: 0 where the probability of 1 is one half. With the setting ``captions``, the test
    examples have the score with their own text.

    Raises
    ------
    UserError
        If there are not two prompts, an example does not have exactly one text, a column is missing, or the
        validation labels are all equal.
    """
    prompts = embedded.texts["prompts"]
    if len(prompts) != 2:
        raise UserError(
            f"{settings['kind']}: expected two prompts, of label 0 and of label 1; found {len(prompts)}"
        )

    def margins(sample: Sample) -> np.ndarray:
        negative, positive = cosines(sample.images, prompts).astype(np.float64).T
        return embedded.scale * (positive - negative)

    own = own_text_scores(embedded) if settings.get("captions") else None
    validation = make_part(embedded.support, margins(embedded.support), settings)
    if validation["label"].nunique() < 2:
        raise UserError(
            f"{settings['kind']}: the labels of the support are all equal; choose a support with both"
        )
    return validation, make_part(embedded.test, margins(embedded.test), settings, score=own)


def make_part(
    sample: Sample, margin: np.ndarray, settings: Mapping, *, score: np.ndarray | None = None
) -> pd.DataFrame:
    """The examples of one part as :func:`clipfair.metrics.scores.make_margins` has them.

    Raises
    ------
    UserError
        If a column is missing, or a margin is not finite.
    """
    return make_margins(
        sample.table,
        margin,
        labels=binary_labels(sample.table, settings["label"], settings.get("positive")),
        sensitive=settings["sensitive"],
        score=score,
    )


def join_parts(validation: pd.DataFrame, test: pd.DataFrame) -> pd.DataFrame:
    """The rows of both parts, with the column ``part``: the content of scores.parquet."""
    rows = pd.concat([validation, test], keys=PARTS, names=["part"]).reset_index("part")
    return rows.assign(part=pd.Categorical(rows["part"], PARTS)).reset_index(drop=True)


def measure_parts(
    validation: pd.DataFrame, test: pd.DataFrame, settings: Mapping, rng: np.random.Generator
) -> list[Measure]:
    """All measures of the kind threshold_free, from the examples of both parts (:func:`make_part`)."""
    from clipfair.metrics.distance_measures import measure_group_distances  # late: torch takes seconds

    fitted, (y, margin) = _arrays(validation), _arrays(test)
    threshold = matched_threshold(*fitted)
    groups = _features(test, settings)
    return [
        measure_auc("auc", y, margin),
        measure_auc("validation_auc", *fitted),
        *measure_attributes(
            CalibratedPredictions(y, margin, recalibrate(*fitted, margin)),
            sensitive_features=groups,
            threshold=threshold,
            rng=rng,
            replicates=settings.get("resamples"),
        ),
        *measure_selection(
            "validation_matched_dpd",
            fitted[1],
            sensitive_features=_features(validation, settings),
            threshold=threshold,
        ),
        *measure_group_distances(
            y,
            margin,
            test["score"].to_numpy(np.float64) if "score" in test else None,
            sensitive_features=groups,
        ),
    ]


def _arrays(scores: pd.DataFrame) -> tuple[np.ndarray, np.ndarray]:
    """Labels and margins, (n,) each."""
    return scores["label"].to_numpy(), scores["margin"].to_numpy(np.float64)


def _features(scores: pd.DataFrame, settings: Mapping) -> dict[str, pd.Series]:
    """Attribute or intersection -> groups."""
    sensitive = settings["sensitive"]
    return {
        **{name: scores[name] for name in sensitive},
        **{
            SEPARATOR.join(several): intersect(scores[sensitive], several)
            for several in settings.get("intersections", [])
        },
    }
