"""Table 6 of CLIP the Bias: frequency of the proxies and their association with groups (Appendix A.5.1)."""

from collections.abc import Sequence

import numpy as np
import pandas as pd

from clipfair.data.annotation_columns import MODALITIES, AnnotationColumn
from clipfair.m4.bias import Moments, association, moments
from clipfair.tables.common.annotations import find_columns, read_annotations
from clipfair.tables.common.markdown import markdown_table, number, percent


def build(
    annotations: Sequence[str], *, proxy: str = "proxy", sensitive: str = "gender"
) -> tuple[pd.DataFrame, str]:
    """Count the proxies in annotated examples.

    The paper prints only the list; the counts and the associations are ours.

    Parameters
    ----------
    annotations
        Parquet files with booleans ``text.<proxy>=value``, ``image.<proxy>=value`` and the same for
        ``sensitive``; a modality may lack either.
    proxy, sensitive
        The attributes.

    Returns
    -------
    One row per proxy, modality, group and modality of the group: ``proxy, modality, n, share, group,
    group_modality, group_n, association``; n of all examples have the proxy and group_n are in the group.
    The association is E[y | s = 1] - E[y | s = 0] (Definition 2; y the proxy, s the group), in [-1, 1],
    NaN if no or every example is in the group. Then the page.

    Raises
    ------
    UserError
        If a file is damaged or lacks the attributes.
    """
    columns = find_columns(annotations, proxy, sensitive)
    data = _moments(annotations, groups=columns[sensitive], labels=columns[proxy])
    frame = _tidy(data, groups=columns[sensitive], labels=columns[proxy])
    return frame, _page(frame, examples=int(data.total), sensitive=sensitive)


def _moments(
    annotations: Sequence[str], *, groups: list[AnnotationColumn], labels: list[AnnotationColumn]
) -> Moments:
    columns = [column.name for column in [*groups, *labels]]
    parts = (
        moments(
            frame[columns[: len(groups)]].to_numpy(float),
            frame[columns[len(groups) :]].to_numpy(float),
            np.ones(len(frame)),
        )
        for frame in read_annotations(annotations, columns)
    )
    return sum(parts, next(parts))


def _tidy(data: Moments, *, groups: list[AnnotationColumn], labels: list[AnnotationColumn]) -> pd.DataFrame:
    values = list(dict.fromkeys(column.value for column in labels))
    associations = association(data)
    rows = [
        {
            "proxy": label.value,
            "modality": label.modality,
            "n": int(data.labels[r]),
            "share": data.labels[r] / data.total,
            "group": group.value,
            "group_modality": group.modality,
            "group_n": int(data.groups[k]),
            "association": associations[k, r],
        }
        for r, label in sorted(
            enumerate(labels),
            key=lambda item: (values.index(item[1].value), MODALITIES.index(item[1].modality)),
        )
        for k, group in enumerate(groups)
    ]
    return pd.DataFrame(rows)


def _page(frame: pd.DataFrame, *, examples: int, sensitive: str) -> str:
    groups = list(frame["group"].unique())
    rows = []
    for proxy, cells in frame.groupby("proxy", sort=False):
        shares = cells.drop_duplicates("modality").set_index("modality")["share"]
        rows.append(
            [proxy]
            + [percent(shares.get(modality, np.nan), decimals=2) for modality in MODALITIES]
            + [_strongest(cells[cells["group"] == group]) for group in groups]
        )
    head = ["proxy", "in text (%)", "in image (%)", *(f"association with {group}" for group in groups)]
    text = [
        "# Table 6 of CLIP the Bias: proxies",
        "",
        f"How often each proxy occurs among {examples} examples, and its association with perceived "
        f"{sensitive}, E[proxy | group] - E[proxy | not group], for the pair of modalities (group, proxy) "
        "with the strongest association. The list is the paper's; the numbers have no published counterpart.",
        "",
        *markdown_table(head, rows),
    ]
    return "\n".join(text) + "\n"


def _strongest(cells: pd.DataFrame) -> str:
    # A proxy that never occurs has no meaningful association (it is zero with every group).
    known = cells[cells["n"] > 0].dropna(subset="association")
    if known.empty:
        return number(np.nan)
    cell = known.loc[known["association"].abs().idxmax()]
    return f"{number(cell['association'], sign='+')} ({cell['group_modality']}, {cell['modality']})"
