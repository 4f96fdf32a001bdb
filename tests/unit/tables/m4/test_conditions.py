"""The table of conditions from audits."""

import numpy as np
import pandas as pd
import pytest

from clipfair.balance.conditions import make_condition
from clipfair.core.io import read_json
from clipfair.tables.m4.conditions import build


@pytest.fixture
def audits(tmp_path):
    generator = np.random.default_rng(0)
    man = generator.random(2000) < 0.6
    frame = pd.DataFrame(
        {
            "key": np.arange(2000).astype(str),
            "text.gender=man": man,
            "text.gender=woman": ~man,
            "text.occupation=nurse": generator.random(2000) < np.where(man, 0.1, 0.4),
            "human": True,
        }
    )
    frame.to_parquet(tmp_path / "shard.parquet")
    common = {"sensitive": ["gender"], "labels": ["occupation"]}
    conditions = {"baseline": ("all", common), "balanced": ("m4", common | {"rate": "max"})}
    paths = []
    for name, (kind, settings) in conditions.items():
        folder = tmp_path / "dataset~web" / f"balance~{name}"
        make_condition(
            [tmp_path / "shard.parquet"],
            kind=kind,
            settings=settings,
            seed=0,
            keep_path=folder / "keep.parquet",
            audit_path=folder / "audit.json",
            dual_path=folder / "dual.json",
        )
        paths.append(str(folder / "audit.json"))
    return paths


def test_a_row_has_the_values_of_its_audit(audits):
    frame, _ = build(audits)
    assert list(frame["balance"]) == ["baseline", "balanced"]
    assert set(frame["dataset"]) == {"web"}
    for path, entry in zip(audits, frame.to_dict("records"), strict=True):
        audit = read_json(path)
        assert entry["rate_realised"] == audit["rate"]["realised"]
        assert entry["association_bias_sample"] == audit["bias"]["sample"]["association_bias"]
    baseline, balanced = frame.to_dict("records")
    assert baseline["association_bias_before"] == baseline["association_bias_after"] > 0.2
    assert balanced["association_bias_after"] < 1e-9
    assert balanced["unsatisfied"] == 0
    assert np.isnan(baseline["unsatisfied"])


def test_the_page_has_a_row_per_condition_and_dashes_where_not_applicable(audits):
    _, page = build(audits)
    [baseline, balanced] = [
        line for line in page.splitlines() if line.startswith(("| baseline", "| balanced"))
    ]
    assert baseline.endswith("| - |")
    assert balanced.endswith("| 0 |")
