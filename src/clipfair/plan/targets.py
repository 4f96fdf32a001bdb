"""Targets of a study: tables, figures, pages and summaries, and the data that they are made from."""

from collections.abc import Collection
from pathlib import PurePath

from clipfair.core import paths
from clipfair.plan.evaluation_jobs import predicted_folders
from clipfair.plan.study_plan import StudyPlan

PAPERS = {
    "m4": "CLIP the Bias",
    "fairclip": "On the Reproducibility of FairCLIP",
    "questions": "Questions that both papers leave open",
}


def compared_tables(plan: StudyPlan) -> list[str]:
    """The tables of the study for which a paper prints numbers."""
    return [name for name, table in plan.tables.items() if table.published]


def table5_parts(plan: StudyPlan) -> list[str]:
    """The comparisons of every paper's Table 5."""
    return plan.table_files(".compare.csv", [name for name in plan.tables if name.endswith("/table5")])


def study_targets(plan: StudyPlan) -> list[str]:
    """Everything that the study builds but the model cards."""
    files = _table_targets(plan, plan.tables)
    if files:
        files.append(paths.PAGES.format(study=plan.study))
    if table5_parts(plan):
        files.append(paths.TABLE5)
    if compared_tables(plan):
        files.append(paths.METRICS)
    if predicted_folders(plan):
        files.append(paths.PREDICTIONS.format(study=plan.study))
    return files


def paper_targets(plan: StudyPlan, paper: str) -> list[str]:
    """The tables and figures of one paper."""
    return _table_targets(plan, tables_of(plan, paper))


def model_cards(plan: StudyPlan) -> list[str]:
    """The model card of every trained batch of the study."""
    trained = [batch for batch in plan.batches if plan.is_trained(batch)]
    return [f"{plan.path_of(paths.MODEL_CARD, batch)}/card.md" for batch in trained]


def tables_of(plan: StudyPlan, paper: str) -> list[str]:
    """The tables of one paper."""
    return [name for name in plan.tables if name.startswith(f"{paper}/")]


def asked_tables(plan: StudyPlan, targets: Collection[str]) -> list[str]:
    """The tables that Snakemake is asked for: by a paper's id or by files of tables.

    Any other target, or none, may need every table.
    """
    asked = set()
    for target in targets:
        if target in PAPERS:
            asked.update(tables_of(plan, target))
            continue
        named = [name for name in plan.tables if _is_file_of(plan, name, target)]
        if not named:
            return list(plan.tables)
        asked.update(named)
    return [name for name in plan.tables if name in asked] if targets else list(plan.tables)


def _is_file_of(plan: StudyPlan, table: str, target: str) -> bool:
    [file] = plan.table_files("", [table])
    path = PurePath(target)
    return str(path.parent / path.name.partition(".")[0]) == file


def _table_targets(plan: StudyPlan, tables: Collection[str]) -> list[str]:
    """The pages and figures of some tables."""
    drawn = [name for name in tables if plan.tables[name].figure]
    return [*plan.table_files(".md", tables), *plan.table_files(".svg", drawn)]
