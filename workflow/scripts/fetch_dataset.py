"""fetch_dataset: the files of one dataset, complete and verified, or none of them."""

from clipfair.core import paths
from clipfair.core.catalogue import load_catalogue
from clipfair.core.errors import job_log
from clipfair.data.fetch import fetch_dataset, mirror_folder, write_contents

with job_log(snakemake.log[0]):
    fetch_dataset(
        load_catalogue(paths.CATALOGUE)[snakemake.wildcards.dataset],
        mirror=mirror_folder(snakemake.config.get("mirror", "")),
        subset=snakemake.params.subset,
        partial_dir=paths.PARTIAL,
        out_dir=snakemake.output.raw,
    )
    write_contents(snakemake.output.raw, snakemake.output.contents)
