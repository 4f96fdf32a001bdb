"""Digests of single operations, and of three training steps, under the kernels that the environment chooses.

    PYTHONPATH=src python benchmarks/verify/operations.py

One thread. Prints JSON in the form of digests.py. It is short enough for an emulated processor.
"""

import hashlib
import json
import time
import warnings

import numpy as np
import torch
from scipy import linalg, special
from sklearn.linear_model import LogisticRegression
from torch.nn import functional

from clipfair.core.provenance import environment
from clipfair.models.build import build
from clipfair.train.optimisers import make_optimiser

MODEL = {"kind": "small", "size": 32, "width": 32, "dim": 64, "words": "embedded", "length": 48}
RECIPE = {"optimiser": "adamw", "learning_rate": 0.005, "weight_decay": 0.1, "betas": (0.9, 0.98)}


def main() -> None:
    """Compute everything and print the digests."""
    torch.set_num_threads(1)
    started = time.process_time()
    arrays = numpy_operations() | torch_operations() | {"training: 3 steps": train()}
    digests = {
        name: hashlib.sha256(np.ascontiguousarray(one).tobytes()).hexdigest() for name, one in arrays.items()
    }
    print(json.dumps({"digests": digests, "cpu_seconds": time.process_time() - started, **environment()}))


def numpy_operations() -> dict[str, np.ndarray]:
    """Products, linear algebra, elementary functions and reductions of numpy, scipy and scikit-learn."""
    found = {}
    for kind in (np.float32, np.float64):
        generator = np.random.default_rng(0)
        a, b = (generator.normal(size=shape).astype(kind) for shape in ((300, 257), (257, 190)))
        x = generator.normal(size=10_003).astype(kind)
        p, gram = np.abs(x) + kind(1e-3), a.T @ a + np.eye(257, dtype=kind)
        values = {
            "product": a @ b,
            "dot": x @ x,
            "norm": np.linalg.norm(x),
            "solve": linalg.solve(gram, b),
            "singular values": np.linalg.svd(a)[1],
            "eigenvalues": linalg.eigh(gram)[0],
            "cholesky": linalg.cholesky(gram),
            "sum": x.sum(),
            "means": a.mean(0),
            "variances": a.var(1),
            **{name: getattr(np, name)(x) for name in ("exp", "sin", "cos", "tanh", "arctan", "expm1")},
            **{name: getattr(np, name)(p) for name in ("log", "log1p", "sqrt", "reciprocal")},
            "power": p**1.37,
            "expit": special.expit(x),
            "logsumexp": special.logsumexp(x),
        }
        found |= {f"numpy {kind.__name__}: {name}": value for name, value in values.items()}
    labels = (a[:, 0] > 0).astype(int)
    return found | {
        "scikit-learn: logistic regression": LogisticRegression(max_iter=500).fit(a, labels).coef_
    }


def torch_operations() -> dict[str, np.ndarray]:
    """Convolutions with their gradients, matrix products, elementary functions and reductions of torch."""
    generator = torch.Generator().manual_seed(0)
    images = torch.rand(64, 32, 16, 16, generator=generator).requires_grad_()
    kernels = (torch.rand(64, 32, 3, 3, generator=generator) - 0.5).requires_grad_()
    maps = functional.conv2d(images, kernels, stride=2, padding=1)
    maps.square().sum().backward()
    a, b = (torch.rand(shape, generator=generator) - 0.5 for shape in ((128, 257), (257, 64)))
    p = a.abs() + 0.01
    values = {
        "convolution": maps,
        "gradient of its kernels": kernels.grad,
        "gradient of its images": images.grad,
        "product": a @ b,
        "product by a vector": a @ b[:, 0],
        "product of float64": a.double() @ b.double(),
        "singular values": torch.linalg.svdvals(a),
        "solve": torch.linalg.solve(a.T @ a + torch.eye(257), a.T),
        "normalisation": functional.normalize(a, dim=1),
        "layer norm": functional.layer_norm(a, (257,)),
        "softmax": a.softmax(1),
        "logsumexp": a.logsumexp(1),
        "gelu": functional.gelu(a),
        "sum": a.sum(),
        "means": a.mean(1),
        "standard deviation": a.std(),
        "power": p**1.7,
        **{
            name: getattr(torch, name)(p)
            for name in ("exp", "log", "tanh", "sigmoid", "erf", "sqrt", "rsqrt")
        },
        "normal numbers": torch.empty(1000).normal_(generator=generator),
        "bicubic resize": functional.interpolate(
            images[:, :3], size=(20, 20), mode="bicubic", antialias=True
        ),
    }
    return {f"torch: {name}": value.detach().numpy() for name, value in values.items()}


def train() -> np.ndarray:
    """The weights of the small model after three steps on random images and texts; one vector."""
    model = build(MODEL, None, 0).model
    optimiser = make_optimiser(RECIPE, model.named_parameters())
    generator = torch.Generator().manual_seed(1)
    for _ in range(3):
        images = torch.rand(128, 3, 32, 32, generator=generator)
        texts = torch.randint(0, 50, (128, 48), generator=generator)
        features = [
            functional.normalize(one, dim=1) for one in (model.encode_image(images), model.encode_text(texts))
        ]
        logits, targets = 10 * features[0] @ features[1].T, torch.arange(128)
        model.zero_grad()
        (functional.cross_entropy(logits, targets) + functional.cross_entropy(logits.T, targets)).backward()
        optimiser.step(1.0)
    return torch.cat([parameter.detach().flatten() for parameter in model.parameters()]).numpy()


if __name__ == "__main__":
    warnings.simplefilter("ignore")
    main()
