# What is run, from config.yaml: snakemake --cores all
# One target: snakemake --cores 2 results/table5.csv
import os
import sys
from pathlib import Path

from snakemake.utils import min_version

min_version("9.0")


# Relative, so that a moved or cloned repository has the same inputs.
ROOT = Path(os.path.relpath(workflow.basedir))

sys.path.insert(0, f"{workflow.basedir}/src")

from clipfair.core import paths
from clipfair.core.errors import one_line_errors
from clipfair.plan.configuration.types import NONE
from clipfair.plan.configuration_files import check_files, configuration_files
from clipfair.plan.configuration_files import merge, read_configuration
from clipfair.plan.file_checks import check_own_weights, check_scratch
from clipfair.plan.loading import load_plan
from clipfair.plan.missing import check_data, report_failed_downloads, stop_for
from clipfair.plan.target_checks import check_targets
from clipfair.plan.snakemake.requested_targets import check_rules, is_made
from clipfair.plan.snakemake.requested_targets import named_targets, requested_targets
from clipfair.plan.targets import asked_tables
from clipfair.core.numerics import export_portable_numerics
from clipfair.core.provenance import prepend_pythonpath
from clipfair.plan.snakemake.mark_outdated import mark_outdated
from clipfair.plan.snakemake.planned_downloads import planned_downloads
from clipfair.plan.snakemake.scheduler import schedule_after_jobs_only
from clipfair.plan.snakemake.crash_recovery import clear_after_crash, record_owner, remove_owner

prepend_pythonpath()
export_portable_numerics()

if workflow.is_main_process:
    clear_after_crash()

CONFIGURATION = [*configuration_files(ROOT), *workflow.overwrite_configfiles]
with one_line_errors():
    check_files(CONFIGURATION)


# The catalogues, tables and studies in config/ are below it: Snakemake would print a line for each of them.
configfile: ROOT / "config.yaml"


with one_line_errors():
    below = read_configuration(configuration_files(ROOT))
    whole = load_plan(merge(below, config), CONFIGURATION)
    requested = requested_targets(sys.argv[1:]) if workflow.is_main_process else []
    DATA = check_data(whole, asked_tables(whole, requested))
    if workflow.is_main_process:
        check_scratch(DATA.plan)
        check_own_weights(DATA.plan)
PLAN = DATA.plan
if DATA.message and workflow.is_main_process:
    print(f"clipfair: {DATA.message}", file=sys.stderr)


wildcard_constraints:
    dataset="|".join([*PLAN.datasets, NONE]),
    study=PLAN.study,
    paper="[a-z0-9]+",
    table="[a-z0-9-]+",
    model="[a-z0-9.-]+",
    method="[a-z0-9.-]+",
    attr="[A-Za-z0-9_-]+",
    lam="[0-9.e-]+",
    seed="[0-9]+",
    search="|".join(PLAN.searches) or "(?!)",
    part="[0-9]+",
    group="[0-9]+",
    balance="[a-z0-9.-]+",
    shard="[A-Za-z0-9._-]+",


include: "workflow/inputs/common.smk"
include: "workflow/inputs/data.smk"
include: "workflow/inputs/tabular.smk"
include: "workflow/inputs/annotate.smk"
include: "workflow/inputs/balance.smk"
include: "workflow/inputs/train.smk"
include: "workflow/inputs/evaluate.smk"
include: "workflow/inputs/probe.smk"
include: "workflow/inputs/search.smk"
include: "workflow/inputs/tables.smk"
include: "workflow/inputs/targets.smk"
include: "workflow/inputs/report.smk"
include: "workflow/rules/data.smk"
include: "workflow/rules/tabular.smk"
include: "workflow/rules/annotate.smk"
include: "workflow/rules/balance.smk"
include: "workflow/rules/train.smk"
include: "workflow/rules/embed.smk"
include: "workflow/rules/evaluate.smk"
include: "workflow/rules/probe.smk"
include: "workflow/rules/search.smk"
include: "workflow/rules/tables.smk"
include: "workflow/rules/report.smk"


localrules:
    all,
    m4,
    fairclip,
    questions,
    cards,
    data,


# A dry run plans what cannot be started yet.
onstart:
    with one_line_errors():
        stop_for(DATA.missing, planned_downloads(workflow.dag))
    schedule_after_jobs_only(workflow.scheduler)
    record_owner()


onsuccess:
    remove_owner()


# What was built stays; what could not be is said last, where a person looks.
onerror:
    remove_owner()
    mark_outdated(workflow.dag, workflow.persistence)
    report_failed_downloads(PLAN)


rule all:
    input:
        get_study_targets(),


# One paper of the study: snakemake --cores all --config study=paper -- fairclip
rule m4:
    input:
        get_paper_targets("m4"),


rule fairclip:
    input:
        get_paper_targets("fairclip"),


# The questions of docs/analysis-plan.md; one alone: results/tables/questions/questions/q2.csv
rule questions:
    input:
        get_paper_targets("questions"),


# The model cards and training curves: one job per batch, most of it the import of matplotlib, so only on request.
rule cards:
    input:
        get_model_cards(),


# What new runs need besides recorded results (docs/dvc.md), in a run of its own: Snakemake repeats everything that
# is made from a file that the same run makes.
rule data:
    input:
        get_data_targets(),


if workflow.is_main_process:
    with one_line_errors():
        check_rules(workflow, requested)
        check_targets(
            whole,
            named_targets(sys.argv[1:]),
            left_out=whole.tables.keys() - PLAN.tables.keys(),
            rules=[rule.name for rule in workflow.rules],
            is_made=is_made(workflow),
        )
