import numpy as np
import open_clip
import pytest
import torch
from open_clip.transform import image_transform_v2
from PIL import Image
from safetensors.torch import save_file

from clipfair.core.errors import UserError
from clipfair.models.build import build
from clipfair.models.interface import pixels_of
from clipfair.models.resizing import interpolate

SMALL = {"kind": "small", "width": 8, "dim": 16, "words": "embedded", "length": 12, "size": 32}
SIGLIP = {"kind": "siglip", "architecture": "ViT-B-16-SigLIP", "length": 16}
VIT = {"kind": "vit", "vision": "S/32", "text": "S", "dim": 384, "length": 16, "size": 224}


@pytest.fixture(scope="module")
def vit():
    return build(VIT, None, 0)


@pytest.fixture(scope="module")
def siglip():
    return build(SIGLIP, None, 0)


@pytest.fixture(scope="module")
def image():
    rng = np.random.default_rng(0)
    return Image.fromarray(rng.integers(0, 256, (50, 70, 3), dtype=np.uint8))


def count(module):
    return sum(parameter.numel() for parameter in module.parameters())


def test_the_papers_small_towers(vit):
    """12 layers of width 384, MLPs of 1536, patches of 32: 49 places and a class token."""
    width, mlp, r = 384, 1536, 384
    layer = 4 * width * (width + 1) + mlp * (width + 1) + width * (mlp + 1) + 4 * width
    patches, class_token = (3 * 32 * 32 + 1) * width, width
    image = patches + class_token + 50 * width + 12 * layer + 2 * width + width * r
    text = 49_408 * width + 16 * width + 12 * layer + 2 * width + (width + 1) * r
    assert count(vit.model.visual) == image
    assert count(vit.model) == image + text + 1  # the temperature


@pytest.mark.parametrize("kind", ["vit", "siglip"])
def test_activations_and_norms_are_those_of_flax(kind, vit, siglip):
    model = {"vit": vit, "siglip": siglip}[kind].model
    activations = [module for module in model.modules() if "gelu" in type(module).__name__.lower()]
    norms = [module for module in model.modules() if isinstance(module, torch.nn.LayerNorm)]
    assert len(activations) >= 24
    assert len(norms) >= 50
    x = torch.linspace(-4, 4, 101)
    tanh = 0.5 * x * (1 + torch.tanh((2 / torch.pi) ** 0.5 * (x + 0.044715 * x**3)))
    assert all(torch.allclose(activation(x), tanh, atol=1e-6) for activation in activations)
    assert {norm.eps for norm in norms} == {1e-6}


def test_the_text_tower_has_no_causal_mask_and_pools_the_last_token(vit):
    model = vit.model.eval()
    with torch.no_grad():
        texts = vit.tokenizer(["a man and a dog", "a cat and a dog"])
        short = texts.clone()
        short[:, -1] = texts[0, 0]  # another last token
        assert model.attn_mask is None
        assert not torch.allclose(model.encode_text(texts), model.encode_text(short))
        assert not torch.allclose(*model.encode_text(texts))


@pytest.mark.parametrize("entry", [SMALL, VIT], ids=["small", "vit"])
def test_both_towers_meet_in_r_dimensions(entry):
    built = build(entry, None, 0)
    images = torch.stack([built.preprocess(Image.new("RGB", (40, 60)))] * 2)
    assert images.shape == (2, 3, entry["size"], entry["size"])
    with torch.no_grad():
        seen = built.model.encode_image(images, normalize=True)
        read = built.model.encode_text(built.tokenizer(["a man", ""]), normalize=True)
    assert seen.shape == read.shape == (2, entry["dim"])
    assert torch.allclose(read.norm(dim=-1), torch.ones(2))


def test_the_same_seed_gives_the_same_weights_whatever_was_drawn_before():
    first = build(SMALL, None, 3).model.state_dict()
    torch.rand(5)
    state = torch.get_rng_state()
    again, other = build(SMALL, None, 3).model.state_dict(), build(SMALL, None, 4).model.state_dict()
    assert torch.equal(state, torch.get_rng_state())
    assert all(torch.equal(first[name], again[name]) for name in first)
    assert not torch.equal(first["visual.proj"], other["visual.proj"])


