"""Links in the documentation are not dead, and YAML files that people edit are readable."""

import re
from collections import Counter
from functools import cache
from itertools import pairwise
from urllib.parse import unquote

import pytest
import yaml
from markdown_it import MarkdownIt

from tests.structure.source import ROOT

MAX_YAML_LINE = 110

PAGES = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md"), *ROOT.glob("benchmarks/**/*.md")])
CONFIGURATION = sorted(
    [
        *(ROOT / name for name in ("config.yaml", "slurm/config.yaml", "profiles/default/config.yaml")),
        *(ROOT / name for name in ("dvc.yaml", "heavy/dvc.yaml", "resources/published/mapping.yaml")),
        *ROOT.glob("config/**/*.yaml"),
        # Not those of vocabularies: annotations are made again if their bytes change.
        *ROOT.glob("resources/*.yaml"),
    ]
)


def name_of(path):
    return str(path.relative_to(ROOT))


@cache
def tokens_of(path):
    return MarkdownIt("commonmark").enable("table").parse(path.read_text(encoding="utf-8"))


def links_of(path):
    """Targets of all links and images of a page."""
    inline = [child for token in tokens_of(path) for child in token.children or ()]
    targets = [child.attrGet("href") or child.attrGet("src") for child in inline]
    return [target for target in targets if target]


@cache
def anchors_of(path):
    """The anchors of a page's headings, as GitHub writes them."""
    tokens = tokens_of(path)
    titles = [
        "".join(child.content for child in content.children if child.type in ("text", "code_inline"))
        for opening, content in pairwise(tokens)
        if opening.type == "heading_open"
    ]
    slugs = [re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-") for title in titles]
    seen = Counter()
    anchors = set()
    for slug in slugs:
        anchors.add(f"{slug}-{seen[slug]}" if seen[slug] else slug)
        seen[slug] += 1
    return anchors


def is_dead(page, target):
    """Whether a link to a file or a heading of the repository leads nowhere; other sites are not asked."""
    if re.match(r"[a-z]+:", target):
        return False
    file, _, anchor = unquote(target).partition("#")
    path = (page.parent / file).resolve() if file else page
    if not path.exists():
        return True
    return bool(anchor) and path.suffix == ".md" and anchor not in anchors_of(path)


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_no_link_is_dead(page):
    assert [target for target in links_of(page) if is_dead(page, target)] == []


def test_dead_links_are_found(tmp_path):
    (tmp_path / "other.md").write_text("# A *title*, with `code`\n\n# Twice\n\n# Twice\n")
    page = tmp_path / "page.md"
    dead = ["missing.md", "other.md#missing", "#missing"]
    alive = ["other.md", "other.md#a-title-with-code", "other.md#twice-1", "#here", "https://example.org/x"]
    page.write_text("# Here\n\n" + "\n".join(f"[text]({target})" for target in dead + alive))
    assert [target for target in links_of(page) if is_dead(page, target)] == dead


@pytest.mark.parametrize("path", CONFIGURATION, ids=name_of)
def test_yaml_lines_are_short_and_have_no_anchors(path):
    text = path.read_text(encoding="utf-8")
    assert [line for line in text.splitlines() if len(line) > MAX_YAML_LINE] == []
    assert not any(isinstance(token, yaml.AnchorToken | yaml.AliasToken) for token in yaml.scan(text))
