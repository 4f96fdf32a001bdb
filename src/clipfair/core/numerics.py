"""Numerics of a process: portable kernels give the same bytes on different processors, native ones are fast.

The libraries choose their kernels by the processor: AVX-512 or AVX2, Intel's or AMD's. Sums in another order,
fused or unfused products and other approximations of elementary functions change the last bits of a result,
and a training amplifies them. Portable numerics are those of AVX2 with FMA, which servers and desktops
have had since about 2015, and of one code path of MKL for all makes. The libraries read their variables
when they are imported, so a process chooses before it imports numpy, scipy or torch.

The number of threads is fixed elsewhere: Snakemake passes that of a rule to BLAS and OpenMP.
"""

import os
import platform
import sys
from pathlib import Path

PORTABLE, NATIVE = "portable", "native"
VARIABLES = {
    "ATEN_CPU_CAPABILITY": "avx2",  # torch: elementwise operations, reductions
    "ONEDNN_MAX_CPU_ISA": "AVX2",  # torch: convolutions
    "MKL_CBWR": "COMPATIBLE",  # torch: matrix products, linear algebra, elementary functions
    "OPENBLAS_CORETYPE": "Haswell",  # numpy, scipy, scikit-learn: matrix products, linear algebra
    "NPY_DISABLE_CPU_FEATURES": "X86_V4 AVX512_ICL AVX512_SPR",  # numpy: elementwise operations, reductions
}
X86 = ("x86_64", "AMD64")
LIBRARIES = ("numpy", "torch")
CPUINFO = Path("/proc/cpuinfo")
# The instructions that kernels are chosen by.
FEATURES = ("avx", "fma", "amx", "f16c", "sse4", "bmi")


def use_numerics(numerics: str) -> None:
    """Choose the numerics of this process and of those that it starts; on x86-64 alone there is a choice.

    Parameters
    ----------
    numerics
        ``portable`` or ``native``.

    Raises
    ------
    RuntimeError
        If they would change after numpy or torch were imported.
    """
    if platform.machine() not in X86 or numerics == numerics_in_use():
        return
    loaded = [name for name in LIBRARIES if name in sys.modules]
    if loaded:
        raise RuntimeError(
            f"numerics {numerics!r} were chosen after {' and '.join(loaded)} had been imported"
        )
    for name, value in VARIABLES.items():
        if numerics == PORTABLE:
            os.environ[name] = value
        else:
            os.environ.pop(name, None)


def export_portable_numerics() -> None:
    """Choose portable numerics for the processes that this one starts; its own may stay as they are."""
    if platform.machine() in X86:
        os.environ.update(VARIABLES)


def numerics_in_use() -> str:
    """Return ``portable`` if the environment of this process chooses that, else ``native``."""
    chosen = all(os.environ.get(name) == value for name, value in VARIABLES.items())
    return PORTABLE if chosen else NATIVE


def processor() -> dict[str, str | list[str]]:
    """Return the model of the processor, and those of :data:`FEATURES` that the system lists."""
    lines = CPUINFO.read_text(encoding="utf-8").splitlines() if CPUINFO.exists() else []
    facts = dict(line.split(":", 1) for line in reversed(lines) if ":" in line)
    facts = {name.strip(): value.strip() for name, value in facts.items()}
    flags = sorted(flag for flag in facts.get("flags", "").split() if flag.startswith(FEATURES))
    return {"model": facts.get("model name") or platform.processor() or platform.machine(), "features": flags}
