"""Logistic regression on frozen features, as in the released evaluation of BLIP2.

See docs/fairclip-protocol.md, section 5.
"""

import numpy as np

from clipfair.core.errors import UserError
from clipfair.evaluate.probe.head import FittedProbe, LabelledFeatures
from clipfair.metrics.prediction import auc

PENALTY = 0.316  # C, the inverse strength of the penalty
ITERATIONS = 10_000


def fit_logistic(
    training: LabelledFeatures,
    *,
    validation: LabelledFeatures,
    test: LabelledFeatures,
    penalty: float = PENALTY,
) -> FittedProbe:
    """Fit scikit-learn's logistic regression; validation examples choose nothing.

    Parameters
    ----------
    penalty
        C, the inverse strength of the L2 penalty.

    Raises
    ------
    UserError
        If the training labels are all equal.
    """
    from sklearn.linear_model import LogisticRegression

    if len(np.unique(training.labels)) < 2:
        raise UserError("linear probe: the training labels are all equal; choose examples of both labels")
    regression = LogisticRegression(C=penalty, max_iter=ITERATIONS, random_state=0)
    regression.fit(training.features.cpu().numpy(), training.labels)

    def predict(examples: LabelledFeatures) -> np.ndarray:
        return regression.predict_proba(examples.features.cpu().numpy())[:, 1].astype(np.float64)

    p = predict(test)
    aucs = {
        "validation_auc": auc(validation.labels, predict(validation)),
        "test_auc": auc(test.labels, p),
    }
    return FittedProbe(p, [{"epoch": 1, **aucs}])
