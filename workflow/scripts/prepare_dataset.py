"""prepare_dataset: a dataset's files as one checked table."""

from pathlib import Path

from clipfair.core import paths
from clipfair.core.catalogue import load_catalogue
from clipfair.core.errors import job_log
from clipfair.core.provenance import write_spec
from clipfair.data.prepare import prepare_dataset

with job_log(snakemake.log[0]):
    settings = snakemake.params.settings
    dataset = load_catalogue(paths.CATALOGUE)[settings["format"]]
    raw = Path(snakemake.input.raw)
    manifest = raw / "manifest.json"
    prepare_dataset(dataset, raw, snakemake.output.table, subset=settings["subset"])
    write_spec(
        snakemake.output.spec,
        made_by=snakemake.rule,
        code=snakemake.params.code,
        settings=settings,
        inputs={"manifest": manifest} if manifest.exists() else {},  # a generated dataset has none
    )
