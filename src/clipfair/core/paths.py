"""The paths of all files: no other module knows the scheme.

Every template is relative to Snakemake's working directory; its ``{wildcards}`` are the levels of the run
key. A run has exactly one name: a level that does not apply is a word (``balance~none``, ``attr~none``,
``lam~0``) and is never left out.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

# The repository: resources and schemas are found here, whatever the working directory.
ROOT = Path(__file__).resolve().parents[3]
CATALOGUE = ROOT / "resources/datasets.yaml"

RUN_LEVELS = ("dataset", "balance", "model", "method", "attr", "lam", "seed")


@dataclass(frozen=True)
class Run:
    """One trained and evaluated model: the run key of both papers, most stable level first."""

    dataset: str
    balance: str = "none"
    model: str = "none"
    method: str = "none"
    attr: str = "none"
    lam: str = "0"
    seed: int = 0

    @property
    def key(self) -> str:
        """``dataset~adult/balance~none/.../seed~0``."""
        return "/".join(f"{level}~{getattr(self, level)}" for level in RUN_LEVELS)

    @property
    def batch(self) -> str:
        """The key without its seed, which all repeats of one setting share."""
        return self.key.rsplit("/", 1)[0]

    @classmethod
    def from_levels(cls, levels: object) -> "Run":
        """The run whose levels are attributes of ``levels`` (wildcards of a rule); others are defaults."""
        given = {level: getattr(levels, level) for level in RUN_LEVELS if hasattr(levels, level)}
        return cls(**{**given, "seed": int(given.get("seed", 0))})

    @classmethod
    def from_key(cls, key: str) -> "Run":
        """Return the run with this key.

        Raises
        ------
        ValueError
            If a level is missing, out of order, repeated or empty.
        """
        pairs = [part.partition("~") for part in key.split("/")]
        if tuple(level for level, _, _ in pairs) != RUN_LEVELS or not all(value for _, _, value in pairs):
            raise ValueError(f"not a run key: {key!r}; expected the levels {'/'.join(RUN_LEVELS)}")
        values = {level: value for level, _, value in pairs}
        return cls(**{**values, "seed": int(values["seed"])})


_KEY = Run(**{level: f"{{{level}}}" for level in RUN_LEVELS})

RAW = "data/raw/{dataset}/{version}"
CONTENTS = "data/contents/{dataset}/{version}.json"  # the sha256 of the files in RAW
PARTIAL = "data/partial"
PREPARED = "data/prepared/{dataset}/{version}"
PREPARED_TABLE = f"{PREPARED}/table.parquet"
SHARDS = "shards"  # of pairs, in RAW
DECODED = "data/decoded/{dataset}/{version}"  # decoded images, written by the first training and shared
WEIGHTS = "data/weights/{weights}.safetensors"
VOCABULARY = "data/weights/{weights}.vocabulary.txt"

TABULAR_BATCH = Run(dataset="{dataset}", model="{model}", method="{method}", attr="{attr}").batch
TABULAR = f"results/tabular/{{study}}/{TABULAR_BATCH}"
ANNOTATIONS = "results/annotate/{study}/dataset~{dataset}"
SHARD_ANNOTATIONS = f"{ANNOTATIONS}/shard~{{shard}}.parquet"
SHARD_NEUTRAL = f"{ANNOTATIONS}/neutral~{{shard}}.parquet"
CAPTION_ANNOTATIONS = f"{ANNOTATIONS}/captions.parquet"
ENCODER = f"{ANNOTATIONS}/encoder.npz"
ANNOTATION_QUALITY = f"{ANNOTATIONS}/quality.json"
CONDITION = "results/balance/{study}/dataset~{dataset}/balance~{balance}"
KEEP = f"{CONDITION}/keep.parquet"
AUDIT = f"{CONDITION}/audit.json"
# Of a condition that is made from groups of shards; removed once it is there.
SOLVED = f"{CONDITION}/solved.json"
GROUP_COUNTS = f"{CONDITION}/counts~{{group}}.npz"
GROUP_SIMILARITY = f"{CONDITION}/similarity~{{group}}.npy"
GROUP_KEEP = f"{CONDITION}/keep~{{group}}.parquet"
GROUP_HASHES = f"{CONDITION}/hashes~{{group}}.npy"
GROUP_SUMS = f"{CONDITION}/sums~{{group}}.npy"

TRAIN = f"results/train/{{study}}/{_KEY.key}"
MODEL = f"{TRAIN}/model.safetensors"
MODEL_SPEC = f"{TRAIN}/spec.json"
TRAIN_LOG = f"{TRAIN}/log.csv"
SNAPSHOTS = f"{TRAIN}/snapshots"
SCRATCH = f"{{study}}/{_KEY.key}"  # in the folder of the setting scratch
CHECKPOINTS = "checkpoints"  # in SCRATCH
FAILURE = f"{CHECKPOINTS}/failure-{{rank}}.json"  # in SCRATCH: why a training diverged, from each process
# One job embeds or evaluates all seeds of a batch; each seed has a folder in it.
EMBED = f"results/embed/{{study}}/{_KEY.batch}"
EVALUATE = f"results/evaluate/{{study}}/{_KEY.batch}"
PROBE = f"results/evaluate/{{study}}/augmented/{_KEY.batch}"
SEARCH = "results/search/{study}/{search}"
SEARCH_PART = f"{SEARCH}/part~{{part}}.json"
SEARCH_JOURNAL = f"{SEARCH}/journal.log"
SEARCH_SCRATCH = "{study}/search~{search}/part~{part}"  # in the folder of the setting scratch
# The suffix of a folder's spec, which holds the sha256 of its content: jobs that read the folder depend on
# it.
FOLDER_SPEC = ".spec.json"

TABLE = "results/tables/{study}/{paper}/{table}"
TABLE5 = "results/table5.csv"
PAGES = "results/tables/{study}/pages"
MODEL_CARD = f"results/tables/{{study}}/cards/{_KEY.batch}"
# Tables are made from these. They are small and recorded with the tables, unlike the models and journals.
EPOCHS = f"results/tables/{{study}}/epochs/{_KEY.key}.csv"
SEARCHED = "results/tables/{study}/searches/{search}"
SEARCH_TRIALS = f"{SEARCHED}/trials.csv"
COMPARED = "results/tables/{study}/compared"
METRICS = "results/metrics.json"
# The scores of all evaluated runs.
PREDICTIONS = "results/tables/{study}/predictions"


def contents_of(raw: str) -> str:
    """Return the file with the sha256 of the files in ``raw``, a folder of the form :data:`RAW`.

    Jobs that read the folder depend on it: Snakemake compares folders by their time stamps alone, and does
    not run a job again, nor for another reason, if all that it needs from a job in the plan is ``ancient``.
    """
    *_, dataset, version = raw.split("/")
    return CONTENTS.format(dataset=dataset, version=version)


def batch_pattern(batches: Iterable[Run]) -> str:
    """Return a pattern for ``{lam}`` in a path with the levels of a run key that only ``batches`` match."""
    keys = (batch.batch.rpartition("~") for batch in batches)
    return "|".join(f"(?<=/{re.escape(levels)}~){re.escape(lam)}" for levels, _, lam in keys) or "(?!)"


def table_pattern(tables: Iterable[str]) -> str:
    """Return a pattern for ``{table}`` in :data:`TABLE` that only ``tables`` (``<paper>/<table>``) match.

    Both papers have a Table 5: the name of a table alone does not determine its rule.
    """
    names = (table.split("/") for table in tables)
    return "|".join(f"(?<=/{paper}/){re.escape(name)}" for paper, name in names) or "(?!)"
