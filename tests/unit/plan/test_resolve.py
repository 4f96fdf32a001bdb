"""`like`, a study's own grids, and its roles."""

import pytest

from clipfair.core.settings import Violation
from clipfair.plan.resolve import check_roles, resolve, resolve_like


def test_settings_are_taken_over_key_by_key_and_the_own_ones_come_last():
    entries = {
        "a": {"settings": {"x": {"old": 1}, "y": 1, "z": 1}},
        "b": {"like": "a", "settings": {"x": {"new": 2}, "w": 2}},
        "c": {"like": "b", "settings": {"y": 3}},
        "d": {"like": "c"},
        "e": {"like": "a", "settings": None},
    }
    found = {name: entry["settings"] for name, entry in resolve_like(entries, "generated").items()}
    assert found["b"] == {"y": 1, "z": 1, "x": {"new": 2}, "w": 2}
    assert list(found["b"]) == ["y", "z", "x", "w"]
    assert found["c"] == found["d"] == {"z": 1, "x": {"new": 2}, "w": 2, "y": 3}
    assert found["e"] is None
    assert entries["a"]["settings"] == {"x": {"old": 1}, "y": 1, "z": 1}


def test_a_contrast_has_the_parts_of_the_one_that_it_is_like():
    contrasts = {"Q.1": {"of": [{"lam": "$lam"}]}, "Q.2": {"like": "Q.1"}, "Q.3": {"like": "Q.4"}}
    tables = {"m4/a": {"grids": ["more"], "settings": {"contrasts": {**contrasts, "Q.4": {"of": []}}}}}
    found = resolve({**CONFIG, "tables": tables})["tables"]["m4/a"]["settings"]["contrasts"]
    assert found == {name: {"of": [{"lam": 0.07}]} for name in ("Q.1", "Q.2")} | {
        name: {"of": []} for name in ("Q.3", "Q.4")
    }
    tables["m4/a"]["settings"]["contrasts"] = contrasts
    with pytest.raises(Violation, match=r"unknown entry of contrasts 'Q\.4' \(did you mean") as caught:
        resolve({**CONFIG, "tables": tables})
    assert caught.value.key == ("tables", "m4/a", "settings", "contrasts", "Q.3", "like")


def test_an_entry_has_its_own_baseline():
    entries = {"a": {"baseline": "plain", "x": 1}, "b": {"like": "a", "y": 2}}
    assert resolve_like(entries, "methods")["b"] == {"x": 1, "y": 2}


def test_an_entry_has_the_keys_of_the_one_that_it_is_like_and_chains_are_followed():
    entries = {
        "c": {"like": "b", "z": {"new": 1}},
        "b": {"like": "a", "y": 2},
        "a": {"name": "A", "x": 1, "y": 1, "z": {"old": 1}},
    }
    assert resolve_like(entries, "recipes") == {
        "c": {"x": 1, "y": 2, "z": {"new": 1}},
        "b": {"x": 1, "y": 2, "z": {"old": 1}},
        "a": entries["a"],
    }


@pytest.mark.parametrize(
    ("entries", "message"),
    [
        ({"a": {"like": "b"}, "bb": {}}, "unknown entry of recipes 'b' (did you mean 'bb'?); known: bb"),
        ({"small-98": {"like": "small-99"}, "x": {}}, "unknown entry of recipes 'small-99'; known: x"),
        ({"a": {"like": "a"}}, "a is like a: a circle; give one of them its own keys"),
        (
            {"a": {"like": "b"}, "b": {"like": "c"}, "c": {"like": "b"}},
            "a is like b is like c is like b: a circle",
        ),
        ({"a": {"like": ["b"]}}, "unknown entry of recipes"),
    ],
)
def test_like_that_leads_nowhere(entries, message):
    with pytest.raises(Violation) as caught:
        resolve_like(entries, "recipes")
    assert caught.value.key[::2] == ("recipes", "like")
    assert caught.value.message.startswith(message)


