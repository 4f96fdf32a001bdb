from clipfair.tables.html import render, write_pages

PAGE = "# Table 5\n\nIn percent.\n\n| a | b |\n|---|---|\n| **1** | <img src='data:,'> |\n"


def test_a_page_becomes_html_with_its_table_and_pictures_and_needs_nothing_beside_it():
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
