"""write_model_card: the model card and the training curves of one batch, all seeds together."""

import pandas as pd

from clipfair.core.errors import job_log
from clipfair.core.io import read_json
from clipfair.tables.common.figure_files import write_figure
from clipfair.tables.common.table_files import write_page
from clipfair.train.card import model_card, title_of
from clipfair.train.curves import draw_curves

with job_log(snakemake.log[0]):
    specs = [read_json(path) for path in snakemake.input.specs]
    runs = [spec["settings"]["run"] for spec in specs]
    figure = draw_curves(
        title_of(runs[0]),
        [run["seed"] for run in runs],
        [pd.read_csv(path) for path in snakemake.input.logs],
        [pd.read_csv(path) for path in snakemake.input.epochs],
    )
    data = snakemake.params.data
    write_figure(figure, snakemake.output.curves, data=data)
    write_page(snakemake.output.card, model_card(specs, curves="curves.png"), data, notes=[])
