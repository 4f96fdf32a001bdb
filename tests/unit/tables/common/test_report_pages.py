import pandas as pd

from clipfair.tables.common.report_pages import render, render_comparison, write_comparisons, write_pages
from clipfair.tables.common.table_files import write_comparison

PAGE = "# Table 5\n\nIn percent.\n\n| a | b |\n|---|---|\n| **1** | <img src='data:,'> |\n"


def test_a_page_becomes_self_contained_html_with_its_table_and_images():
    text = render(PAGE)
    assert "<title>Table 5</title>" in text
    assert "<td><strong>1</strong></td>" in text
    assert "<img src='data:,'>" in text
    assert "http" not in text


def test_pages_are_kept_apart_by_paper(tmp_path):
    for paper in ("m4", "fairclip"):
        (tmp_path / paper).mkdir()
        (tmp_path / paper / "table5.md").write_text(f"# {paper}\n")
    write_pages([str(path) for path in tmp_path.glob("*/table5.md")], str(tmp_path / "pages"))
    assert "<title>m4</title>" in (tmp_path / "pages/m4/table5.html").read_text()
    assert "<title>fairclip</title>" in (tmp_path / "pages/fairclip/table5.html").read_text()


COMPARED = pd.DataFrame(
    {
        "row": ["m4", "<b>"],
        "mean": [1.23456789, 2.0],
        "published_mean": [1.5, None],
        "verdict": ["differs", "x"],
    }
)


def test_compared_values_are_a_table_with_highlighted_verdicts():
    text = render_comparison(COMPARED, "table5")
    assert '<td>m4</td><td>1.235</td><td>1.5</td><td class="differs">differs</td>' in text
    assert "<td>&lt;b&gt;</td><td>2</td><td></td><td>x</td>" in text
    assert "<th>published mean</th>" in text


def test_comparisons_have_the_names_of_their_tables(tmp_path):
    (tmp_path / "m4").mkdir()
    write_comparison(tmp_path / "m4/table5.compare.csv", COMPARED, "synthetic")
    write_comparisons([str(tmp_path / "m4/table5.compare.csv")], str(tmp_path / "compared"))
    page = (tmp_path / "compared/m4/table5.html").read_text()
    assert "<h1>table5: ours and published (synthetic data)</h1>" in page
    assert page.count("<td>synthetic</td>") == len(COMPARED)
