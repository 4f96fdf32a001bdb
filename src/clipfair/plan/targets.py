"""What a study builds: its tables, figures, pages and summaries, and the data that they are made from."""

from collections.abc import Collection, Iterable
from pathlib import PurePath

from clipfair.core import paths
from clipfair.core.paths import Run
from clipfair.plan.study_plan import StudyPlan

PAPERS = {"m4": "CLIP the Bias", "fairclip": "On the Reproducibility of FairCLIP"}


def compared_tables(plan: StudyPlan) -> list[str]:
    """The tables of the study for which a paper prints numbers."""
    return [name for name, table in plan.tables.items() if table.published]


def table5_parts(plan: StudyPlan) -> list[str]:
    """The comparisons of every paper's Table 5."""
    return plan.table_files(".compare.csv", [name for name in plan.tables if name.endswith("/table5")])


def study_targets(plan: StudyPlan) -> list[str]:
    """Everything that the study builds."""
    files = _table_targets(plan, plan.tables)
    if files:
        files.append(paths.PAGES.format(study=plan.study))
    if table5_parts(plan):
        files.append(paths.TABLE5)
    if compared_tables(plan):
        files.append(paths.METRICS)
    return [*files, *_model_cards(plan, plan.batches)]


def paper_targets(plan: StudyPlan, paper: str) -> list[str]:
    """The tables, figures and model cards of one paper."""
    tables = tables_of(plan, paper)
    grids = {grid for name in tables for grid in plan.tables[name].grids if grid in plan.grids}
    batches = dict.fromkeys(
        batch for name in plan.grids if name in grids for batch in plan.grids[name].batches
    )
    return [*_table_targets(plan, tables), *_model_cards(plan, batches)]


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


def _model_cards(plan: StudyPlan, batches: Iterable[Run]) -> list[str]:
    """The model card of every trained batch of some."""
    trained = [batch for batch in batches if plan.is_trained(batch)]
    return [f"{plan.path_of(paths.MODEL_CARD, batch)}/card.md" for batch in trained]
