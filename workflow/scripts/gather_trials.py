"""gather_trials: all trials of a search, and the best one."""

from clipfair.core.errors import job_log
from clipfair.core.io import write_csv, write_json
from clipfair.core.provenance import write_spec
from clipfair.train.search.run import gather_trials

with job_log(snakemake.log[0]):
    settings = snakemake.params.settings
    trials, best = gather_trials(settings, storage=snakemake.params.journal)
    write_csv(snakemake.output.trials, trials)
    write_json(snakemake.output.best, best)
    write_spec(
        snakemake.output.spec,
        made_by=snakemake.rule,
        code=snakemake.params.code,
        settings=settings,
        inputs={"journal": snakemake.params.journal},
    )