CONFIG = {
    "study": "mine",
    "grids": {
        "base": {"dataset": "$pairs", "models": ["first", "$models"], "lams": ["$lam"], "seeds": [0]},
        "more": {"like": "base", "seeds": [1]},
        "unused": {"dataset": "$elsewhere"},
    },
    "tables": {
        "m4/a": {"grids": ["more"], "settings": {"claims": [{"shown": ["$models"]}]}},
        "m4/b": {"annotations": ["$elsewhere"]},
    },
    "studies": {
        "mine": {
            "roles": {"pairs": "web", "models": ["second", "third"], "lam": 0.07},
            "grids": {"base": {"seeds": [5, 6], "recipe": "fast"}, "own": {"like": "base"}},
            "tables": ["m4/a"],
        }
    },
}


def test_roles_are_put_in_where_the_tables_of_the_study_lead():
    found = resolve(CONFIG)
    assert found["grids"]["more"] == {
        "dataset": "web",
        "models": ["first", "second", "third"],
        "lams": [0.07],
        "recipe": "fast",
        "seeds": [1],
    }
    assert found["tables"]["m4/a"]["settings"] == {"claims": [{"shown": ["second", "third"]}]}
    # Another study may bind these.
    assert found["grids"]["unused"] == {"dataset": "$elsewhere"}
    assert found["tables"]["m4/b"] == {"annotations": ["$elsewhere"]}


def test_a_grid_of_the_study_replaces_keys_before_like_is_followed():
    found = resolve(CONFIG)
    assert found["grids"]["own"]["seeds"] == [5, 6]
    assert found["grids"]["more"]["recipe"] == "fast"
    assert CONFIG["grids"]["base"]["seeds"] == [0]


def test_a_role_that_the_study_does_not_bind():
    config = {**CONFIG, "studies": {"mine": {"roles": {"pair": "web"}, "tables": ["m4/a"]}}}
    with pytest.raises(Violation) as caught:
        resolve(config)
    assert caught.value.key[0] in ("tables", "grids")
    assert "unknown role of study mine" in caught.value.message
    config["studies"]["mine"]["roles"] = {"models": [], "pair": "web", "lam": 1}
    with pytest.raises(Violation, match=r"'\$pairs' \(did you mean '\$pair'\?\)"):
        resolve(config)
    config["studies"]["mine"]["roles"] = {}
    with pytest.raises(Violation, match=r"'\$\w+'; known: none; bind \w+ in studies\.mine\.roles$"):
        resolve(config)


def test_a_role_that_nothing_names():
    typo = {**CONFIG, "studies": {"mine": {"roles": {"lams": [5]}, "grids": {"own": {"models": ["$only"]}}}}}
    with pytest.raises(
        Violation, match=r"unknown role 'lams' \(did you mean 'lam'\?\); known: elsewhere, "
    ) as caught:
        check_roles(typo, [typo])
    assert caught.value.key == ("studies", "mine", "roles", "lams")
    typo["studies"]["mine"]["roles"] = {"only": 1, "elsewhere": "web"}
    check_roles(typo, [typo])
    # One file names it, and another replaces the list.
    check_roles({**typo, "grids": {}, "tables": {}}, [typo, {"grids": {"unused": {"dataset": "web"}}}])


def test_a_study_that_is_not_there():
    with pytest.raises(Violation, match=r"unknown study 'min' \(did you mean 'mine'\?\); known: mine"):
        resolve({**CONFIG, "study": "min"})


def test_a_study_has_the_roles_of_the_one_that_it_is_like_and_its_other_parts_where_it_has_none():
    fuller = {"like": "mine", "roles": {"lam": 0.5}, "grids": {"base": {"seeds": [7]}}}
    found = resolve({**CONFIG, "study": "fuller", "studies": {**CONFIG["studies"], "fuller": fuller}})
    assert found["studies"]["fuller"]["tables"] == ["m4/a"]
    assert found["grids"]["base"] == CONFIG["grids"]["base"] | {
        "dataset": "web",
        "models": ["first", "second", "third"],
        "lams": [0.5],
        "seeds": [7],
    }
    assert "own" not in found["grids"]
