import os

import pytest

from clipfair.core import provenance
from clipfair.core.io import read_json, sha256_of
from clipfair.core.provenance import prepend_pythonpath, weights_digest, write_spec


def test_the_spec_describes_what_made_a_result(tmp_path):
    table = tmp_path / "table.parquet"
    table.write_bytes(b"rows")
    write_spec(
        tmp_path / "spec.json",
        made_by="evaluate_mitigation",
        code="abc",
        settings={"seeds": [0]},
        inputs={"table": str(table)},
    )
    spec = read_json(tmp_path / "spec.json")
    assert spec["settings"] == {"seeds": [0]}
    assert spec["inputs"]["table"]["sha256"] == sha256_of(table)
    assert set(spec["environment"]["packages"]) == set(provenance.PACKAGES)


def test_weights_are_known_by_their_bytes_or_by_what_they_are_drawn_from(tmp_path):
    path = tmp_path / "model.safetensors"
    path.write_bytes(b"weights")
    assert weights_digest({"kind": "small"}, path, 3) == sha256_of(path)
    random = weights_digest({"kind": "small"}, None, 3)
    assert random == weights_digest({"kind": "small"}, None, 3)
    assert random != weights_digest({"kind": "small"}, None, 4)
    assert random != weights_digest({"kind": "vit"}, None, 3)


@pytest.mark.parametrize("known", [[], ["/another"], ["/another", str(provenance.SOURCE)]])
def test_this_source_comes_first_on_pythonpath_and_once(monkeypatch, known):
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join(known))
    prepend_pythonpath()
    assert os.environ["PYTHONPATH"].split(os.pathsep) == [str(provenance.SOURCE), *known[:1]]
    assert (provenance.SOURCE / "clipfair/core/provenance.py").is_file()
