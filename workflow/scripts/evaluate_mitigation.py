"""evaluate_mitigation: all repeats of one mitigation on one dataset."""

import pandas as pd

from clipfair.core.errors import job_log
from clipfair.core.io import write_json, write_parquet
from clipfair.core.provenance import write_spec
from clipfair.plan.mitigation_settings import ClassifierSettings
from clipfair.tabular.protocol import Protocol
from clipfair.tabular.run import evaluate_mitigation

with job_log(snakemake.log[0]):
    settings = snakemake.params.settings
    metrics, predictions = evaluate_mitigation(
        pd.read_parquet(snakemake.input.table),
        label=settings["label"],
        sensitive=settings["sensitive"],
        kind=settings["kind"],
        settings=settings["settings"],
        protocol=Protocol(settings["test_share"], ClassifierSettings(**settings["classifier"])),
        seeds=settings["seeds"],
    )
    write_parquet(snakemake.output.predictions, predictions)
    run = {name: settings[name] for name in ("dataset", "sensitive", "method")}
    write_json(snakemake.output.metrics, run | metrics)
    write_spec(
        snakemake.output.spec,
        made_by=snakemake.rule,
        code=snakemake.params.code,
        settings=settings,
        inputs={"table": snakemake.input.table},
    )
