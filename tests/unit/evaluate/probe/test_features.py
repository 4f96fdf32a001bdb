"""The features of BLIP2 and of other models, dropout, and BLIP2's zero-shot classification."""

import pytest
import torch

from clipfair.core.errors import UserError
from clipfair.evaluate.probe.features import active_dropout, best_query_probability, extractor, own_texts
from clipfair.models import tokenizers
from clipfair.models.build import build
from clipfair.train.kinds.blip2 import similarities

TOWER = {"kind": "small", "width": 4, "dim": 6, "words": "tiny", "length": 5, "size": 32}
QFORMER = {
    "hidden_size": 16,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
    "intermediate_size": 32,
    "max_position_embeddings": 16,
    "hidden_dropout_prob": 0.1,
}
BLIP2 = {
    "kind": "blip2",
    "tower": TOWER,
    "queries": 3,
    "dim": 5,
    "length": 7,
    "tokenizer": {"kind": "words", "words": "tiny"},
    "qformer": QFORMER,
}


@pytest.fixture(autouse=True)
def words(tmp_path, monkeypatch):
    monkeypatch.setattr(tokenizers, "WORDS", tmp_path)
    tokenizers.read_words.cache_clear()
    (tmp_path / "tiny.txt").write_text("glaucoma\nno")
    yield
    tokenizers.read_words.cache_clear()


@pytest.fixture
def built():
    found = build(BLIP2, None, 0)
    found.model.eval()
    return found


@pytest.fixture
def images():
    return torch.randn(4, 3, 32, 32, generator=torch.Generator().manual_seed(0))


def test_the_readings_of_the_queries(built, images):
    with torch.no_grad():
        found = {
            name: extractor(built.model, name)(images)
            for name in ("first-query", "max-query", "all-queries", "pre-logits")
        }
    queries = found["all-queries"].view(4, 3, 16)
    torch.testing.assert_close(found["first-query"], queries[:, 0])
    torch.testing.assert_close(found["max-query"], queries.max(dim=1).values)
    torch.testing.assert_close(found["pre-logits"], queries.mean(dim=1))


def test_a_feature_that_a_model_lacks_is_an_error():
    model = build(TOWER, None, 0).model
    for feature in ("pre-logits", "first-query"):
        with pytest.raises(UserError, match=f"the model has no feature '{feature}'"):
            extractor(model, feature)


def test_dropout_is_active_and_repeatable_and_ends_with_the_block(built, images):
    """The features move, the same generator gives them again, torch's own generator does not move."""
    extract, found = extractor(built.model, "pre-logits"), []
    before = torch.get_rng_state()
    with torch.no_grad():
        for _ in range(2):
            with active_dropout(built.model, torch.Generator().manual_seed(1)):
                assert not built.model.visual.trunk.image_tokens.tower.training
                found.append(extract(images))
        plain = extract(images)
    assert torch.equal(found[0], found[1])
    assert (found[0] - plain).norm() > 0.05 * plain.norm()
    assert not built.model.training
    assert torch.equal(torch.get_rng_state(), before)


def test_the_best_query_decides_with_the_similarity_of_the_first_stage(built, images):
    prompts = built.tokenizer(["no glaucoma", "glaucoma"])
    with torch.no_grad():
        seen = built.model.visual.trunk.image_tokens(images)
        expected = similarities(built.model, seen, prompts).softmax(dim=1)[:, 1]
        found = best_query_probability(built, images, prompts)
    torch.testing.assert_close(found, expected.double(), rtol=1e-5, atol=1e-7)
    with pytest.raises(UserError, match="needs a model of kind blip2"):
        best_query_probability(build(TOWER, None, 0), images, prompts)


def test_texts_are_processed_then_cut():
    table = {"captions": [["No sign (of) Glaucoma."]]}
    assert own_texts(table, {}) is None
    assert own_texts(table, {"captions": "all"}) == ["No sign (of) Glaucoma."]
    settings = {"captions": "all", "caption_words": 3, "max_characters": 9}
    assert own_texts(table, settings) == ["no sign"]
