import numpy as np
import pytest
import torch
from open_clip import CLIP
from PIL import Image
from safetensors.torch import save_file
from torch.nn import functional
from transformers import Blip2Config, Blip2ForImageTextRetrieval

from clipfair.core.errors import UserError
from clipfair.models import blip2, tokenizers
from clipfair.models.blip2 import make_blip2, make_tokenizer
from clipfair.models.build import build, load_weights
from clipfair.models.interface import pixels_of
from tests.blip2_original import original

QFORMER = {
    "hidden_size": 16,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
    "intermediate_size": 32,
    "cross_attention_frequency": 2,
    "max_position_embeddings": 16,
}
WORDS = ["a", "clear", "disc", "glaucoma", "no", "of", "sign"]


@pytest.fixture(autouse=True)
def words(tmp_path, monkeypatch):
    monkeypatch.setattr(tokenizers, "WORDS", tmp_path)
    tokenizers.read_words.cache_clear()
    (tmp_path / "tiny.txt").write_text("\n".join(WORDS))
    yield
    tokenizers.read_words.cache_clear()


def entry(**other):
    tiny = {"tokens": 2, "queries": 3, "dim": 5, "qformer": QFORMER, "length": 7}
    return {**tiny, "tokenizer": {"kind": "words", "words": "tiny"}, **other}


def clip(seed=0):
    torch.manual_seed(seed)
    return CLIP(
        4,
        {"layers": 3, "width": 8, "head_width": 4, "patch_size": 8, "image_size": 16},
        {"context_length": 7, "vocab_size": 20, "width": 8, "heads": 2, "layers": 1},
    )


def made(seed=0, **other):
    torch.manual_seed(seed)
    model, tokenizer = make_blip2(entry(**other), clip(seed).visual)
    return model.eval(), tokenizer


def pixels(n=2):
    return torch.randn(n, 3, 16, 16, generator=torch.Generator().manual_seed(0))


def test_its_visual_is_a_trunk_and_a_head():
    model, tokenizer = made()
    features = model.visual.trunk(pixels())
    assert features.shape == (2, 16)
    assert torch.equal(model.visual.head(features), model.encode_image(pixels()))
    assert model.encode_image(pixels(), normalize=True).norm(dim=1).tolist() == pytest.approx([1, 1])
    texts = tokenizer(["no sign of glaucoma", "a clear disc"])
    assert model.encode_text(texts, normalize=True).norm(dim=1).tolist() == pytest.approx([1, 1])
    assert model.logit_scale.exp().item() == pytest.approx(1 / 0.07)


def test_the_trunk_is_the_mean_over_the_queries():
    model, _ = made()
    seen = model.visual.trunk.image_tokens(pixels())
    assert torch.equal(model.visual.trunk(pixels()), model.visual.trunk.read(seen).mean(dim=1))
    assert model.visual.trunk.read(seen).shape == (2, 3, 16)


def test_queries_are_embedded_one_by_one():
    model, _ = made()
    seen = model.visual.trunk.image_tokens(pixels())
    found = model.embed_queries(seen)
    projected = model.visual.head(model.visual.trunk.read(seen))
    assert found.shape == (2, 3, 5)
    torch.testing.assert_close(found * projected.norm(dim=-1, keepdim=True), projected)


def test_image_tokens_are_those_after_a_block():
    """As the original: every token of the last block but one, without the tower's last layer norm."""
    tower = clip().visual.eval()
    found = []
    hook = tower.transformer.resblocks[1].register_forward_hook(lambda module, given, out: found.append(out))
    with torch.no_grad():
        tower(pixels())
    hook.remove()
    model, _ = made()
    image_tokens = model.visual.trunk.image_tokens
    expected = found[0] if tower.transformer.batch_first else found[0].transpose(0, 1)
    assert torch.allclose(image_tokens(pixels()), image_tokens.norm(expected), atol=1e-6)
    assert image_tokens(pixels()).shape == (2, 5, 8)


def test_the_tower_is_frozen_and_stays_in_evaluation_mode():
    model, _ = made()
    model.train()
    tower = model.visual.trunk.image_tokens.tower
    assert not tower.training
    model.encode_image(pixels()).sum().backward()
    assert all(value.grad is None and not value.requires_grad for value in tower.parameters())
    assert model.visual.trunk.image_tokens.norm.weight.grad is not None


