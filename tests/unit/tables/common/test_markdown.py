from clipfair.tables.common.markdown import (
    estimate_with_interval,
    mark_page,
    markdown_table,
    mean_and_std,
    number,
    p_value_text,
    percent,
    plain,
)

NAN = float("nan")


def test_every_heading_and_table_header_of_a_page_has_the_kind_of_data_and_notes_follow_the_title():
    table = markdown_table(["a", "b"], [["1", "2"]])
    page = "\n".join(["# Title", "", "text", "", "## Part", "", *table, ""])
    marked = mark_page(page, "synthetic", ["Synthetic data: adult.", "Partial data."])
    assert marked.split("\n") == [
        "# Title (synthetic data)",
        "",
        "**Synthetic data: adult.**",
        "",
        "**Partial data.**",
        "",
        "text",
        "",
        "## Part (synthetic data)",
        "",
        "| a (synthetic) | b |",
        "| --- | --- |",
        "| 1 | 2 |",
        "",
    ]


def test_a_first_header_cell_may_be_empty_or_have_a_bar():
    for cell, marked in (("", "| (real) |"), ("|p|", "| \\|p\\| (real) |")):
        head, _, row = mark_page("\n".join(markdown_table([cell, "b"], [["1", "2"]])), "real", []).split("\n")
        assert head == f"{marked} b |"
        assert row == "| 1 | 2 |"


def test_a_cell_stays_in_its_column():
    head, rule, row = markdown_table(["a", "b"], [["x | y", "two\nlines"]])
    assert (head, rule) == ("| a | b |", "| --- | --- |")
    assert row == "| x \\| y | two lines |"


def test_numbers_and_undefined_values():
    assert percent(0.1234) == "12.3"
    assert number(0.5, decimals=2, sign="+") == "+0.50"
    assert number(NAN) == percent(NAN) == "-"
    assert mean_and_std(0.5, 0.125, scale=100) == "50.0 ± 12.5"
    assert mean_and_std(0.5, NAN) == "0.5"
    assert estimate_with_interval(1.0, -0.5, 2.5) == "+1.00 [-0.50, +2.50]"
    assert estimate_with_interval(-1.0, NAN, NAN) == "-1.00"
    assert estimate_with_interval(NAN, NAN, NAN) == "-"
    assert (p_value_text(0.0312), p_value_text(1.2e-7), p_value_text(NAN)) == ("0.031", "1e-07", "-")


def test_text_from_a_dataset_is_not_read_as_html():
    assert plain("<PERSON> & co") == "&lt;PERSON&gt; &amp; co"
