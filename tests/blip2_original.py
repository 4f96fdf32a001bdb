"""BLIP2's weights under the names of the code that published them (LAVIS)."""

import torch
from torch import Tensor, nn


def original(model: nn.Module) -> dict[str, Tensor]:
    """The state of a model with two layers, written out layer by layer; the first looks at the image."""
    own = model.state_dict()
    q, theirs = "visual.trunk.qformer.", {}
    theirs["query_tokens"] = own["visual.trunk.queries"]
    theirs["temp"] = own["temp"]
    for ours, name in (
        ("visual.head", "vision_proj"),
        ("text_head", "text_proj"),
        ("match_head", "itm_head"),
        ("visual.trunk.image_tokens.norm", "ln_vision"),
        (f"{q}layernorm", "Qformer.bert.embeddings.LayerNorm"),
        ("word_head.dense", "Qformer.cls.predictions.transform.dense"),
        ("word_head.norm", "Qformer.cls.predictions.transform.LayerNorm"),
    ):
        for part in ("weight", "bias"):
            theirs[f"{name}.{part}"] = own[f"{ours}.{part}"]
    words = own["embeddings.word_embeddings.weight"]
    theirs["Qformer.bert.embeddings.word_embeddings.weight"] = words
    places = own["embeddings.position_embeddings.weight"]
    theirs["Qformer.bert.embeddings.position_embeddings.weight"] = places
    theirs["Qformer.bert.embeddings.position_ids"] = torch.arange(len(places))[None]
    theirs["Qformer.cls.predictions.decoder.weight"] = words
    theirs["Qformer.cls.predictions.decoder.bias"] = own["word_head.bias"]
    theirs["Qformer.cls.predictions.bias"] = own["word_head.bias"]
    for layer, kinds in ((0, ("attention", "crossattention")), (1, ("attention",))):
        parts = [f"{kind}.output.{name}" for kind in kinds for name in ("dense", "LayerNorm")]
        parts += [f"{name}{which}.dense" for name in ("intermediate", "output") for which in ("", "_query")]
        parts += [f"output{which}.LayerNorm" for which in ("", "_query")]
        pairs = [(part, part) for part in parts]
        pairs += [
            (f"{kind}.attention.{name}", f"{kind}.self.{name}")
            for kind in kinds
            for name in ("query", "key", "value")
        ]
        for ours, name in pairs:
            for part in ("weight", "bias"):
                value = own[f"{q}encoder.layer.{layer}.{ours}.{part}"]
                theirs[f"Qformer.bert.encoder.layer.{layer}.{name}.{part}"] = value
    prefix = "visual.trunk.image_tokens.tower."
    theirs |= {
        f"visual_encoder.{name.removeprefix(prefix)}": value
        for name, value in own.items()
        if name.startswith(prefix)
    }
    return theirs
