"""make_condition: the keep-list of one condition on one dataset, and its audit."""

from clipfair.balance.audit_page import markdown
from clipfair.balance.conditions import join_groups, make_condition, sampled_groups
from clipfair.core.errors import job_log
from clipfair.core.io import read_json, write_text
from clipfair.core.provenance import write_spec
from clipfair.tables.common.markdown import mark_page

with job_log(snakemake.log[0]):
    balance = snakemake.params.balance
    files = {
        "seed": balance["seed"],
        "keep_path": snakemake.output.keep,
        "audit_path": snakemake.output.audit,
        "dual_path": snakemake.output.dual,
    }
    inputs = snakemake.input
    if inputs.solved:
        groups = sampled_groups(inputs.annotations, inputs.keep, inputs.hashes, inputs.sums)
        join_groups(groups, solved_path=inputs.solved[0], **files)
    else:
        make_condition(
            inputs.annotations,
            kind=balance["kind"],
            settings=balance["settings"],
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
