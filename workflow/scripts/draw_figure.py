"""draw_figure: one figure of a paper from its table."""

from importlib import import_module

from clipfair.core.errors import job_log
from clipfair.tables.common.figure_files import write_figure
from clipfair.tables.common.table_files import read_table

with job_log(snakemake.log[0]):
    params = snakemake.params
    figure = import_module(f"clipfair.tables.{snakemake.wildcards.paper}.{params.figure}_figure")
    write_figure(figure.draw(read_table(snakemake.input.table)), *snakemake.output, data=params.data)
