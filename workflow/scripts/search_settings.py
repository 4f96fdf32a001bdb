"""search_settings: one part of the trials of a search, each a training."""

from clipfair.console import job_log
from clipfair.io import write_json
from clipfair.search.run import search_settings
from clipfair.train.run import train

with job_log(snakemake.log[0]):
    name = search_settings(
        train,
        snakemake.params.settings,
        data={"raw": snakemake.input.raw, "table": snakemake.input.table},
        weights=snakemake.input.get("weights") or None,
        storage=snakemake.params.journal,
        scratch=snakemake.params.scratch,
        part=int(snakemake.wildcards.part),
    )
    write_json(snakemake.output.part, {"study": name, "part": int(snakemake.wildcards.part)})
