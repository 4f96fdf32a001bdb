"""Numerics of a process, and what the libraries make of them."""

import ast
import json
import os
import platform
import subprocess
import sys

import pytest

from clipfair.core import numerics
from clipfair.core.numerics import VARIABLES, numerics_in_use, processor, use_numerics
from clipfair.core.paths import ROOT

X86 = pytest.mark.skipif(platform.machine() not in numerics.X86, reason="numerics are chosen on x86-64")

SCRIPTS = (ROOT / "workflow/scripts").glob("*.py")
CHOOSING = sorted(path for path in SCRIPTS if "use_numerics(" in path.read_text(encoding="utf-8"))

KERNELS = """
import sys, json
from clipfair.core.numerics import use_numerics
use_numerics(sys.argv[1])
import numpy, scipy.linalg, torch, threadpoolctl
from numpy._core._multiarray_umath import __cpu_features__ as features
blas = {one["architecture"] for one in threadpoolctl.threadpool_info() if one["user_api"] == "blas"}
print(json.dumps({
    "torch": torch.backends.cpu.get_cpu_capability(),
    "blas": sorted(blas),
    "numpy": sorted(name for name in ("X86_V4", "AVX512_ICL", "AVX512_SPR") if features.get(name)),
}))
"""


def kernels_of(choice: str, **environment: str) -> dict:
    """The kernels that a new process has after its choice."""
    run = subprocess.run(
        [sys.executable, "-c", KERNELS, choice],
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        check=True,
    )
    return json.loads(run.stdout)


@pytest.fixture
def unset(monkeypatch):
    for name in VARIABLES:
        monkeypatch.delenv(name, raising=False)


@X86
def test_portable_numerics_reach_every_library(unset):
    assert kernels_of("portable") == {"torch": "AVX2", "blas": ["Haswell"], "numpy": []}


@X86
def test_native_numerics_undo_portable_ones(unset):
    assert kernels_of("native", **VARIABLES) == kernels_of("native")


@X86
def test_a_choice_after_the_import_is_an_error(unset):
    import numpy  # noqa: F401

    use_numerics("native")  # nothing to change
    with pytest.raises(RuntimeError, match="'portable' were chosen after numpy"):
        use_numerics("portable")


@pytest.mark.parametrize("script", CHOOSING, ids=lambda path: path.stem)
def test_a_script_that_chooses_has_not_imported_numpy_or_torch(script):
    body = ast.parse(script.read_text(encoding="utf-8")).body
    imports = "; ".join(ast.unparse(node) for node in body if isinstance(node, ast.ImportFrom | ast.Import))
    program = f"{imports}; import sys; print({{'numpy', 'torch'}} & set(sys.modules) or 'none')"
    run = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert run.stdout == "none\n"


@X86
def test_jobs_are_portable_unless_they_choose(unset, monkeypatch):
    monkeypatch.setenv("MKL_CBWR", "AVX2")
    assert numerics_in_use() == "native"
    numerics.export_portable_numerics()
    assert numerics_in_use() == "portable"


def test_the_processor_is_named_with_its_vector_instructions(monkeypatch, tmp_path):
    file = tmp_path / "cpuinfo"
    core = "processor : {}\nmodel name : Example 9\nflags : fpu avx avx2 fma avx512f sse4_2 rdtscp\n\n"
    file.write_text(core.format(0) + core.format(1))
    monkeypatch.setattr(numerics, "CPUINFO", file)
    assert processor() == {"model": "Example 9", "features": ["avx", "avx2", "avx512f", "fma", "sse4_2"]}
    monkeypatch.setattr(numerics, "CPUINFO", tmp_path / "none")
    assert processor()["model"]
    assert processor()["features"] == []
