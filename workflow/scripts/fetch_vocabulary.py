"""fetch_vocabulary: the published vocabulary of one model's tokenizer, checked."""

from clipfair.core import paths
from clipfair.core.errors import job_log
from clipfair.data.fetch import mirror_folder
from clipfair.models.weights import fetch_vocabulary

with job_log(snakemake.log[0]):
    fetch_vocabulary(
        snakemake.wildcards.weights,
        snakemake.params.source,
        mirror=mirror_folder(snakemake.config.get("mirror", "")),
        partial_dir=paths.PARTIAL,
        out_path=snakemake.output[0],
    )
