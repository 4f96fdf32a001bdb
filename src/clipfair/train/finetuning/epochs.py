"""The validation of a fine-tuning after each epoch, and the selection of the epoch whose weights are saved.

``epochs.csv`` has the measures of metrics.json, one per row, by epoch and split: ``auc`` of both splits; on
the test split also accuracy, selection rate, DPD, DEOdds, ES-AUC and the distance of every group's scores to
all scores. Epoch 0 is the model before the fine-tuning. The score is the paired logit, diag(L).
See docs/fairclip-protocol.md, sections 2 and 4.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import pandas as pd
import torch
from torch import Tensor, nn
from torch.nn import functional

from clipfair.core.errors import UserError
from clipfair.core.io import write_csv, write_json
from clipfair.metrics.distances import check_distance, group_distances
from clipfair.metrics.fairness import compare_groups
from clipfair.metrics.prediction import auc, rates
from clipfair.models.interface import BuiltModel
from clipfair.models.placement import to_device
from clipfair.train.deferred import DeferredChecks
from clipfair.train.fairclip.half_precision import round_weights
from clipfair.train.fairclip.scores import pair_scores
from clipfair.train.finetuning.examples import Examples

IMAGES_AT_ONCE = 256
COLUMNS = ("epoch", "examples", "split", "metric", "label", "group", "value", "n", "reason")


@dataclass(frozen=True)
class Predictions:
    """The predictions for n examples: the probability of label 1, and the score of each pair; (n,) each."""

    probability: np.ndarray
    score: np.ndarray


def predict_split(
    model: nn.Module,
    examples: Examples,
    built: BuiltModel,
    prompts: Tensor,
    *,
    device: object,
    unit_length: bool = True,
    with_score: bool = True,
) -> Predictions:
    """Return the probabilities from two prompts, as in the papers, and the paired scores.

    The probability is the softmax over the two cosines, without the temperature, at the second prompt.

    Parameters
    ----------
    prompts
        (2, length) tokens: of label 0, of label 1.
    unit_length
        False compares embeddings that are not normalised (an error of the reproduction's code).
    with_score
        False leaves the scores out, (0,), because they need the embedding of every text.
    """
    was_training = model.training
    model.eval()
    with torch.inference_mode():
        texts = model.encode_text(to_device(prompts, device)).float()
        probabilities, scores = [], []
        for pixels, tokens in _chunks(examples):
            images = model.encode_image(built.normalise(to_device(pixels, device))).float()
            unit = functional.normalize(images, dim=-1)
            products = unit @ functional.normalize(texts, dim=-1).T if unit_length else images @ texts.T
            probabilities.append(products.softmax(dim=1)[:, 1])
            if with_score:
                own = functional.normalize(model.encode_text(to_device(tokens, device)).float(), dim=-1)
                scores.append(pair_scores(unit, own, model.logit_scale.exp()))
    model.train(was_training)
    joined = [torch.cat(parts).cpu().numpy() if parts else np.zeros(0) for parts in (probabilities, scores)]
    return Predictions(*joined)


def _chunks(examples: Examples) -> Iterator[tuple[Tensor, Tensor]]:
    for rows in torch.arange(len(examples)).split(IMAGES_AT_ONCE):
        yield examples.pixels(rows), examples.tokens[rows]


def measure_groups(
    examples: Examples,
    predictions: Predictions,
    *,
    attributes: Sequence[str],
    tracked: Mapping[str, Mapping],
) -> list[dict]:
    """Return the measures of one split: rows of ``epochs.csv`` without its first columns.

    Parameters
    ----------
    tracked
        Metric -> settings of a distance (:mod:`clipfair.metrics.distances`).
    """
    y, p = examples.labels, predictions.probability
    overall = rates(y, p)
    rows = [
        _row("auc", overall.auc[0], len(y), reason=_one_label(y)),
        _row("accuracy", overall.accuracy[0], len(y)),
        _row("selection_rate", overall.selection_rate[0], len(y)),
    ]
    scores = torch.from_numpy(predictions.score)
    for attribute in attributes:
        members = examples.members(attribute)
        rows += _compare(attribute, list(members.values()), y, p)
        groups = [scores[torch.from_numpy(places)] for places in members.values()]
        for metric, distance in tracked.items():
            values = group_distances(distance, scores, groups).tolist()
            reason = "no example or no scale"
            rows += [
                _row(metric, value, len(places), label=attribute, group=group, reason=reason)
                for (group, places), value in zip(members.items(), values, strict=True)
            ]
    return rows


def _compare(attribute: str, groups: Sequence[np.ndarray], y: np.ndarray, p: np.ndarray) -> list[dict]:
    """Return DPD, DEOdds and ES-AUC of an attribute."""
    known = np.concatenate(groups)
    values = compare_groups(rates(y[known], p[known]), [rates(y[places], p[places]) for places in groups])
    reason = "a group without examples of both labels, or one group alone"
    return [
        _row(name, values[name][0], len(known), label=attribute, reason=reason)
        for name in ("dpd", "deodds", "es_auc")
    ]


def _one_label(y: np.ndarray) -> str | None:
    return f"all labels are {y[0]}" if len(set(y.tolist())) == 1 else None


def _row(
    metric: str, value: float, n: int, *, label: str = "", group: str = "", reason: str | None = None
) -> dict:
    undefined = bool(np.isnan(value))
    return {
        "metric": metric,
        "label": label,
        "group": group,
        "n": n,
        "value": None if undefined else float(value),
        "reason": (reason or "undefined") if undefined else None,
    }


@dataclass
class EpochTracker:
    """A hook that measures every epoch, and keeps the weights of the best.

    Attributes
    ----------
    splits : the examples of ``validation`` and ``test``.
    prompts : (2, length) tokens.
    attributes : the attributes whose groups are measured.
    tracked : metric -> settings of a distance (:mod:`clipfair.metrics.distances`).
    steps_per_epoch, step_size : the steps of an epoch, the examples of a step.
    batch_size : the examples of a batch.
    measures_test : measure the test split, too; otherwise the validation split alone.
    selection : ``validation`` or ``test``, the split on which the AUC of the selected epoch is the largest
        (ties: the later epoch), or ``last``.
    unit_length, drop_last : for the AUC that selects the epoch: normalise embeddings, leave out the last
        batch if it is smaller.
    saved_as_half : round the saved weights to 16 bits.
    path : the path of epochs.csv.
    failure : the path of the file that is written if the model diverged; a search reads it as a trial without
        a value.
    """

    splits: Mapping[str, Examples]
    built: BuiltModel
    prompts: Tensor
    attributes: Sequence[str]
    tracked: Mapping[str, Mapping]
    steps_per_epoch: int
    step_size: int
    batch_size: int
    measures_test: bool
    selection: str
    unit_length: bool
    drop_last: bool
    saved_as_half: bool
    path: str
    failure: str
    device: object = "cpu"
    rows: list[dict] = field(default_factory=list)
    best_auc: float = -1.0
    weights: dict[str, Tensor] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """Check before training that everything can be measured."""
        for metric, distance in self.tracked.items():
            check_distance(distance, where=f"tracked: {metric}")
        if self.selection != "last":
            reason = _one_label(self.splits[self.selection].labels)
            if reason is not None:
                raise UserError(
                    f"the {self.selection} split: {reason}, so its AUC is undefined and selects no epoch; "
                    "set selection: last in methods.yaml, or use other examples"
                )

    def measure_epoch(self, epoch: int, model: nn.Module) -> float | None:
        """Append the rows of an epoch; return the AUC that selects the epoch, None if the last epoch is kept.

        Raises
        ------
        UserError
            If a probability is not finite.
        """
        predictions, rows = {}, {}
        if self.measures_test:
            predictions["test"] = self._predict(epoch, model, "test", with_score=True)
            rows["test"] = measure_groups(
                self.splits["test"], predictions["test"], attributes=self.attributes, tracked=self.tracked
            )
        predictions["validation"] = self._predict(epoch, model, "validation")
        y, p = self.splits["validation"].labels, predictions["validation"].probability
        rows["validation"] = [_row("auc", auc(y, p), len(y), reason=_one_label(y))]
        columns = {"epoch": epoch, "examples": epoch * self.steps_per_epoch * self.step_size}
        self.rows += [{**columns, "split": name, **row} for name, part in rows.items() for row in part]
        if self.selection == "last":
            return None
        chosen = predictions[self.selection]
        if not self.unit_length:
            chosen = self._predict(epoch, model, self.selection, unit_length=False)
        return self._selection_auc(chosen.probability)

    def _predict(
        self,
        epoch: int,
        model: nn.Module,
        split: str,
        *,
        unit_length: bool = True,
        with_score: bool = False,
    ) -> Predictions:
        predictions = predict_split(
            model,
            self.splits[split],
            self.built,
            self.prompts,
            device=self.device,
            unit_length=unit_length,
            with_score=with_score,
        )
        self._check_finite(epoch, split, predictions.probability)
        return predictions

    def _check_finite(self, epoch: int, split: str, p: np.ndarray) -> None:
        """Detect a model that diverged in the last step of an epoch, where no loss follows."""
        lost = int(np.sum(~np.isfinite(p)))
        if lost:
            write_json(self.failure, {"epoch": epoch, "split": split, "lost": lost})
            raise UserError(
                f"epoch {epoch}: {lost} of {len(p)} probabilities of the {split} split are not finite: the "
                "model diverged; set a smaller learning_rate in recipes.yaml, or a smaller lam"
            )

    def _selection_auc(self, p: np.ndarray) -> float:
        end = len(p) - len(p) % self.batch_size if self.drop_last else len(p)
        return auc(self.splits[self.selection].labels[:end], p[:end])

    def is_due(self, step: int) -> bool:
        """Return True at the end of an epoch."""
        return step % self.steps_per_epoch == 0

    def after_step(self, step: int, model: nn.Module) -> None:
        """Measure an epoch, keep the weights if they are the best, write epochs.csv."""
        current = self.measure_epoch(step // self.steps_per_epoch, model)
        if current is None:
            self.weights = _copy(model) if self.saved_as_half else {}
        elif current >= self.best_auc:
            self.best_auc, self.weights = current, _copy(model)
        self._write()

    def _write(self) -> None:
        write_csv(self.path, pd.DataFrame(self.rows, columns=list(COLUMNS)))

    def best(self) -> Mapping[str, Tensor] | None:
        """Return the weights of the selected epoch, None for those of the last step."""
        if not self.weights:
            return None
        return half_state(self.weights, self.built.model) if self.saved_as_half else self.weights

    def state_dict(self) -> dict:
        """Return the rows, and the best weights so far."""
        return {"rows": self.rows, "best_auc": self.best_auc, "weights": self.weights}

    def load_state_dict(self, state: Mapping) -> None:
        """Restore the state, and epochs.csv: after the last epoch nothing else writes it."""
        self.rows = [dict(row) for row in state["rows"]]
        self.best_auc, self.weights = state["best_auc"], dict(state["weights"])
        self._write()


def _copy(model: nn.Module) -> dict[str, Tensor]:
    return {name: value.detach().cpu().clone() for name, value in model.state_dict().items()}


def half_state(weights: Mapping[str, Tensor], model: nn.Module) -> dict[str, Tensor]:
    """Load ``weights`` into ``model`` and round them to 16 bits; return them in 32 bits."""
    model.load_state_dict(weights)
    checks = DeferredChecks()
    round_weights(model, checks)
    checks.read()
    return _copy(model)
