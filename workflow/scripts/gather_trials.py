"""gather_trials: every trial of a search, the best one, and their picture."""

from clipfair.core.errors import job_log
from clipfair.core.io import write_csv, write_json
from clipfair.core.provenance import write_spec
from clipfair.tables.common.figure_files import write_figure
from clipfair.tables.fairclip.search_trials_figure import draw_trials
from clipfair.train.search.run import gather_trials

with job_log(snakemake.log[0]):
    settings = snakemake.params.settings
    trials, best = gather_trials(settings, storage=snakemake.params.journal)
    write_csv(snakemake.output.trials, trials)
    write_json(snakemake.output.best, best)
    for path in (snakemake.output.svg, snakemake.output.png):
        write_figure(path, draw_trials(trials, settings["space"]))
    write_spec(
        snakemake.output.spec,
        made_by=snakemake.rule,
        code=snakemake.params.code,
        settings=settings,
        inputs={"journal": snakemake.params.journal},
    )
