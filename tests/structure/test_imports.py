"""Jobs import no library that they do not need: torch takes 1.6 seconds, scikit-learn one."""

import subprocess
import sys

import pytest

from tests.repository import ROOT

LIBRARIES = ("torch", "sklearn", "matplotlib", "transformers", "open_clip")
TABLES = [
    ".".join(path.relative_to(ROOT / "src").with_suffix("").parts)
    for path in sorted(ROOT.glob("src/clipfair/tables/**/*.py"))
    if not path.stem.endswith(("_figure", "__init__", "figure_files", "figure_parts", "plotting"))
]
TRAINING = ["clipfair.train.run", "clipfair.train.kinds.pretrain", "clipfair.train.kinds.finetune"]
EVALUATION = ["clipfair.evaluate.run", "clipfair.evaluate.embed.run", "clipfair.evaluate.kinds.few_shot"]


def imported(modules: list[str]) -> set[str]:
    """Return which of the libraries are imported with some modules."""
    code = f"import sys, {', '.join(modules)}; print(*(set({LIBRARIES}) & set(sys.modules)))"
    run = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT / "src", capture_output=True, text=True, check=True
    )
    return set(run.stdout.split())


@pytest.mark.parametrize(
    ("modules", "expected"),
    [(TABLES, set()), (["clipfair.plan.table_jobs"], set()), (TRAINING, {"torch"}), (EVALUATION, {"torch"})],
    ids=["tables", "plan", "training", "evaluation"],
)
def test_modules_import_what_they_need_and_no_more(modules, expected):
    assert imported(modules) <= expected
