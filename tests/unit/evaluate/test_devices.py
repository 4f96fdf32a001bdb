"""Evaluation on a simulated GPU: every tensor is on the right device; results alone are copied to the CPU."""

from dataclasses import replace

import numpy as np
import open_clip
import pytest
import torch
from open_clip.model import CLIPTextCfg, CLIPVisionCfg

from clipfair.evaluate.embed.towers import encode_images, encode_texts, tokenise
from clipfair.evaluate.probe.augmented import fit
from clipfair.models import build as build_module
from clipfair.models.build import build
from tests.unit.simulated_gpu import GPU, SimulatedGpu

SMALL = {"kind": "small", "width": 4, "dim": 6, "words": "embedded", "length": 5, "size": 32}
VIT = {"kind": "vit", "size": 32, "vision": "S/16", "text": "S", "dim": 8, "length": 5}
PROBE = {
    "feature": "embedding",
    "epochs": 2,
    "batch_size": 8,
    "warm_up": 1,
    "every": 1,
}


@pytest.fixture(autouse=True)
def few_layers(monkeypatch):
    monkeypatch.setattr(build_module, "LAYERS", 1)


@pytest.fixture
def gpu():
    with SimulatedGpu() as found:
        yield found


def on_gpu(entry):
    built = build(entry, None, 0)
    with torch.device(GPU):
        return replace(built, model=build(entry, None, 0).model.eval())


def resnet_on_gpu():
    text = CLIPTextCfg(context_length=5, vocab_size=49408, width=16, heads=2, layers=1)
    with torch.device(GPU):
        model = open_clip.CLIP(6, CLIPVisionCfg(layers=(1, 1, 1, 1), width=8, image_size=32), text)
    return replace(build(SMALL, None, 0), model=model.eval())


MODELS = {"small": lambda: on_gpu(SMALL), "vit": lambda: on_gpu(VIT), "resnet": resnet_on_gpu}


@pytest.mark.parametrize("make", MODELS.values(), ids=MODELS)
def test_images_and_texts_are_embedded(gpu, make):
    built = make()
    gpu.waits.clear()
    images = torch.zeros((300, 3, 32, 32), dtype=torch.uint8)
    embedded, _ = encode_images(built.model, images, normalise=built.normalise, device=GPU)
    assert len(embedded) == 300
    assert len(gpu.waits) == 2  # embeddings and features
    texts = encode_texts(built.model, tokenise(built.tokenizer, [["a man"], ["a cat", "a dog"]]), device=GPU)
    assert texts.shape == embedded[:2].shape
    assert len(gpu.waits) == 3


def test_images_are_not_embedded_by_a_model_on_the_cpu(gpu):
    built = build(VIT, None, 0)
    images = torch.zeros((2, 3, 32, 32), dtype=torch.uint8)
    with pytest.raises(RuntimeError, match="same device"):
        encode_images(built.model.eval(), images, normalise=built.normalise, device=GPU)


class Images:
    """Images that are all alike."""

    def resized(self, rows):
        return torch.zeros((len(rows), 3, 32, 32), dtype=torch.uint8)

    def augmented(self, rows, generator):
        return self.resized(rows)


def move(module, device):
    """Replace parameters and buffers: those on the CPU cannot become simulated ones in place."""
    for part in module.modules():
        for name, value in part.named_parameters(recurse=False):
            setattr(part, name, torch.nn.Parameter(value.to(device)))
        for name, value in part.named_buffers(recurse=False):
            setattr(part, name, value.to(device))
    return module


@pytest.mark.parametrize("with_texts", [False, True])
def test_a_probe_reads_its_loss_once_an_epoch(gpu, with_texts, monkeypatch):
    built = on_gpu(VIT)
    monkeypatch.setattr(torch.nn.Sequential, "to", move)  # of the head
    sizes = {"training": 24, "validation": 10, "test": 10}
    labels = {part: np.arange(n) % 2 for part, n in sizes.items()}
    images = dict.fromkeys(sizes, Images())
    texts = {part: ["a man"] * n if with_texts else None for part, n in sizes.items()}
    gpu.waits.clear()
    fitted = fit(built, images, labels, texts, PROBE, seed=0, device=GPU)
    assert len(fitted.p) == 10
    assert len(fitted.log) == 2
    of_epochs = [wait for wait in gpu.waits if "losses" in wait or "sigmoid" in wait]
    assert len(of_epochs) == 2 * 3  # the losses; probabilities of validation and test
    assert len(gpu.waits) - len(of_epochs) == 5  # parameters and buffers of the head
