import subprocess
import sys

import pytest

from clipfair.core import paths
from clipfair.evaluate.prompts import TextSet, canonicalise, expand


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("African_crocodile", "african crocodile"),
        ("a photo of a {}.", "a photo of a"),
        ("Jack-o'-lantern,  2nd", "jackolantern 2nd"),
        ("", ""),
        (" \tA\nB ", "a b"),
    ],
)
def test_canonical_text_has_no_punctuation_no_capitals_single_spaces(text, expected):
    assert canonicalise(text) == expected
    assert canonicalise(canonicalise(text)) == expected


def test_clip_templates_are_the_81_of_open_clip():
    from open_clip.zero_shot_metadata import OPENAI_IMAGENET_TEMPLATES

    [sentences] = expand(TextSet(("House_cat",), "clip", canonical=True))

    assert len(sentences) == 81
    assert sentences[-1] == "house cat"
    assert sentences[:80] == tuple(canonicalise(t("House cat")) for t in OPENAI_IMAGENET_TEMPLATES)


def test_names_of_imagenet_are_those_of_open_clip():
    from open_clip.zero_shot_metadata import IMAGENET_CLASSNAMES

    assert [several[0] for several in expand(TextSet("imagenet"))] == list(IMAGENET_CLASSNAMES)


def test_templates_need_not_import_torch():
    code = (
        "import sys, clipfair.evaluate.prompts as p; p.expand(p.TextSet('imagenet', 'clip')); "
        "print(*sys.modules)"
    )
    environment = {"PYTHONPATH": str(paths.ROOT / "src")}

    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env=environment)
    assert "clipfair.evaluate.prompts" in found.stdout.split()
    assert "torch" not in found.stdout.split()


def test_several_texts_of_one_name_and_templates_multiply():
    texts = TextSet((("a man", "a boy"), "a nurse"), ("{}", "photo of {}"))

    assert expand(texts) == [
        ("a man", "photo of a man", "a boy", "photo of a boy"),
        ("a nurse", "photo of a nurse"),
    ]


def test_texts_that_are_not_canonical_stay_as_they_are():
    assert expand(TextSet(("", "A {odd} Text."))) == [("",), ("A {odd} Text.",)]


def test_digest_is_that_of_names_templates_and_form():
    digests = {
        TextSet(names, templates, canonical).digest
        for names in (("a", "b"), ("b", "a"), (("a", "b"),))
        for templates in (("{}",), "clip")
        for canonical in (False, True)
    }
    assert len(digests) == 12
    assert TextSet(("a", "b")).digest == TextSet(("a", "b")).digest
