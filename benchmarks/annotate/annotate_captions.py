"""Time the annotation of captions: ``python benchmarks/annotate/annotate_captions.py CAPTIONS.tsv``.

CAPTIONS.tsv has a header and a column ``caption``. Its rows are repeated to ``--captions`` and split into
chunks as large as a webdataset shard, which worker processes annotate with four vocabularies.
"""

import argparse
import csv
import itertools
import multiprocessing
import resource
import time
from pathlib import Path

from clipfair.annotate.text import annotate_captions
from clipfair.annotate.vocabulary import load_vocabulary

FOLDER = Path(__file__).parents[2] / "resources/vocabulary"
VOCABULARIES = [
    load_vocabulary(FOLDER / f"{name}.yaml") for name in ("gender", "occupations", "proxies", "humans")
]


def count_mentions(captions: list[str]) -> int:
    """Return the number of mentions; the matrix stays in the worker, as in the job of a shard."""
    return int(annotate_captions(captions, *VOCABULARIES).to_numpy().sum())


def read_captions(path: Path, count: int) -> list[str]:
    """Return the column ``caption``, repeated to ``count`` rows."""
    with path.open(encoding="utf-8", newline="") as stream:
        captions = [row["caption"] for row in csv.DictReader(stream, delimiter="\t", quoting=csv.QUOTE_NONE)]
    return list(itertools.islice(itertools.cycle(captions), count))


def main() -> None:
    """Print times and the number of mentions."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("path", type=Path, metavar="CAPTIONS.tsv")
    parser.add_argument("--captions", type=int, default=1_000_000)
    parser.add_argument("--chunk", type=int, default=10_000)
    parser.add_argument("--processes", type=int, default=2)
    options = parser.parse_args()
    captions = read_captions(options.path, options.captions)
    chunks = [captions[start : start + options.chunk] for start in range(0, len(captions), options.chunk)]
    start = time.perf_counter()
    with multiprocessing.Pool(options.processes) as pool:
        mentions = sum(pool.imap_unordered(count_mentions, chunks))
        pool.close()
        pool.join()
    seconds = time.perf_counter() - start
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    print(
        f"{len(captions):,} captions, {options.processes} processes: {seconds:.1f} s, "
        f"{used.ru_utime + used.ru_stime:.1f} s of CPU, {mentions:,} mentions"
    )


if __name__ == "__main__":
    main()
