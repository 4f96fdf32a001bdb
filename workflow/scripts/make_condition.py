"""make_condition: the keep-list of one condition on one dataset, and its audit."""

from clipfair.balance.audit_page import markdown
from clipfair.balance.conditions import join_groups, make_condition, sampled_groups
from clipfair.core.errors import job_log
from clipfair.core.io import read_json, write_text
from clipfair.core.provenance import write_spec
from clipfair.tables.common.markdown import mark_page

with job_log(snakemake.log[0]):
    balance = snakemake.params.balance
    files = {f"{name}_path": snakemake.output[name] for name in ("keep", "audit", "dual")}
    inputs = snakemake.input
    if inputs.solved:
        groups = sampled_groups(inputs.annotations, inputs.keep, inputs.hashes, inputs.sums)
        join_groups(groups, solved_path=inputs.solved[0], seed=balance["seed"], **files)
    else:
        make_condition(
            inputs.annotations,
            **{name: balance[name] for name in ("kind", "settings", "seed")},
            rewritten=inputs.rewritten or None,
            within=next(iter(inputs.within), None),
            **files,
        )
    page = markdown(read_json(snakemake.output.audit))
    write_text(snakemake.output.page, mark_page(page, snakemake.params.data, []))
    write_spec(
        snakemake.output.spec,
        made_by=snakemake.rule,
        code=snakemake.params.code,
        settings=balance,
        inputs={path: path for path in inputs.annotations},
    )