def test_images_are_squashed_to_minus_one_and_one(image):
    built = build(SMALL, None, 0)
    expected = np.asarray(image.resize((32, 32), Image.Resampling.BILINEAR), dtype=np.float32) / 127.5 - 1
    assert np.allclose(built.preprocess(image).permute(1, 2, 0).numpy(), expected, atol=1e-6)
    assert torch.equal(built.preprocess(image.convert("RGB")), built.preprocess(image))


@pytest.mark.parametrize("kind", ["vit", "siglip"])
def test_the_papers_models_resize_without_antialiasing_unless_asked(kind, image, vit, siglip):
    entry, default = {"vit": (VIT, vit), "siglip": (SIGLIP, siglip)}[kind]
    assert default.resizing == "sample"
    expected = interpolate(np.asarray(image), 224, 224).astype(np.uint8)
    assert np.array_equal(np.asarray(default.resize(image)), expected)
    antialiased = build(entry | {"antialias": True}, None, 0)
    pillow = image.resize((224, 224), Image.Resampling.BILINEAR)
    assert np.array_equal(np.asarray(antialiased.resize(image)), np.asarray(pillow))


@pytest.mark.parametrize("size", [(50, 70), (301, 224), (640, 427), (224, 224)])
def test_images_of_published_models_are_prepared_as_in_open_clip(size):
    rng = np.random.default_rng(1)
    image = Image.fromarray(rng.integers(0, 256, (*size[::-1], 3), dtype=np.uint8))
    built = build({"kind": "open_clip", "architecture": "RN50-quickgelu"}, None, 0)
    config = open_clip.transform.PreprocessCfg(size=224)
    theirs = image_transform_v2(config, is_train=False)(image)
    assert torch.allclose(built.preprocess(image), theirs, atol=1e-5)


@pytest.mark.parametrize(
    ("preparation", "settings"),
    [
        ({"normalisation": "symmetric"}, {"mean": (0.5,) * 3, "std": (0.5,) * 3}),
        ({"resize": "squash-bicubic"}, {"resize_mode": "squash", "interpolation": "bicubic"}),
    ],
    ids=["LAION-2B's ViT-L-14", "DFN-5B"],
)
def test_images_of_models_with_another_preparation_are_prepared_as_in_open_clip(image, preparation, settings):
    one_layer = {"overrides": {"vision_cfg": {"layers": 1}, "text_cfg": {"layers": 1}}}
    clip = {"kind": "open_clip", "architecture": "ViT-B-32", **one_layer}
    theirs = image_transform_v2(open_clip.transform.PreprocessCfg(size=224, **settings), is_train=False)
    assert torch.allclose(build(clip | preparation, None, 0).preprocess(image), theirs(image), atol=1e-5)
    assert not torch.allclose(build(clip, None, 0).preprocess(image), theirs(image), atol=1e-2)


def test_grey_and_transparent_images_become_rgb():
    built = build(SMALL, None, 0)
    for mode in ("L", "RGBA", "P"):
        assert built.preprocess(Image.new(mode, (32, 32))).shape == (3, 32, 32)


def test_saved_weights_are_loaded(tmp_path):
    built = build(SMALL, None, 0)
    save_file(built.model.state_dict(), tmp_path / "model.safetensors")
    again = build(SMALL, str(tmp_path / "model.safetensors"), 9).model.state_dict()
    assert all(torch.equal(value, again[name]) for name, value in built.model.state_dict().items())


def test_a_saved_bias_is_loaded(tmp_path):
    state = build(SMALL, None, 0).model.state_dict() | {"logit_bias": torch.tensor(-9.5)}
    save_file(state, tmp_path / "model.safetensors")
    assert build(SMALL, str(tmp_path / "model.safetensors"), 0).model.logit_bias.item() == -9.5


def test_weights_of_another_model(tmp_path):
    save_file(build(SMALL, None, 0).model.state_dict(), tmp_path / "model.safetensors")
    with pytest.raises(
        UserError, match=r"model\.safetensors: not the weights of this model \(.*size mismatch"
    ):
        build(SMALL | {"width": 16}, str(tmp_path / "model.safetensors"), 0)


