from clipfair.tables.common.page import markdown_table, number, percent, plain, with_notes


def test_notes_stand_under_the_title():
    page = with_notes("# Title\n\ntext\n", ["Partial data: adult."])
    assert page == "# Title\n\n**Partial data: adult.**\n\ntext\n"
    assert with_notes("# Title\n\ntext\n", []) == "# Title\n\ntext\n"


def test_a_cell_stays_in_its_column():
    head, rule, row = markdown_table(["a", "b"], [["x | y", "two\nlines"]])
    assert (head, rule) == ("| a | b |", "| --- | --- |")
    assert row == "| x \\| y | two lines |"


def test_numbers_and_what_is_undefined():
    assert percent(0.1234) == "12.3"
    assert number(0.5, decimals=2, sign="+") == "+0.50"
    assert number(float("nan")) == percent(float("nan")) == "-"


def test_text_of_others_is_no_markup():
    assert plain("<PERSON> & co") == "&lt;PERSON&gt; &amp; co"
