from clipfair.core.errors import unknown


def test_an_unknown_name_comes_with_the_known_ones_and_the_nearest():
    known = ["seeds", "study"]
    assert unknown("key", "sead", known) == "unknown key 'sead' (did you mean 'seeds'?); known: seeds, study"


def test_nothing_close_gives_no_hint_and_nothing_known_says_so():
    assert unknown("table", "zzz", ["m4/table5"]) == "unknown table 'zzz'; known: m4/table5"
    assert unknown("table", "zzz", []) == "unknown table 'zzz'; known: none"