@pytest.mark.parametrize("content", [b"", b"\x08\x00\x00\x00\x00\x00\x00\x00{}", None])
def test_damaged_or_missing_weights(tmp_path, content):
    path = tmp_path / "model.safetensors"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(UserError, match="not the weights of this model"):
        build(SMALL, str(path), 0)


def test_unknown_names():
    with pytest.raises(
        UserError,
        match=r"unknown kind 'small1' \(did you mean 'small'\?\); known: .*open_clip, siglip, small, vit",
    ):
        build(SMALL | {"kind": "small1"}, None, 0)
    with pytest.raises(UserError, match=r"config\.models: open_clip .* has no model 'ViT-Z'"):
        build({"kind": "open_clip", "architecture": "ViT-Z"}, None, 0)


def test_without_projection_the_small_tower_gives_the_input_of_the_projection():
    tower = build(SMALL, None, 0).model.visual
    images = torch.rand(3, 3, 32, 32)
    with torch.no_grad():
        projected, projection = tower(images), tower.proj
        tower.proj = None
        assert torch.allclose(tower(images) @ projection, projected, atol=1e-6)


def test_the_padded_length_does_not_matter():
    built = build(SMALL, None, 0)
    longer = build(SMALL | {"length": 30}, None, 0)
    with torch.no_grad():
        one = built.model.encode_text(built.tokenizer(["a man", ""]))
        other = longer.model.encode_text(longer.tokenizer(["a man", ""]))
    assert torch.allclose(one, other)


def test_pixels():
    image = Image.new("RGB", (4, 2), (1, 2, 3))
    assert pixels_of(image).shape == (3, 2, 4)
    assert pixels_of(image)[:, 0, 0].tolist() == [1, 2, 3]


def test_siglip(siglip):
    """The trunk of timm with its pooling by attention; the bias is the method's to set."""
    with torch.no_grad():
        seen = siglip.model.encode_image(siglip.preprocess(Image.new("RGB", (99, 9)))[None], normalize=True)
        read = siglip.model.encode_text(siglip.tokenizer(["a man"]), normalize=True)
    assert seen.shape == read.shape == (1, 768)
    assert siglip.model.text.token_embedding.num_embeddings == 49_408
    assert siglip.model.logit_bias is not None


def test_weights_that_are_not_finite_are_not_loaded(tmp_path):
    built = build(SMALL, None, 0)
    state = built.model.state_dict()
    state["logit_scale"] = torch.tensor(float("nan"))
    save_file(state, tmp_path / "m.safetensors")
    with pytest.raises(UserError, match=r"m\.safetensors: 1 of \d+ tensors are not finite"):
        build(SMALL, str(tmp_path / "m.safetensors"), 0)


def test_overrides_replace_settings_of_a_vit_one_by_one(vit):
    overrides = {"vision_cfg": {"layers": 2}, "text_cfg": {"width": 64, "heads": 2}}
    model = build(VIT | {"overrides": overrides}, None, 0).model
    assert len(model.visual.transformer.resblocks) == 2
    assert model.visual.conv1.weight.shape == vit.model.visual.conv1.weight.shape
    assert model.token_embedding.weight.shape == (49_408, 64)
    assert len(model.transformer.resblocks) == 12


def test_overrides_replace_settings_of_open_clips_architectures():
    siglip = SIGLIP | {"overrides": {"vision_cfg": {"image_size": 32}, "text_cfg": {"layers": 2}}}
    built = build(siglip, None, 0)
    assert built.size == 32
    assert len(built.model.text.transformer.resblocks) == 2
    clip = {"kind": "open_clip", "architecture": "RN50-quickgelu"}
    built = build(clip | {"overrides": {"embed_dim": 32, "vision_cfg": {"image_size": 64}}}, None, 0)
    image = built.preprocess(Image.new("RGB", (80, 90)))
    assert built.model.eval().encode_image(image[None]).shape == (1, 32)
    assert built.model.encode_text(built.tokenizer(["a"])).shape == (1, 32)
