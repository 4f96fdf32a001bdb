"""The base classifier of Table 5: one hidden layer of ReLU units, log-loss, Adam (appendix A.2.4)."""
# ruff: noqa: N803, N806 - X is scikit-learn's name

import numpy as np
from scipy.special import expit
from sklearn.base import BaseEstimator, ClassifierMixin

from clipfair.plan.mitigation_settings import ClassifierSettings

# Adam's constants: those of its paper, and the defaults of libraries.
DECAY_MEAN, DECAY_SQUARE, STABILITY = 0.9, 0.999, 1e-8


class MLP(ClassifierMixin, BaseEstimator):
    """A scikit-learn classifier for labels 0 and 1, trained in float32.

    It computes the same as ``sklearn.neural_network.MLPClassifier(alpha=0)`` (Glorot's initialisation,
    log-loss averaged by weight within a minibatch, Adam), to which tests compare it coefficient by
    coefficient. It is our own because Table 5 takes 600 to 1,000 fits, and at its sizes an epoch takes
    0.085 s instead of scikit-learn's 0.38 s.

    Parameters
    ----------
    hidden_units, learning_rate, batch_size, epochs
        See :class:`~clipfair.plan.mitigation_settings.ClassifierSettings`.
    seed
        Of the initial weights and of the order of the minibatches.
    """

    def __init__(
        self,
        *,
        hidden_units: int = 128,
        learning_rate: float = 0.001,
        batch_size: int = 128,
        epochs: int = 6,
        seed: int = 0,
    ):
        self.hidden_units = hidden_units
        self.learning_rate = learning_rate
        self.batch_size = batch_size
        self.epochs = epochs
        self.seed = seed

    def fit(self, X: np.ndarray, y: np.ndarray, sample_weight: np.ndarray | None = None) -> "MLP":
        """Fit to (n, d) features, (n,) labels in {0, 1} and (n,) weights >= 0 (1 if not given)."""
        features = _with_constant(X)
        labels = np.asarray(y, dtype=np.float32)
        weight = np.ones_like(labels) if sample_weight is None else np.asarray(sample_weight, np.float32)
        generator = np.random.default_rng(self.seed)
        self.classes_ = np.array([0, 1])
        parameters = Layers(features.shape[1], self.hidden_units)
        self.hidden_, self.output_ = parameters.hidden, parameters.output
        self.hidden_[:], self.output_[:] = _initial(generator, features.shape[1] - 1, self.hidden_units)
        gradient, adam = Layers(*self.hidden_.shape), Adam(parameters.flat, self.learning_rate)
        for _ in range(self.epochs):
            order = generator.permutation(len(labels))
            for start in range(0, len(order), self.batch_size):
                batch = order[start : start + self.batch_size]
                self._write_gradient(gradient, features[batch], labels[batch], weight[batch])
                adam.step(gradient.flat)
        return self

    def predict_proba(self, X: np.ndarray) -> np.ndarray:
        """Probabilities of the labels 0 and 1, (n, 2) float64."""
        _, logit = self._forward(_with_constant(X))
        positive = expit(logit.astype(float))
        return np.column_stack([1 - positive, positive])

    def predict(self, X: np.ndarray) -> np.ndarray:
        """The more probable label, (n,) of 0 and 1."""
        _, logit = self._forward(_with_constant(X))
        return (logit > 0).astype(int)

    def _forward(self, features: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        hidden = np.maximum(features @ self.hidden_, 0)
        return hidden, hidden @ self.output_[:-1] + self.output_[-1]

    def _write_gradient(
        self, gradient: "Layers", features: np.ndarray, labels: np.ndarray, weight: np.ndarray
    ) -> None:
        """Write the gradient of the minibatch's weighted mean log-loss into ``gradient``."""
        total = weight.sum()
        if total == 0:
            gradient.flat[:] = 0
            return
        hidden, logit = self._forward(features)
        error = (expit(logit) - labels) * (weight / total)
        back = np.outer(error, self.output_[:-1])
        back *= np.sign(hidden)  # 0 or 1, since no hidden unit is negative
        np.matmul(features.T, back, out=gradient.hidden)
        np.matmul(error, hidden, out=gradient.output[:-1])
        gradient.output[-1] = error.sum()


class Layers:
    """The numbers of both layers in one array.

    Attributes
    ----------
    flat : float32, of all numbers.
    hidden, output : (inputs + 1, hidden units) and (hidden units + 1,), views of it; the biases are last.
    """

    def __init__(self, inputs: int, units: int):
        self.flat = np.zeros(inputs * units + units + 1, dtype=np.float32)
        self.hidden = self.flat[: inputs * units].reshape(inputs, units)
        self.output = self.flat[inputs * units :]


class Adam:
    """Adam (Kingma & Ba, 2015, algorithm 1) on a float32 array, in place."""

    def __init__(self, parameters: np.ndarray, learning_rate: float):
        self.parameters = parameters
        self.learning_rate = learning_rate
        self.mean, self.square = np.zeros_like(parameters), np.zeros_like(parameters)
        self.change, self.scale = np.empty_like(parameters), np.empty_like(parameters)
        self.steps = 0

    def step(self, gradient: np.ndarray) -> None:
        """Update the parameters once; the gradient is overwritten."""
        self.steps += 1
        unbias = np.sqrt(1 - DECAY_SQUARE**self.steps) / (1 - DECAY_MEAN**self.steps)
        rate = np.float32(self.learning_rate * unbias)
        change, scale = self.change, self.scale
        np.subtract(gradient, self.mean, out=change)
        change *= np.float32(1 - DECAY_MEAN)
        self.mean += change
        gradient *= gradient
        gradient -= self.square
        gradient *= np.float32(1 - DECAY_SQUARE)
        self.square += gradient
        np.multiply(self.mean, rate, out=change)
        np.sqrt(self.square, out=scale)
        scale += np.float32(STABILITY)
        change /= scale
        self.parameters -= change


def make_classifier(settings: ClassifierSettings, *, seed: int) -> ClassifierMixin:
    """An unfitted base classifier."""
    if settings.library == "scikit-learn":
        return _scikit_learn_classifier(settings, seed)
    return MLP(
        hidden_units=settings.hidden_units,
        learning_rate=settings.learning_rate,
        batch_size=settings.batch_size,
        epochs=settings.epochs,
        seed=seed,
    )


def _scikit_learn_classifier(settings: ClassifierSettings, seed: int) -> ClassifierMixin:
    """The same classifier by scikit-learn, which accepts weights of examples since its version 1.7."""
    # Imported here because no other job needs it.
    from sklearn.neural_network import MLPClassifier

    return MLPClassifier(
        (settings.hidden_units,),
        learning_rate_init=settings.learning_rate,
        batch_size=settings.batch_size,
        max_iter=settings.epochs,
        # Never stop early: the number of epochs is a setting.
        n_iter_no_change=settings.epochs,
        random_state=seed,
    )


def _with_constant(X: np.ndarray) -> np.ndarray:
    """Features and a last column of ones for the biases, stored by row, as minibatches are read."""
    X = np.asarray(X)
    features = np.ones((X.shape[0], X.shape[1] + 1), dtype=np.float32)
    features[:, :-1] = X
    return features


def _initial(generator: np.random.Generator, inputs: int, hidden: int) -> list[np.ndarray]:
    """Glorot's uniform initialisation of weights and biases: (inputs + 1, hidden) and (hidden + 1,)."""
    first = np.sqrt(6 / (inputs + hidden))
    second = np.sqrt(6 / (hidden + 1))
    return [
        generator.uniform(-first, first, (inputs + 1, hidden)).astype(np.float32),
        generator.uniform(-second, second, hidden + 1).astype(np.float32),
    ]
