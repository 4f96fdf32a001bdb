"""Paired differences between a method and its switched variants."""

import pytest
from scipy import stats

from clipfair.tables.fairclip import switches, switches_figure
from tests.unit.tables.drawing import svg_of
from tests.unit.tables.fairclip.synthetic_records import GRIDS, ROWS, planted, read_runs, settings

SWITCHES = {name: ROWS[name] for name in ("fairclip-released", "fairclip-corrected", "a-fairclip")}


def test_a_switch_is_the_paired_difference_to_the_base(records):
    given = settings("fairclip/switches", rows=SWITCHES, base="fairclip-released")
    table, compared, page = switches.build(records, None, given)
    assert compared is None
    raw = records[(records["metric"] == "dpd") & (records["label"] == records["attr"])]
    by_seed = raw.groupby(["method", "seed"])["value"].mean()
    pairs = 100 * (by_seed["a-fairclip"] - by_seed["fairclip-released"])
    [entry] = table[(table["method"] == "a-fairclip") & (table["measure"] == "dpd")].itertuples()
    assert entry.difference == pytest.approx(pairs.mean())
    assert (entry.low, entry.high) == pytest.approx(
        stats.t.interval(0.95, 2, pairs.mean(), stats.sem(pairs)), rel=1e-9
    )
    assert entry.n == 3
    assert entry.p == 0.25  # the smallest of three seeds
    assert set(table["method"]) == {"fairclip-corrected", "a-fairclip"}
    assert "“FairCLIP as released”" in page


def test_a_planted_difference_is_found_and_bold(tmp_path):
    def change(run, row):
        switched = 0.1 if run.method == "fairclip-corrected" else 0
        noise = 1e-4 * (run.seed + len(run.method))
        if row["metric"].startswith("distance"):
            return 10 ** (20 * switched) * (1 + noise)
        return 0.5 + switched + noise * run.seed

    grids = {name: {**entry, "seeds": list(range(12))} for name, entry in GRIDS.items()}
    records = read_runs(tmp_path, grids, planted(change))
    given = settings("fairclip/switches", grids=grids, rows=SWITCHES, base="fairclip-released")
    table, _, page = switches.build(records, None, given)
    lines = table.set_index(["method", "measure"])
    assert lines.loc[("fairclip-corrected", "dpd"), "difference"] == pytest.approx(10, abs=0.1)
    assert lines.loc[("fairclip-corrected", "distance_wasserstein"), "difference"] == pytest.approx(
        2, abs=0.01
    )
    assert lines.loc[("fairclip-corrected", "auc"), "p_holm"] < 0.05
    assert "**+10.0" in page


def test_the_figure_of_switches_is_the_same_every_time(records, tmp_path):
    given = settings("fairclip/switches", rows=SWITCHES, base="fairclip-released")
    table, _, _ = switches.build(records, None, given)
    text = svg_of(tmp_path, table, switches_figure.draw)
    assert all(label in text for label in ("FairCLIP corrected", "A-FairCLIP", "log10 ratio", "points"))
