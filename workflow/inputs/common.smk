# This folder has what the rules ask of the plan, in a file for each phase: each function is an attribute of a job.
# What a job is made from, and how, is decided in src/clipfair/plan; here stand the modules that a job's code digest
# covers. This file has what several phases use.
from clipfair.core.paths import Run
from clipfair.plan.snakemake.resources import SIGNAL_BEFORE_TIMEOUT, gpu_site, per_attempt


def get_run(wildcards):
    return Run.from_levels(wildcards)


def either(names):
    # A pattern that only these names match; without names, one that nothing matches.
    return "|".join(names) or "(?!)"


def temp_unless(keep, file):
    # An output that Snakemake removes once no job needs it, unless it is to be kept.
    return file if keep else temp(file)
