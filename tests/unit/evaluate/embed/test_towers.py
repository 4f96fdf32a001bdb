import numpy as np
import pytest
import torch

from clipfair.core.errors import UserError
from clipfair.evaluate.embed import towers
from clipfair.evaluate.embed.towers import encode_images, encode_texts, temperature, tokenise
from clipfair.models.build import build


def normalise(pixels):
    return pixels.float() / 255


@pytest.fixture
def pixels():
    return torch.randint(
        0, 256, (5, 3, 32, 32), dtype=torch.uint8, generator=torch.Generator().manual_seed(0)
    )


def open_clip_model(vision):
    from open_clip import CLIP
    from open_clip.model import CLIPTextCfg, CLIPVisionCfg

    text = CLIPTextCfg(context_length=8, vocab_size=50, width=16, heads=2, layers=1)
    return CLIP(16, CLIPVisionCfg(image_size=32, **vision), text).eval()


SMALL = {"kind": "small", "width": 8, "dim": 16, "words": "embedded", "length": 8, "size": 32}
MODELS = {
    "small": lambda: build(SMALL, None, 0).model.eval(),
    "vit": lambda: open_clip_model({"layers": 1, "width": 32, "head_width": 16, "patch_size": 8}),
    "resnet": lambda: open_clip_model({"layers": (1, 1, 1, 1), "width": 8, "head_width": 16}),
}


def project(visual, features):
    if hasattr(visual, "attnpool"):
        return features @ visual.attnpool.c_proj.weight.T + visual.attnpool.c_proj.bias
    return features @ visual.proj


@pytest.mark.parametrize("name", MODELS)
def test_one_pass_gives_what_the_model_gives(name, pixels, monkeypatch):
    monkeypatch.setattr(towers, "IMAGES_AT_ONCE", 2)
    model = MODELS[name]()
    images, features = encode_images(model, pixels, normalise=normalise, device="cpu")
    with torch.inference_mode():
        expected = model.encode_image(normalise(pixels), normalize=True)
        projected = torch.nn.functional.normalize(project(model.visual, torch.from_numpy(features)), dim=-1)

    assert images == pytest.approx(expected.numpy(), abs=1e-6)
    assert images == pytest.approx(projected.numpy(), abs=1e-6)
    assert features.shape == (5, {"small": 32, "vit": 32, "resnet": 256}[name])
    assert np.linalg.norm(images, axis=1) == pytest.approx(np.ones(5))


@pytest.mark.parametrize("name", MODELS)
def test_the_projection_is_put_back(name, pixels):
    model = MODELS[name]()
    names = [name for name, _ in model.named_parameters()]
    encode_images(model, pixels, normalise=normalise, device="cpu")

    assert [name for name, _ in model.named_parameters()] == names


def test_the_projection_is_put_back_after_an_error(pixels):
    model = MODELS["small"]()
    with pytest.raises(RuntimeError):
        encode_images(model, pixels[:, :2], normalise=normalise, device="cpu")
    assert model.visual.proj is not None


def test_a_wrapped_tower_gives_its_trunk(pixels):
    class Wrapped(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.trunk = torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(3 * 32 * 32, 7))
            self.head = torch.nn.Linear(7, 4)

    model = torch.nn.Module()
    model.visual = Wrapped()
    images, features = encode_images(model, pixels, normalise=normalise, device="cpu")

    with torch.inference_mode():
        expected = torch.nn.functional.normalize(model.visual.head(torch.from_numpy(features)), dim=-1)
    assert features.shape == (5, 7)
    assert images == pytest.approx(expected.numpy(), abs=1e-6)


def test_a_tower_whose_head_is_not_known_has_no_features(pixels):
    model = torch.nn.Module()
    model.visual = torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(3 * 32 * 32, 16))
    images, features = encode_images(model, pixels, normalise=normalise, device="cpu")

    assert images.shape == (5, 16)
    assert features.shape == (5, 0)


def tokenizer(texts):
    """Each letter a token."""
    return torch.tensor([[ord(letter) - ord("a") + 1 for letter in text.ljust(4, "a")] for text in texts])


def test_one_sentence_is_its_embedding_and_several_their_mean(monkeypatch):
    monkeypatch.setattr(towers, "TEXTS_AT_ONCE", 2)
    model = MODELS["small"]()
    sentences = [("abcd",), ("abcd", "bbbd", "cca"), ("bbbd", "bbbd"), ("d",)]
    found = encode_texts(model, tokenise(tokenizer, sentences), device="cpu")

    for several, embedding in zip(sentences, found, strict=True):
        with torch.inference_mode():
            mean = model.encode_text(tokenizer(several), normalize=True).mean(dim=0)
        assert embedding == pytest.approx((mean / mean.norm()).numpy(), abs=1e-6)


def test_each_sentence_is_tokenised_once():
    found = tokenise(tokenizer, [("ab", "cd"), ("cd",), ("ab", "dd")])

    assert len(found.tokens) == 3
    assert found.members.tolist() == [0, 1, 1, 0, 2]
    assert found.starts.tolist() == [0, 2, 3]


def test_a_missing_tower_is_an_error_of_one_line(pixels):
    with pytest.raises(UserError, match="no image tower"):
        encode_images(torch.nn.Module(), pixels, normalise=normalise, device="cpu")
    with pytest.raises(UserError, match="no text tower"):
        encode_texts(torch.nn.Module(), tokenise(tokenizer, [("ab",)]), device="cpu")


def test_temperature_and_bias():
    model = MODELS["small"]()
    assert temperature(model) == (pytest.approx(1 / 0.07), 0.0)
    model.logit_bias = torch.nn.Parameter(torch.tensor(-10.0))
    assert temperature(model) == (pytest.approx(1 / 0.07), -10.0)
