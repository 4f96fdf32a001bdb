# What is run, from config.yaml: snakemake --cores all
# One target: snakemake --cores 2 results/table5.csv
import os
import sys
from pathlib import Path

from snakemake.utils import min_version

min_version("9.0")


configfile: Path(workflow.basedir, "config.yaml")


# Relative, so that a moved or cloned repository has the same inputs.
ROOT = Path(os.path.relpath(workflow.basedir))

sys.path.insert(0, f"{workflow.basedir}/src")

from clipfair.core import paths
from clipfair.core.errors import one_line_errors
from clipfair.plan.missing import check_data, stop_for
from clipfair.core.provenance import prepend_pythonpath
from clipfair.plan.registry import load_registry
from clipfair.plan.snakemake.mark_outdated import mark_outdated
from clipfair.plan.snakemake.crash_recovery import clear_after_crash, record_owner, remove_owner

prepend_pythonpath()

if workflow.is_main_process:
    clear_after_crash()

with one_line_errors():
    REGISTRY, MISSING = check_data(load_registry(config))
if MISSING:
    print(f"clipfair: {MISSING}", file=sys.stderr)


wildcard_constraints:
    dataset="|".join(REGISTRY.datasets),
    study=REGISTRY.study,
    paper="[a-z0-9]+",
    table="[a-z0-9-]+",
    model="[a-z0-9.-]+",
    method="[a-z0-9.-]+",
    attr="[a-z0-9-]+",
    lam="[0-9.e-]+",
    seed="[0-9]+",
    search="[a-z0-9.-]+",
    part="[0-9]+",
    balance="[a-z0-9-]+",
    shard="[0-9]{5}",


include: "workflow/rules/inputs.smk"
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


# A dry run plans what cannot be started yet.
onstart:
    with one_line_errors():
        stop_for(MISSING)
    record_owner()


onsuccess:
    remove_owner()


# What was built stays; what could not be is said last, where a person looks.
onerror:
    remove_owner()
    mark_outdated(workflow.dag, workflow.persistence)
    tell_missing_data()


rule all:
    input:
        get_study_targets(),
