"""CPU seconds of a job beside its work: the start of Python, and the imports of its rule's script.

    PYTHONPATH=src python benchmarks/workflow/overhead.py benchmarks/workflow/overhead.csv

writes them, and the number of jobs of each rule that a fresh clone plans, and prints the mean over the jobs.
"""

import re
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pandas as pd

REPEATS = 3
# What the script of a rule and the modules that it names import; other rules import about as much as core.io.
IMPORTS = {
    "train_model": "clipfair.train.launch, clipfair.train.run, clipfair.train.kinds.finetune",
    "embed_and_evaluate": "torch, clipfair.evaluate.embed.run, clipfair.evaluate.kinds.group_fairness",
    "evaluate_mitigation": "clipfair.tabular.run, clipfair.tabular.methods.baseline",
    "annotate_shard": "torch, clipfair.annotate.shards, clipfair.annotate.encoders.linear",
    "fit_encoder": "torch, clipfair.annotate.encoders.linear",
    "fit_annotator": "torch, clipfair.annotate.fit, clipfair.annotate.encoders.linear",
    "search_settings": "clipfair.train.search.run, clipfair.train.kinds.finetune",
    "build_run_table": "clipfair.tables.common.records, clipfair.tables.fairclip.zero_shot",
    "build_table": "clipfair.tables.m4.mitigation",
    "draw_figure": "clipfair.tables.common.figure_files, clipfair.tables.fairclip.metrics_figure",
    "generate_dataset": "clipfair.data.embedded.generate",
    "prepare_dataset": "clipfair.data.prepare",
    "make_condition": "clipfair.balance.conditions",
    "rewrite_shard": "clipfair.annotate.neutral",
}
OTHER = "clipfair.core.io"


def planned_jobs() -> Counter[str]:
    """Return rule -> number of jobs of the default study; the seeds of small models are of train_model."""
    command = [sys.executable, "-m", "snakemake", "--cores", "2", "--forceall", "--dry-run"]
    run = subprocess.run(command, capture_output=True, text=True, check=True)
    logs = re.findall(r"^    log: logs/([a-z0-9_]+)", run.stdout + run.stderr, flags=re.MULTILINE)
    return Counter(logs)


def cpu_seconds(modules: str) -> float:
    """Return the least CPU time of a process that imports some modules, as a script of a rule does."""
    code = f"import time, snakemake.script, {modules}; print(time.process_time())"
    times = [
        float(subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout)
        for _ in range(REPEATS)
    ]
    return round(min(times), 2)


def main(out: str) -> None:
    """Write the table and print the mean."""
    jobs = planned_jobs()
    rows = [(rule, count, cpu_seconds(IMPORTS.get(rule, OTHER))) for rule, count in jobs.most_common()]
    table = pd.DataFrame(rows, columns=["rule", "jobs", "cpu_seconds"])
    table.to_csv(Path(out), index=False)
    print((table["jobs"] * table["cpu_seconds"]).sum() / table["jobs"].sum())


if __name__ == "__main__":
    main(*sys.argv[1:])
