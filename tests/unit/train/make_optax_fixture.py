"""Write fixtures/optax_adafactor.csv: 200 steps of optax's Adafactor with big_vision's settings.

Run it where optax is installed; the project does not need it. The file was written with optax 0.2.8 and
jax 0.10.2 on a CPU:

    python tests/unit/train/make_optax_fixture.py

The update is compiled, as in training. XLA then multiplies the momentum by its decay, which is rounded to
bfloat16, in 32 bits.
"""

from pathlib import Path

import numpy as np

FILE = Path(__file__).parent / "fixtures/optax_adafactor.csv"
STEPS, RATE, WEIGHT_DECAY = 200, 1e-3, 1e-4
SHAPES = {"kernel": (36, 32), "bias": (8,)}


def make_inputs() -> tuple[dict[str, np.ndarray], list[dict[str, np.ndarray]]]:
    """Return the first values and the gradient of each step; numpy's legacy generator never changes."""
    rng = np.random.RandomState(0)

    def draw(mean: float) -> dict[str, np.ndarray]:
        return {name: (mean + rng.randn(*shape)).astype(np.float32) for name, shape in SHAPES.items()}

    return draw(0.0), [draw(0.3) for _ in range(STEPS)]


def main() -> None:
    """Run optax and write the last values, one parameter after the other."""
    import jax  # here, because tests import the inputs from this module
    import jax.numpy as jnp
    import optax

    chain = optax.chain(
        optax.scale_by_factored_rms(
            min_dim_size_to_factor=32,
            epsilon=1e-30,
            decay_rate_fn=lambda step, rate: jnp.minimum(0.999, 1 - (step + 1.0) ** -rate),
        ),
        optax.ema(0.9, debias=False, accumulator_dtype=jnp.bfloat16),
        optax.scale(RATE),
        optax.add_decayed_weights(WEIGHT_DECAY, mask={"kernel": True, "bias": False}),
        optax.scale(-1.0),
    )

    @jax.jit
    def step(values: dict, state: tuple, gradient: dict) -> tuple[dict, tuple]:
        updates, state = chain.update(gradient, state, values)
        return optax.apply_updates(values, updates), state

    values, gradients = make_inputs()
    state = chain.init(values)
    for gradient in gradients:
        values, state = step(values, state, gradient)
    FILE.parent.mkdir(exist_ok=True)
    FILE.write_text("".join(f"{x:.9g}\n" for name in SHAPES for x in np.asarray(values[name]).ravel()))


if __name__ == "__main__":
    main()
