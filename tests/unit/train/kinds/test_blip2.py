import io
import math

import numpy as np
import pandas as pd
import pytest
import torch
from open_clip import CLIP
from PIL import Image
from safetensors.torch import save_file
from torch.nn import functional

from clipfair.core.errors import UserError
from clipfair.evaluate.embed.towers import encode_images, temperature
from clipfair.models import tokenizers
from clipfair.models.blip2 import make_blip2
from clipfair.models.build import build
from clipfair.train.interfaces import Batch
from clipfair.train.kinds.blip2 import Blip2Stage1, generate, similarities
from clipfair.train.run import train

TEXTS = ["no sign of glaucoma", "a clear disc", "glaucoma", "a sign of a disc"]


@pytest.fixture(autouse=True)
def words(tmp_path, monkeypatch):
    monkeypatch.setattr(tokenizers, "WORDS", tmp_path)
    tokenizers.read_words.cache_clear()
    (tmp_path / "tiny.txt").write_text("a clear disc glaucoma no of sign")
    yield
    tokenizers.read_words.cache_clear()


@pytest.fixture
def model():
    torch.manual_seed(0)
    clip = CLIP(
        4,
        {"layers": 2, "width": 8, "head_width": 4, "patch_size": 8, "image_size": 16},
        {"context_length": 7, "vocab_size": 20, "width": 8, "heads": 2, "layers": 1},
    )
    entry = {
        "tokens": 1,
        "queries": 3,
        "dim": 5,
        "length": 7,
        "tokenizer": {"kind": "words", "words": "tiny"},
        "qformer": {
            "hidden_size": 16,
            "num_hidden_layers": 2,
            "num_attention_heads": 2,
            "intermediate_size": 32,
            "max_position_embeddings": 16,
        },
    }
    model, tokenizer = make_blip2(entry, clip.visual)
    model.tokenizer = tokenizer
    return model.eval()


def batch(model, n=4):
    pixels = torch.randn(n, 3, 16, 16, generator=torch.Generator().manual_seed(1))
    return Batch(pixels, model.tokenizer(TEXTS[:n]), [str(i) for i in range(n)])


def test_the_loss_is_the_sum_of_its_parts(model):
    terms = Blip2Stage1(seed=0).terms(model, batch(model))
    assert set(terms) == {"loss", "contrast", "match", "generate"}
    parts = terms["contrast"] + terms["match"] + terms["generate"]
    assert terms["loss"].item() == pytest.approx(parts.item())


def test_similarity_is_that_of_the_best_query(model):
    given = batch(model)
    with torch.no_grad():
        seen = model.visual.trunk.image_tokens(given.images)
        found = similarities(model, seen, given.texts)
        queries = functional.normalize(model.visual.head(model.visual.trunk.read(seen)), dim=-1)
        texts = model.encode_text(given.texts, normalize=True)
    for i in range(4):
        for j in range(4):
            best = max((queries[i, q] @ texts[j]).item() for q in range(3))
            assert found[i, j].item() == pytest.approx(best / 0.07, abs=1e-4)


def test_generation_counts_words_and_the_end_but_not_the_padding(model):
    given = batch(model, 1)
    seen = model.visual.trunk.image_tokens(given.images)
    decoded = given.texts.clone()
    decoded[:, 0] = model.tokens.decode
    log_p = model.generate(seen, decoded).detach().log_softmax(dim=-1)[0]
    words = given.texts[0].tolist()
    assert words == [model.tokens.start, 5, 7, 6, 4, model.tokens.end, 0]
    losses = [-(0.9 * log_p[i, words[i + 1]] + 0.1 * log_p[i].mean()) for i in range(5)]
    assert generate(model, seen, given.texts).item() == pytest.approx((sum(losses) / 5).item(), rel=1e-5)


def test_a_wrong_pair_is_never_the_own_one_and_drawn_by_similarity():
    objective = Blip2Stage1(seed=0)
    similarity = torch.tensor([[9.0, 0.0, 1.0], [0.0, 9.0, 0.0], [-50.0, 0.0, 9.0]])
    drawn = torch.stack([objective._draw(similarity)[0] for _ in range(4000)])
    assert not (drawn == torch.arange(3)).any()
    assert (drawn[:, 0] == 2).float().mean() == pytest.approx(math.e / (1 + math.e), abs=0.03)
    assert (drawn[:, 1] == 0).float().mean() == pytest.approx(0.5, abs=0.03)
    assert (drawn[:, 2] == 1).all()


def test_matching_has_twice_as_many_wrong_pairs_as_right_ones(model):
    given = batch(model)
    seen = model.visual.trunk.image_tokens(given.images)
    similarity = similarities(model, seen, given.texts)
    objective, again = Blip2Stage1(seed=5), Blip2Stage1(seed=5)
    texts, images = again._draw(similarity)
    pairs = [(i, i, 1) for i in range(4)]
    pairs += [(int(images[i]), i, 0) for i in range(4)] + [(i, int(texts[i]), 0) for i in range(4)]
    losses = [
        functional.cross_entropy(model.match(seen[i : i + 1], given.texts[t : t + 1]), torch.tensor([right]))
        for i, t, right in pairs
    ]
    found = objective.terms(model, given)["match"]
    assert found.item() == pytest.approx((sum(losses) / 12).item(), rel=1e-5)


def test_everything_but_the_tower_is_trained(model):
    objective = Blip2Stage1(seed=0)
    named = dict(objective.parameters(model))
    assert not any("tower" in name for name in named)
    objective.terms(model, batch(model))["loss"].backward()
    idle = {name for name, value in named.items() if value.grad is None}
    assert idle == set()


