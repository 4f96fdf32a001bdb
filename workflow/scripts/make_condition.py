"""make_condition: the keep-list of one condition on one dataset, and its audit."""

from clipfair.balance.audit_page import markdown
from clipfair.balance.conditions import make_condition
from clipfair.core.errors import job_log
from clipfair.core.io import read_json, write_text
from clipfair.core.provenance import write_spec
from clipfair.tables.common.markdown import mark_page

with job_log(snakemake.log[0]):
    balance = snakemake.params.balance
    make_condition(
        snakemake.input.annotations,
        kind=balance["kind"],
        settings=balance["settings"],
        seed=balance["seed"],
        keep_path=snakemake.output.keep,
        audit_path=snakemake.output.audit,
        dual_path=snakemake.output.dual,
        rewritten=snakemake.input.rewritten or None,
        within=next(iter(snakemake.input.within), None),
    )
    page = markdown(read_json(snakemake.output.audit))
    write_text(snakemake.output.page, mark_page(page, snakemake.params.data, []))
    write_spec(
        snakemake.output.spec,
        made_by=snakemake.rule,
        code=snakemake.params.code,
        settings=balance,
        inputs={path: path for path in snakemake.input.annotations},
    )
