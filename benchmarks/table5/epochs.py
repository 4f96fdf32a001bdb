"""Validation log-loss of Table 5's baseline by number of epochs, on training rows only.

    PYTHONPATH=src python benchmarks/table5/epochs.py

needs the prepared tables (they are made with Table 5) and writes epochs.csv next to this file. For each of
five seeds the rows for testing of that repeat are put aside. The others are split again, three quarters for
fitting and one for validation. Each number of epochs is fitted from the start, with the repeat's seed.
"""

from pathlib import Path

import pandas as pd
from sklearn.metrics import log_loss
from threadpoolctl import threadpool_limits

from clipfair.core.paths import ROOT
from clipfair.plan.loading import load_study
from clipfair.tables.common.table_files import write_table
from clipfair.tabular.classifier import make_classifier
from clipfair.tabular.protocol import Protocol, split, split_data

_EPOCHS = (1, 2, 3, 4, 5, 6, 7, 8, 10, 12, 16, 20)
_SEEDS = range(5)


@threadpool_limits.wrap(limits=1, user_api="blas")
def main() -> None:
    """Measure both datasets."""
    plan = load_study("embedded")
    configuration = plan.configuration
    grid = plan.tabular_grids["table5"]
    classifier = configuration.classifiers[grid.classifier]
    rows = []
    for name in grid.tasks:
        task = configuration.tasks[name]
        table = pd.read_parquet(ROOT / plan.prepared_of(task.dataset))
        for seed in _SEEDS:
            training_rows, _ = split(len(table), test_share=grid.test_share, seed=seed)
            data = split_data(
                table.iloc[training_rows].reset_index(drop=True),
                label=task.label,
                sensitive=task.sensitive,
                protocol=Protocol(grid.test_share),
                seed=seed,
            )
            for epochs in _EPOCHS:
                settings = classifier.model_copy(update={"epochs": epochs})
                fitted = make_classifier(settings, seed=seed).fit(data.X_train, data.y_train)
                loss = log_loss(data.y_test, fitted.predict_proba(data.X_test))
                rows.append({"task": name, "seed": seed, "epochs": epochs, "log_loss": loss})
    write_table(Path(__file__).with_name("epochs.csv"), pd.DataFrame(rows), "real")


if __name__ == "__main__":
    main()