def test_a_few_steps_lower_the_loss(model):
    objective, given = Blip2Stage1(seed=0), batch(model)
    optimiser = torch.optim.AdamW([value for _, value in objective.parameters(model)], lr=3e-3)
    losses = []
    for _ in range(40):
        optimiser.zero_grad()
        loss = objective.terms(model, given)["loss"]
        loss.backward()
        optimiser.step()
        losses.append(loss.item())
    assert losses[-1] < 0.8 * losses[0]  # smoothed labels: never near zero


def test_a_restored_objective_draws_the_same(model):
    first, given = Blip2Stage1(seed=0), batch(model)
    first.terms(model, given)
    second = Blip2Stage1(seed=1)
    second.load_state_dict(first.state_dict())
    assert first.terms(model, given)["match"].item() == second.terms(model, given)["match"].item()


def test_models_and_settings_that_do_not_fit_are_reported(model):
    with pytest.raises(UserError, match="trains a model of kind blip2"):
        Blip2Stage1(seed=0).prepare(torch.nn.Linear(1, 1))
    with pytest.raises(UserError, match="a batch of one example has no wrong pairs"):
        Blip2Stage1(seed=0).terms(model, batch(model, 1))


# --- from settings to files -------------------------------------------------------------------

SMALL = {"kind": "small", "width": 4, "dim": 6, "words": "tiny", "length": 7, "size": 32}
LINE = {
    "kind": "blip2",
    "tower": SMALL,
    "queries": 3,
    "dim": 5,
    "length": 7,
    "tokenizer": {"kind": "words", "words": "tiny"},
    "qformer": {
        "hidden_size": 8,
        "num_hidden_layers": 2,
        "num_attention_heads": 2,
        "intermediate_size": 16,
        "max_position_embeddings": 16,
    },
}
RECIPE = {
    "optimiser": "adamw",
    "learning_rate": 1e-3,
    "weight_decay": 0.05,
    "schedule": "cosine",
    "warmup": 2,
    "batch_size": 4,
    "epochs": 2,
    "label": "glaucoma",
    "attributes": ["race"],
    "prompts": ["no glaucoma", "glaucoma"],
    "max_characters": 180,
    "splits": {name: {"split": name[:5].replace("valid", "val")} for name in ("train", "validation", "test")},
}


@pytest.fixture
def table(tmp_path):
    n = 24
    rng = np.random.default_rng(0)
    frame = pd.DataFrame(
        {
            "key": [f"k{i}" for i in range(n)],
            "split": np.array(["train", "train", "val", "test"])[np.arange(n) % 4],
            "glaucoma": np.arange(n) // 4 % 2,
            "race": pd.Categorical(rng.choice(["asian", "black"], n)),
            "captions": [[TEXTS[i % 4]] for i in range(n)],
            "image_bytes": [encoded(rng) for _ in range(n)],
        }
    )
    frame.to_parquet(tmp_path / "table.parquet")
    return str(tmp_path / "table.parquet")


def encoded(rng):
    stream = io.BytesIO()
    Image.fromarray(rng.integers(0, 256, (32, 32, 3), dtype=np.uint8)).save(stream, format="PNG")
    return stream.getvalue()


def train_tiny(folder, table, weights=None, **recipe):
    levels = {"dataset": "made", "balance": "none", "model": "blip2", "method": "blip2-ft", "attr": "none"}
    settings = {
        "run": {**levels, "lam": "0", "seed": 0},
        "model": LINE,
        "recipe": {**RECIPE, **recipe},
        "method": {"kind": "blip2", "settings": {}},
        "stages": [],
    }
    names = {"model": "model.safetensors", "spec": "spec.json", "log": "log.csv"}
    names |= {"snapshots": "snapshots", "epochs": "epochs.csv"}
    out = {name: str(folder / file) for name, file in names.items()}
    data = {"raw": str(folder), "table": table}
    train(settings, data=data, weights=weights, out=out, scratch=str(folder / "scratch"))
    return out


def test_it_is_trained_by_the_loop_from_a_clip_and_embedded_like_one(tmp_path, table):
    clip = build(SMALL, None, 7).model
    save_file(clip.state_dict(), tmp_path / "clip.safetensors")
    out = train_tiny(tmp_path / "out", table, weights=str(tmp_path / "clip.safetensors"))
    log = pd.read_csv(out["log"])
    assert log["step"].tolist() == [1, 2, 3, 4, 5, 6]
    assert {"contrast", "match", "generate"} <= set(log.columns)
    trained = build(LINE, out["model"], 0)
    tower = trained.model.visual.trunk.image_tokens.tower
    assert all(
        torch.equal(value, clip.visual.state_dict()[name]) for name, value in tower.state_dict().items()
    )
    images, features = encode_images(
        trained.model.eval(),
        torch.zeros(3, 3, 32, 32, dtype=torch.uint8),
        normalise=trained.normalise,
        device="cpu",
    )
    assert (images.shape, features.shape) == ((3, 5), (3, 8))
    texts = trained.model.encode_text(trained.tokenizer(["glaucoma", "no glaucoma"]), normalize=True)
    assert texts.shape == (2, 5)
    assert temperature(trained.model)[0] == pytest.approx(1 / trained.model.temp.item())


def test_too_few_examples_are_reported(tmp_path, table):
    with pytest.raises(UserError, match="the train split"):
        train_tiny(tmp_path / "out", table, batch_size=64)
