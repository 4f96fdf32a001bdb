from dataclasses import fields

import pytest
from open_clip import CLIP, get_model_config, list_models
from open_clip.model import CLIPTextCfg, CLIPVisionCfg

from clipfair.models.architectures import check_clip, check_overrides, check_siglip


@pytest.mark.parametrize("name", ["RN50-quickgelu", "ViT-B-16", "ViT-L-14-336"])
def test_openais_architectures_are_clips(name):
    assert check_clip(name) == name


@pytest.mark.parametrize("name", ["ViT-B-16-SigLIP", "ViT-SO400M-14-SigLIP2"])
def test_siglips(name):
    assert check_siglip(name) == name
    with pytest.raises(ValueError, match="another text tower or tokenizer than CLIP"):
        check_clip(name)


def test_every_accepted_architecture_has_the_arguments_of_a_clip():
    accepted = []
    for name in list_models():
        try:
            accepted.append(check_clip(name))
        except ValueError:
            continue
    assert len(accepted) > 20
    for name in accepted:
        config = get_model_config(name)
        assert set(config) <= set(CLIP.__init__.__annotations__)
        assert config["text_cfg"]["context_length"] == 77


@pytest.mark.parametrize("check", [check_clip, check_siglip])
@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("hf-hub:laion/CLIP-ViT-B-32", "is of a hub or a folder, whose settings are not read"),
        ("local-dir:/models/mine", "is of a hub or a folder"),
        ("ViT-B-33", "open_clip has no architecture 'ViT-B-33'; close: ViT-B-32"),
    ],
)
def test_hubs_and_unknown_names_are_refused(check, name, message):
    with pytest.raises(ValueError, match=message):
        check(name)


@pytest.mark.parametrize("name", ["roberta-ViT-B-32", "coca_ViT-B-32", "ViT-H-14-CLIPA", "MobileCLIP-B"])
def test_other_text_towers_and_tokenizers_are_refused(name):
    with pytest.raises(ValueError, match="another text tower or tokenizer than CLIP"):
        check_clip(name)


def test_a_clip_is_no_siglip():
    for name in ("ViT-B-16", "nllb-clip-base-siglip"):
        with pytest.raises(ValueError, match="is no SigLIP"):
            check_siglip(name)


def test_every_setting_of_a_tower_can_be_overridden_and_no_other():
    vision, text = (
        dict.fromkeys((field.name for field in fields(kind)), 1) for kind in (CLIPVisionCfg, CLIPTextCfg)
    )
    overrides = {"embed_dim": 8, "vision_cfg": vision, "text_cfg": text}
    assert check_overrides(overrides) == overrides
    with pytest.raises(ValueError, match="text_cfg: unknown setting 'patch_size'"):
        check_overrides({"text_cfg": {"patch_size": 16}})
