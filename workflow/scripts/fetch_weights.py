"""fetch_weights: the published weights of one model, checked."""

from clipfair.core import paths
from clipfair.core.errors import job_log
from clipfair.data.fetch import mirror_folder
from clipfair.models.weights import fetch_weights

with job_log(snakemake.log[0]):
    fetch_weights(
        snakemake.wildcards.weights,
        snakemake.params.weights,
        tower=str(snakemake.input.tower) if snakemake.input.tower else None,
        mirror=mirror_folder(snakemake.config.get("mirror", "")),
        partial_dir=paths.PARTIAL,
        out_path=snakemake.output[0],
    )
