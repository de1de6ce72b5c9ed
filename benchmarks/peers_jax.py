"""optax.rmsprop, one compiled scan over the batches of an epoch: an extra, where JAX and optax are installed."""

from functools import cache
from importlib.util import find_spec

import numpy as np
from linear import Linear

AVAILABLE = find_spec("jax") is not None and find_spec("optax") is not None
LEARNING_RATE = 0.01  # optax has no default; this is PyTorch's


@cache
def compiled():
    """Return the optimizer and a compiled epoch, made once in a process."""
    import jax  # noqa: PLC0415 - takes seconds, and is not always there
    import optax  # noqa: PLC0415

    jax.config.update("jax_enable_x64", True)  # or float64 data would become float32
    optimizer = optax.rmsprop(LEARNING_RATE)

    def loss(params, X, y):
        return ((X @ params["coef"] + params["intercept"] - y) ** 2).mean() / 2

    @jax.jit
    def epoch(start, X, y, batches):
        def step(carry, rows):
            params, state = carry
            gradient = jax.grad(loss)(params, X[rows], y[rows])
            updates, state = optimizer.update(gradient, state)
            return (optax.apply_updates(params, updates), state), None

        return jax.lax.scan(step, start, batches)[0]

    return optimizer, epoch


def fit(X, y, n_epochs, batch_size):
    """Fit on batches that are slices of a random permutation."""
    import jax  # noqa: PLC0415

    optimizer, epoch = compiled()
    rng = np.random.default_rng(0)
    batch_size = min(batch_size, len(X))
    params = {"coef": np.zeros(X.shape[1], X.dtype), "intercept": np.zeros((), X.dtype)}
    state = optimizer.init(params)
    # Handed over once; as an argument of each epoch they might be copied each time.
    X, y = jax.device_put(X), jax.device_put(np.asarray(y, X.dtype))
    for _ in range(n_epochs):
        # A scan takes equal pieces only: the few rows left over sit this epoch out.
        rows = rng.permutation(len(X))[: len(X) // batch_size * batch_size]
        params, state = epoch((params, state), X, y, rows.reshape(-1, batch_size))
    return Linear(np.asarray(params["coef"]), float(params["intercept"]))
