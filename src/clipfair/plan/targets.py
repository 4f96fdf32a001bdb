"""What a study builds: its tables, figures, pages and summaries."""

from clipfair.core import paths
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
    drawn = [name for name, table in plan.tables.items() if table.figure]
    files = [*plan.table_files(".md", plan.tables), *plan.table_files(".svg", drawn)]
    if files:
        files.append(paths.PAGES.format(study=plan.study))
    if table5_parts(plan):
        files.append(paths.TABLE5)
    if compared_tables(plan):
        files.append(paths.METRICS)
    return [*files, *_model_cards(plan)]


def _model_cards(plan: StudyPlan) -> list[str]:
    """The model card of every trained batch."""
    trained = [batch for batch in plan.batches if plan.is_trained(batch)]
    return [f"{plan.path_of(paths.MODEL_CARD, batch)}/card.md" for batch in trained]
