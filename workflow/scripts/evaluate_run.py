"""evaluate_run: all seeds of one batch on all its evaluations."""

from clipfair.core.errors import job_log
from clipfair.core.numerics import use_numerics

with job_log(snakemake.log[0]):
    # numpy and torch read the choice when they are imported
    use_numerics(snakemake.params.numerics)
    from clipfair.core.provenance import write_spec
    from clipfair.evaluate.run import evaluate_runs

    settings = {name: snakemake.params[name] for name in ("parts", "evaluations")}
    for part in settings["parts"]:
        evaluate_runs(
            snakemake.input.embeddings,
            {name: places["table"] for name, places in part["datasets"].items()},
            settings["evaluations"],
            [model["run"] for model in part["models"]],
            snakemake.output.folder,
        )
    write_spec(
        snakemake.output.spec,
        made_by=snakemake.rule,
        code=snakemake.params.code,
        settings=settings,
        inputs={file: file for file in [*snakemake.input.tables, snakemake.input.spec]},
        folders={"evaluations": snakemake.output.folder},
    )
