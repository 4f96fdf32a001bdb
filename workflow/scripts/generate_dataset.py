"""generate_dataset: one synthetic dataset, in the format of a real one."""

from clipfair.core.errors import job_log
from clipfair.core.io import sha256_of_folder, write_json
from clipfair.data.embedded.generate import generate_world
from clipfair.data.embedded.world import make_settings

with job_log(snakemake.log[0]):
    made = snakemake.params.generated
    generate_world(
        made["part"], make_settings(made["part"], made["settings"]), made["seed"], snakemake.output.raw
    )
    write_json(snakemake.output.contents, {".": sha256_of_folder(snakemake.output.raw)})
