"""The metrics of fine-tuned models tracked at each epoch, as series and as rank correlations."""

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd

from clipfair.core.errors import UserError
from clipfair.core.paths import RUN_LEVELS, Run
from clipfair.metrics.relations import rank_correlation
from clipfair.tables.fairclip.selection import trained_attributes

BEFORE = 0  # the epoch number of the model before it is fine-tuned
# With fewer epochs the rank correlation has few possible values, and extreme ones by chance.
FEWEST = 5


def read_epochs(settings: Mapping) -> pd.DataFrame:
    """The epochs of every run of the table's rows, on one split, with the run's levels.

    Raises
    ------
    UserError
        If a run has none on that split.
    """
    split = settings.get("split", "test")
    frames = []
    for key, path in settings["epochs"].items():
        run = Run.from_key(key)
        if run.method not in settings["rows"]:
            continue
        frame = pd.read_csv(path, dtype={"label": "str", "group": "str"}).query("split == @split")
        if frame.empty:
            raise UserError(f"{path}: no epochs on split {split}; name another split in the table's settings")
        frames.append(frame.assign(**{level: getattr(run, level) for level in RUN_LEVELS}))
    if not frames:
        methods = ", ".join(settings["rows"])
        raise UserError(
            f"table {settings['table']}: no epochs of its rows ({methods}); it needs grids that fine-tune "
            "them, and `needs: [epochs]`"
        )
    return pd.concat(frames, ignore_index=True).fillna({"label": "", "group": ""})


def make_series(epochs: pd.DataFrame, measures: Sequence[str]) -> pd.DataFrame:
    """One value per run, attribute that it is trained for, measure and epoch.

    Distances are means over the attribute's groups; the AUC, which has no attribute, is repeated for each.

    Returns
    -------
    The run levels, ``measure``, ``attribute``, ``epoch``, ``value`` (shares in [0, 1]).
    """
    chosen = epochs[epochs["metric"].isin(measures)]
    of_groups = chosen["metric"].str.startswith("distance") & (chosen["group"] != "")
    chosen = chosen[of_groups | (~chosen["metric"].str.startswith("distance") & (chosen["group"] == ""))]
    keys = [*RUN_LEVELS, "metric", "label", "epoch"]
    means = chosen.groupby(keys, sort=False)["value"].mean().reset_index()
    attributes = [label for label in dict.fromkeys(means["label"]) if label]
    overall = means[(means["label"] == "") & means["metric"].isin(["auc"])]
    copies = [overall.assign(label=attribute) for attribute in attributes]
    whole = pd.concat([means[(means["label"] != "") & (means["metric"] != "auc")], *copies])
    wanted = [
        label in (trained_attributes(attr) or {label})
        for attr, label in zip(whole["attr"], whole["label"], strict=True)
    ]
    return whole[wanted].rename(columns={"metric": "measure", "label": "attribute"}).reset_index(drop=True)


def correlation_over_epochs(run: pd.DataFrame, x: str, y: str) -> float:
    """The rank correlation of two measures over the epochs of a run; NaN if undefined or of fewer than five.

    The model before training is left out, since training itself changes both measures.

    Parameters
    ----------
    run
        One column per measure; ``epoch`` is a level of the index.
    """
    trained = run[run.index.get_level_values("epoch") != BEFORE].dropna(subset=[x, y])
    return rank_correlation(trained, x, y) if len(trained) >= FEWEST else np.nan
