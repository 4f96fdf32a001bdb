"""Time and memory of the two largest evaluations: few-shot ridge regression and retrieval.

    python benchmarks/evaluate/run.py few_shot | retrieval

Embeddings are random; the work does not depend on their values.
"""

import argparse
import resource
import time

import numpy as np
import pandas as pd

from clipfair.evaluate.kinds import few_shot, retrieval
from clipfair.evaluate.protocol import Embedded, Sample

CLASSES, FEATURES, SUPPORT, TEST = 1000, 768, 65, 50_000
IMAGES, CAPTIONS, SIZE = 5000, 25_010, 768


def halves(rng: np.random.Generator, rows: int, columns: int) -> np.ndarray:
    """Rows of unit length that 16-bit floats hold exactly, as they are stored; (rows, columns) float32."""
    values = rng.standard_normal((rows, columns), dtype=np.float32)
    values /= np.linalg.norm(values, axis=1, keepdims=True)
    return values.astype(np.float16).astype(np.float32)


def sample(rng: np.random.Generator, per_class: int) -> Sample:
    """``per_class`` examples of each class, with features alone."""
    labels = np.repeat(np.arange(CLASSES), per_class)
    table = pd.DataFrame({"key": np.arange(len(labels)).astype(str)})
    table["label"] = pd.Categorical.from_codes(labels, [str(name) for name in range(CLASSES)])
    return Sample(table, np.empty((len(labels), 0), dtype=np.float32), halves(rng, len(labels), FEATURES))


def few_shot_data(rng: np.random.Generator) -> tuple[Embedded, dict]:
    """ImageNet's size: 4 numbers of shots, 3 draws each, tested on 50,000 images."""
    embedded = Embedded(sample(rng, TEST // CLASSES), sample(rng, SUPPORT), {}, 1.0)
    return embedded, {"shots": [1, 5, 10, 25], "seeds": [0, 1, 2]}


def retrieval_data(rng: np.random.Generator) -> tuple[Embedded, dict]:
    """COCO's size: 5,000 images, 25,010 captions."""
    of_image = np.full(IMAGES, 5)
    of_image[: CAPTIONS - 5 * IMAGES] += 1
    table = pd.DataFrame({"key": np.arange(IMAGES).astype(str), "captions": [["a"] * n for n in of_image]})
    test = Sample(table, halves(rng, IMAGES, SIZE), np.empty((IMAGES, 0), dtype=np.float32))
    return Embedded(test, None, {"captions": halves(rng, CAPTIONS, SIZE)}, 1.0), {}


def main() -> None:
    """Time one of the two with its data in memory; print the peak memory, data and libraries included."""
    kinds = {"few_shot": (few_shot, few_shot_data), "retrieval": (retrieval, retrieval_data)}
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("what", choices=kinds)
    what = parser.parse_args().what
    kind, make = kinds[what]
    rng = np.random.default_rng(0)
    embedded, settings = make(rng)
    start, cpu = time.perf_counter(), time.process_time()
    kind.evaluate(embedded, settings, rng)
    seconds, cpu = time.perf_counter() - start, time.process_time() - cpu
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**10
    print(f"{what}: {seconds:.1f} s, {cpu:.1f} s of CPU, {memory:.0f} MB")


if __name__ == "__main__":
    main()
