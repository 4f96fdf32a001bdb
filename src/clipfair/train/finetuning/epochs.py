"""What a fine-tuning is measured by after each epoch, and which epoch's weights are kept.

``epochs.csv`` has the measures of metrics.json, a row each, by epoch and split: ``auc`` of both splits; on
the test split also accuracy, selection rate, DPD, DEOdds, ES-AUC and the distance of every group's scores to
everybody's. Epoch 0 is the model before. The score is the paired logit, diag(L).
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import pandas as pd
import torch
from torch import Tensor, nn
from torch.nn import functional

from clipfair import metrics as fairness
from clipfair.core.errors import UserError
from clipfair.core.io import write_csv, write_json
from clipfair.core.schema import unknown
from clipfair.metrics import distances
from clipfair.models.interface import Built
from clipfair.train.fairclip.half_precision import round_weights
from clipfair.train.fairclip.scores import pair_scores
from clipfair.train.finetuning.examples import Examples

AT_ONCE = 256
COLUMNS = ("epoch", "examples", "split", "metric", "label", "group", "value", "n", "reason")


@dataclass(frozen=True)
class Seen:
    """What a model makes of examples: the probability of label 1, and the score of each pair; (n,) each."""

    probability: np.ndarray
    score: np.ndarray


def see(
    model: nn.Module,
    examples: Examples,
    built: Built,
    prompts: Tensor,
    *,
    device: object,
    unit_length: bool = True,
    with_score: bool = True,
) -> Seen:
    """Probabilities from two prompts, as the papers have them, and paired scores.

    The probability is the softmax of the two plain cosines, without the temperature, of the second prompt.

    Parameters
    ----------
    prompts
        (2, length) tokens: of label 0, of label 1.
    unit_length
        False compares embeddings as they come (a slip of the reproduction's).
    with_score
        False leaves the scores out, (0,): they need every example's own text.
    """
    was_training = model.training
    model.eval()
    with torch.inference_mode():
        texts = model.encode_text(prompts.to(device)).float()
        probabilities, scores = [], []
        for pixels, tokens in _chunks(examples):
            images = model.encode_image(built.normalise(pixels.to(device))).float()
            unit = functional.normalize(images, dim=-1)
            products = unit @ functional.normalize(texts, dim=-1).T if unit_length else images @ texts.T
            probabilities.append(products.softmax(dim=1)[:, 1])
            if with_score:
                own = functional.normalize(model.encode_text(tokens.to(device)).float(), dim=-1)
                scores.append(pair_scores(unit, own, model.logit_scale.exp()))
    model.train(was_training)
    joined = [torch.cat(parts).cpu().numpy() if parts else np.zeros(0) for parts in (probabilities, scores)]
    return Seen(*joined)


def _chunks(examples: Examples) -> Iterator[tuple[Tensor, Tensor]]:
    for rows in torch.arange(len(examples)).split(AT_ONCE):
        yield examples.pixels(rows), examples.tokens[rows]


def measure_groups(
    examples: Examples, seen: Seen, *, attributes: Sequence[str], tracked: Sequence[str]
) -> list[dict]:
    """The measures of one split, as rows of ``epochs.csv`` less its first columns.

    Parameters
    ----------
    tracked
        Names in :data:`clipfair.metrics.distances.EVALUATED`.
    """
    y, p = examples.labels, seen.probability
    prediction = fairness.predict(p)
    rows = [
        _row("auc", fairness.auc(y, p), len(y), reason=_one_label(y)),
        _row("accuracy", fairness.accuracy(y, prediction), len(y)),
        _row("selection_rate", prediction.mean(), len(y)),
    ]
    scores = torch.from_numpy(seen.score)
    for attribute in attributes:
        members = examples.members(attribute)
        rows += _compare(attribute, list(members.values()), y, p)
        groups = [scores[torch.from_numpy(places)] for places in members.values()]
        for name in tracked:
            values = distances.measure(distances.EVALUATED[name], scores, groups).tolist()
            rows += [
                _row(name, value, len(places), label=attribute, group=group, reason="no example or no scale")
                for (group, places), value in zip(members.items(), values, strict=True)
            ]
    return rows


def _compare(attribute: str, groups: Sequence[np.ndarray], y: np.ndarray, p: np.ndarray) -> list[dict]:
    """DPD, DEOdds and ES-AUC of an attribute, as :mod:`clipfair.metrics` defines them.

    From plain rates: fairlearn's import takes longer than an epoch of a small model.
    """
    known = np.concatenate(groups)
    chosen = fairness.predict(p)
    of_positives, of_negatives = ([places[y[places] == label] for places in groups] for label in (1, 0))
    whole = fairness.auc(y[known], p[known])
    gaps = [abs(fairness.auc(y[places], p[places]) - whole) for places in groups]
    odds = (_range(chosen, of_positives), _range(chosen, of_negatives))
    values = {"dpd": _range(chosen, groups), "deodds": max(odds), "es_auc": whole / (1 + sum(gaps))}
    if np.isnan(odds).any():
        values["deodds"] = np.nan
    reason = "a group without examples of both labels, or one group alone"
    return [_row(name, value, len(known), label=attribute, reason=reason) for name, value in values.items()]


def _range(chosen: np.ndarray, groups: Sequence[np.ndarray]) -> float:
    """The largest rate of 1 less the smallest; NaN if a group is empty or alone."""
    if len(groups) < 2 or not all(map(len, groups)):
        return np.nan
    return float(np.ptp([chosen[places].mean() for places in groups]))


def _one_label(y: np.ndarray) -> str | None:
    return f"all labels are {y[0]}" if len(set(y.tolist())) == 1 else None


def _row(
    metric: str, value: float, n: int, *, label: str = "", group: str = "", reason: str | None = None
) -> dict:
    undefined = bool(np.isnan(value))
    told = {"metric": metric, "label": label, "group": group, "n": n}
    return {
        **told,
        "value": None if undefined else float(value),
        "reason": (reason or "undefined") if undefined else None,
    }


@dataclass
class Tracking:
    """Measures every epoch, and keeps the weights of the best.

    Attributes
    ----------
    splits : the examples of ``validation`` and ``test``.
    prompts : (2, length) tokens.
    attributes : those whose groups are measured.
    tracked : the distances that are, names in :data:`clipfair.metrics.distances.EVALUATED`.
    steps_per_epoch, batch_size : after how many steps an epoch ends; examples a step.
    selection : ``validation`` or ``test``, the split whose AUC is the largest (ties: the later epoch), or
        ``last``.
    unit_length, drop_last : how examples are compared where epochs are (see
        :class:`clipfair.plan.fairclip_switches.Switches`).
    saved_as_half : whether the weights that are kept are rounded to 16 bits.
    path : of epochs.csv.
    failure : of the file that is left if the model diverged; a search goes on with its next trial then.
    """

    splits: Mapping[str, Examples]
    built: Built
    prompts: Tensor
    attributes: Sequence[str]
    tracked: Sequence[str]
    steps_per_epoch: int
    batch_size: int
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
        """Refuse what cannot be measured, before training."""
        for name in self.tracked:
            if name not in distances.EVALUATED:
                known = distances.EVALUATED
                raise UserError(f"config.recipes: tracked: {unknown('distance', name, known)}")
        if self.selection != "last":
            reason = _one_label(self.splits[self.selection].labels)
            if reason is not None:
                raise UserError(
                    f"the {self.selection} split: {reason}, so its AUC is undefined and chooses no epoch; "
                    "set selection: last in config.methods, or use other examples"
                )

    def measure_epoch(self, epoch: int, model: nn.Module) -> float | None:
        """Append the rows of an epoch; the AUC that epochs are compared by, None if the last is kept.

        Raises
        ------
        UserError
            If a probability is not finite.
        """
        test = self._see(epoch, model, "test", with_score=True)
        seen = {"test": test, "validation": self._see(epoch, model, "validation")}
        y, p = self.splits["validation"].labels, seen["validation"].probability
        rows = {
            "test": measure_groups(
                self.splits["test"], test, attributes=self.attributes, tracked=self.tracked
            ),
            "validation": [_row("auc", fairness.auc(y, p), len(y), reason=_one_label(y))],
        }
        kept = {"epoch": epoch, "examples": epoch * self.steps_per_epoch * self.batch_size}
        self.rows += [{**kept, "split": name, **row} for name, part in rows.items() for row in part]
        if self.selection == "last":
            return None
        chosen = seen[self.selection]
        if not self.unit_length:
            chosen = self._see(epoch, model, self.selection, unit_length=False)
        return self._compared_by(chosen.probability)

    def _see(self, epoch: int, model: nn.Module, split: str, **how: bool) -> Seen:
        how = {"with_score": False, **how}
        seen = see(model, self.splits[split], self.built, self.prompts, device=self.device, **how)
        self._check_finite(epoch, split, seen.probability)
        return seen

    def _check_finite(self, epoch: int, split: str, p: np.ndarray) -> None:
        """The loop sees no loss after the last step of an epoch: it can be the one that diverged."""
        lost = int(np.sum(~np.isfinite(p)))
        if lost:
            write_json(self.failure, {"epoch": epoch, "split": split, "lost": lost})
            raise UserError(
                f"epoch {epoch}: {lost} of {len(p)} probabilities of the {split} split are not finite: the "
                "model diverged; set a smaller learning_rate in config.recipes, or a smaller lam"
            )

    def _compared_by(self, p: np.ndarray) -> float:
        end = len(p) - len(p) % self.batch_size if self.drop_last else len(p)
        return fairness.auc(self.splits[self.selection].labels[:end], p[:end])

    def after_step(self, step: int, model: nn.Module) -> None:
        """At the end of an epoch: measure, keep the weights if they are the best, write epochs.csv."""
        if step % self.steps_per_epoch:
            return
        auc = self.measure_epoch(step // self.steps_per_epoch, model)
        if auc is None:
            self.weights = _copy(model) if self.saved_as_half else {}
        elif auc >= self.best_auc:
            self.best_auc, self.weights = auc, _copy(model)
        write_csv(self.path, pd.DataFrame(self.rows, columns=list(COLUMNS)))

    def best(self) -> Mapping[str, Tensor] | None:
        """The weights of the chosen epoch; None for the last as it is."""
        if not self.weights:
            return None
        return half_state(self.weights, self.built.model) if self.saved_as_half else self.weights

    def state_dict(self) -> dict:
        """The rows, and the best weights so far."""
        return {"rows": self.rows, "best_auc": self.best_auc, "weights": self.weights}

    def load_state_dict(self, state: Mapping) -> None:
        """Restore them."""
        self.rows = [dict(row) for row in state["rows"]]
        self.best_auc, self.weights = state["best_auc"], dict(state["weights"])


def _copy(model: nn.Module) -> dict[str, Tensor]:
    return {name: value.detach().cpu().clone() for name, value in model.state_dict().items()}


def half_state(weights: Mapping[str, Tensor], model: nn.Module) -> dict[str, Tensor]:
    """``weights`` as a 16-bit model holds them, in 32 bits; they are put into ``model``."""
    model.load_state_dict(weights)
    round_weights(model)
    return _copy(model)
