"""draw_figure: one figure of a paper from its table."""

from importlib import import_module

import pandas as pd

from clipfair.core.errors import job_log
from clipfair.tables.common.figure_files import write_figure

with job_log(snakemake.log[0]):
    figure = import_module(f"clipfair.tables.{snakemake.wildcards.paper}.{snakemake.params.figure}_figure")
    drawn = figure.draw(pd.read_csv(snakemake.input.table))
    for path in snakemake.output:
        write_figure(path, drawn)
