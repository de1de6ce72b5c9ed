"""Linear regression with optax.rmsprop; available only where JAX and optax are installed.

An epoch is one compiled ``lax.scan`` over its batches, so that Python is called once per epoch and not once per batch.
"""

from functools import cache
from importlib.util import find_spec

import numpy as np
from linear import Linear

AVAILABLE = find_spec("jax") is not None and find_spec("optax") is not None
LEARNING_RATE = 0.01  # the default of torch.optim.RMSprop; optax has no default


@cache
def optimizer_and_epoch():
    """Return the optimizer and the compiled function of an epoch, which are created once in a process."""
    import jax  # noqa: PLC0415 - the import is slow, and the package is optional
    import optax  # noqa: PLC0415

    jax.config.update("jax_enable_x64", True)  # otherwise JAX converts float64 data to float32
    optimizer = optax.rmsprop(LEARNING_RATE)

    def loss(params, X, y):
        return ((X @ params["coef"] + params["intercept"] - y) ** 2).mean() / 2

    @jax.jit
    def run_epoch(start, X, y, batches):
        def step(carry, rows):
            params, state = carry
            gradient = jax.grad(loss)(params, X[rows], y[rows])
            updates, state = optimizer.update(gradient, state)
            return (optax.apply_updates(params, updates), state), None

        return jax.lax.scan(step, start, batches)[0]

    return optimizer, run_epoch


def fit(X, y, n_epochs, batch_size):
    """Fit a linear regression; each epoch splits a random permutation of the rows into batches of equal size."""
    import jax  # noqa: PLC0415

    optimizer, run_epoch = optimizer_and_epoch()
    rng = np.random.default_rng(0)
    batch_size = min(batch_size, len(X))
    params = {"coef": np.zeros(X.shape[1], X.dtype), "intercept": np.zeros((), X.dtype)}
    state = optimizer.init(params)
    # The data are transferred once. NumPy arrays as arguments might be copied in every epoch.
    X, y = jax.device_put(X), jax.device_put(np.asarray(y, X.dtype))
    for _ in range(n_epochs):
        # lax.scan needs batches of equal size, so the rows of the last, smaller batch are not used in this epoch.
        rows = rng.permutation(len(X))[: len(X) // batch_size * batch_size]
        params, state = run_epoch((params, state), X, y, rows.reshape(-1, batch_size))
    return Linear(np.asarray(params["coef"]), float(params["intercept"]))