def test_a_small_tower_gives_its_feature_map():
    from clipfair.models.small_clip import SmallImageTower

    torch.manual_seed(0)
    tower = SmallImageTower(4, 6)
    model, _ = make_blip2(entry(tokens=None), tower)
    seen = model.visual.trunk.image_tokens
    images = torch.randn(2, 3, 32, 32)
    pooled = seen.tokens_of(images).amax(dim=1)
    assert torch.allclose(tower.norm(pooled) @ tower.proj, tower(images), atol=1e-6)


def test_it_equals_the_retrieval_model_of_transformers():
    """With the same weights, on the same image tokens: similarity and matching are theirs."""
    model, tokenizer = made()
    vision = {
        "hidden_size": 8,
        "intermediate_size": 8,
        "num_hidden_layers": 1,
        "num_attention_heads": 2,
        "image_size": 16,
        "patch_size": 8,
    }
    qformer = {**QFORMER, "vocab_size": 11, "encoder_hidden_size": 8, "use_qformer_text_input": True}
    config = Blip2Config(
        vision_config=vision,
        qformer_config=qformer,
        num_query_tokens=3,
        image_text_hidden_size=5,
        image_token_index=None,
    )
    theirs = Blip2ForImageTextRetrieval(config).eval()
    theirs.qformer.load_state_dict(model.visual.trunk.qformer.state_dict())
    theirs.embeddings.load_state_dict(model.embeddings.state_dict())
    theirs.query_tokens.data = model.visual.trunk.queries.data
    for name, part in (
        ("vision_projection", model.visual.head),
        ("text_projection", model.text_head),
        ("itm_head", model.match_head),
    ):
        getattr(theirs, name).load_state_dict(part.state_dict())
    seen = model.visual.trunk.image_tokens(pixels())
    theirs.vision_model.forward = lambda **given: (seen,)
    texts = tokenizer(["no sign of glaucoma", "a clear disc"])
    given = {"pixel_values": pixels(), "input_ids": texts, "attention_mask": (texts != 0).long()}
    with torch.no_grad():
        matched = theirs(**given, use_image_text_matching_head=True, return_dict=True).logits_per_image
        assert torch.allclose(model.match(seen, texts), matched, atol=1e-5)
        read = theirs(**given, return_dict=True).text_embeds
        assert torch.allclose(model.encode_text(texts, normalize=True), read, atol=1e-5)


def test_a_word_is_generated_from_the_image_and_earlier_words():
    model, tokenizer = made()
    seen = model.visual.trunk.image_tokens(pixels(1)).detach()
    texts = tokenizer(["a clear disc of glaucoma"])
    changed = texts.clone()
    changed[0, 3] = 1
    logits, again = model.generate(seen, texts), model.generate(seen, changed)
    assert logits.shape == (1, 7, model.tokens.vocabulary_size)
    assert torch.allclose(logits[:, :3], again[:, :3], atol=1e-6)
    assert not torch.allclose(logits[:, 3], again[:, 3], atol=1e-4)
    (gradient,) = torch.autograd.grad(model.generate(seen.requires_grad_(), texts)[0, 0, 0], seen)
    assert gradient.abs().max() > 0


def test_queries_do_not_attend_to_generated_words():
    """Their states are those of the image alone, as with the original's cached keys."""
    model, tokenizer = made()
    seen = model.visual.trunk.image_tokens(pixels(1)).detach()
    found = []
    hook = model.visual.trunk.qformer.register_forward_hook(
        lambda module, given, out: found.append(out.last_hidden_state[:, :3])
    )
    model.generate(seen, tokenizer(["a clear disc"]))
    hook.remove()
    assert torch.allclose(found[0], model.visual.trunk.read(seen), atol=1e-5)


def test_padding_a_text_changes_nothing():
    model, tokenizer = made()
    texts = tokenizer(["a disc"])
    seen = model.visual.trunk.image_tokens(pixels(1)).detach()
    short = texts[:, :5]
    assert torch.allclose(model.encode_text(texts), model.encode_text(short), atol=1e-6)
    assert torch.allclose(model.match(seen, texts), model.match(seen, short), atol=1e-6)
    assert torch.allclose(model.generate(seen, texts)[:, :4], model.generate(seen, short)[:, :4], atol=1e-6)


def test_it_starts_from_the_tower_of_a_clip():
    other = clip(seed=1)
    model, _ = made()
    model.load_state_dict(other.state_dict())
    tower = model.visual.trunk.image_tokens.tower
    assert torch.equal(tower.conv1.weight, other.visual.conv1.weight)
    whole, _ = made(seed=2)
    whole.load_state_dict(model.state_dict())
    assert torch.equal(whole.encode_image(pixels()), model.encode_image(pixels()))


# --- texts ------------------------------------------------------------------------------------


