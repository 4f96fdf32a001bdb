import pytest
import yaml

from clipfair.core import paths
from clipfair.core.errors import UserError
from clipfair.plan.vocabularies import occupations, spell_out


def test_occupations_are_a_list_or_a_vocabulary():
    path = paths.ROOT / "resources/vocabulary/occupations.yaml"

    assert occupations("occupations") == tuple(yaml.safe_load(path.read_text())["values"])
    assert len(occupations("occupations")) == 60
    assert occupations(["nurse", "pilot"]) == ("nurse", "pilot")
    with pytest.raises(UserError, match=r"no vocabulary 'jobs'; known: .*occupations"):
        occupations("jobs")


def test_an_evaluation_spells_its_occupations_out():
    assert spell_out({"kind": "zero_shot"}) == {"kind": "zero_shot"}
    assert spell_out({"occupations": "occupations"}) == {"occupations": list(occupations("occupations"))}
    assert spell_out({"occupations": ["nurse"]}) == {"occupations": ["nurse"]}
