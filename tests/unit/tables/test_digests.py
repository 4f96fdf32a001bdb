"""The code digest of a table and that of its figure depend on different modules."""

import pytest

from clipfair.core.code_digest import code_closure
from tests.structure.source import MODULES

FIGURES = [name for name in MODULES if name.startswith("clipfair.tables.") and name.endswith("_figure")]
DRAWING = {*FIGURES, "clipfair.tables.common.figure_files", "clipfair.tables.common.palette"}
DRAWING |= {f"clipfair.tables.{paper}.plotting" for paper in ("m4", "fairclip")}
PACKAGES = tuple(f"clipfair.tables.{part}." for part in ("m4", "fairclip", "questions"))
BUILDERS = [name for name in MODULES if name.startswith(PACKAGES) and name not in DRAWING]


@pytest.mark.parametrize("builder", BUILDERS)
def test_an_edit_of_a_figure_does_not_build_its_table_again(builder):
    assert not DRAWING & set(code_closure(builder, "clipfair.tables.common.table_files"))