def test_words_between_start_and_end():
    tokenize, tokens = make_tokenizer({"kind": "words", "words": "tiny"}, 6)
    start, end = tokens.start, tokens.end
    assert tokenize(["no disc", "a clear disc of no sign", ""]).tolist() == [
        [start, 5, 3, end, 0, 0],
        [start, 1, 2, 3, 6, end],
        [start, end, 0, 0, 0, 0],
    ]
    assert len({tokens.pad, start, end, tokens.decode, *range(1, 8)}) == tokens.vocabulary_size == 11


def test_texts_are_processed_before_they_are_split():
    _, plain = made()
    _, processing = made(caption_words=3)
    assert torch.equal(processing(["NO (clear) disc. of glaucoma"]), plain(["no clear disc"]))


def test_images_are_squashed_bicubically_if_the_entry_says_so():
    """As LAVIS: the whole image; without it, the tower's own preparation."""
    tower = {"kind": "small", "width": 4, "dim": 6, "words": "tiny", "length": 5, "size": 32}
    values = np.random.default_rng(0).integers(0, 256, (40, 64, 3), dtype=np.uint8)
    image = Image.fromarray(values)
    settings = {"kind": "blip2", **entry(tokens=None), "tower": tower}
    for resize, filtered in ((None, Image.Resampling.BILINEAR), ("squash-bicubic", Image.Resampling.BICUBIC)):
        built = build({**settings, "resize": resize}, None, 0)
        expected = image.resize((32, 32), filtered)
        assert np.array_equal(np.array(built.resize(image)), np.array(expected))
        assert torch.equal(built.preprocess(image), built.normalise(pixels_of(expected)[None])[0])
        assert built.resizing == (resize or "squash")


def test_bert_pieces(tmp_path):
    path = tmp_path / "vocab.txt"
    path.write_text("\n".join(["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "no", "sign", "##s"]))
    tokenize, tokens = make_tokenizer({"kind": "bert", "vocabulary": str(path)}, 6)
    assert tokenize(["No signs", "no no no no no no"]).tolist() == [[2, 5, 6, 7, 3, 0], [2, 5, 5, 5, 5, 3]]
    assert tokens == blip2.SpecialTokens(vocabulary_size=9, pad=0, start=2, end=3, decode=8)
    with pytest.raises(UserError, match=r"no such vocabulary; copy the vocab.txt of bert-base-uncased there"):
        make_tokenizer({"kind": "bert", "vocabulary": str(tmp_path / "none.txt")}, 6)


# --- the published checkpoint -----------------------------------------------------------------


def test_an_original_checkpoint_gives_the_same_model():
    first, tokenizer = made(seed=0)
    second, _ = made(seed=1)
    second.load_state_dict(original(first))
    texts = tokenizer(["no sign of glaucoma"])
    seen = first.visual.trunk.image_tokens(pixels(1))
    assert torch.equal(first.visual.trunk(pixels()), second.visual.trunk(pixels()))
    assert torch.equal(first.encode_text(texts), second.encode_text(texts))
    assert torch.equal(first.generate(seen, texts), second.generate(seen, texts))
    assert torch.equal(first.match(seen, texts), second.match(seen, texts))


def test_another_checkpoint_is_refused(tmp_path):
    model, _ = made()
    path = tmp_path / "blip2.safetensors"
    whole = {name: value.clone() for name, value in original(model).items()}
    for state, message in (
        ({name: value for name, value in whole.items() if name != "temp"}, r'Missing key.*"temp"'),
        (whole | {"opt_proj.weight": torch.zeros(1)}, r'Unexpected key.*"opt_proj\.weight"'),
        (whole | {"temp": torch.zeros(2)}, "size mismatch for temp"),
    ):
        save_file(state, path)
        with pytest.raises(UserError, match=rf"not the weights of this model \(.*{message}"):
            load_weights(model, str(path))


def test_a_tower_without_tokens_is_refused():
    with pytest.raises(UserError, match="Linear has no tokens"):
        make_blip2(entry(), torch.nn.Linear(1, 1))
    with pytest.raises(UserError, match="tokens: 4; expected a block from 1 to 3"):
        made(tokens=4)


def test_word_head_is_the_original_heads_formula():
    model, _ = made()
    hidden = torch.randn(2, 16)
    head, words = model.word_head, model.embeddings.word_embeddings
    transformed = functional.layer_norm(
        functional.gelu(hidden @ head.dense.weight.T + head.dense.bias),
        (16,),
        head.norm.weight,
        head.norm.bias,
        1e-12,
    )
    assert torch.allclose(head(hidden, words), transformed @ words.weight.T + head.bias, atol=1e-6)
