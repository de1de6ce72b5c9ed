"""Linear regression with torch.optim.RMSprop on tensors in memory; available only where PyTorch is installed."""

from importlib.util import find_spec

import numpy as np
from linear import Linear

AVAILABLE = find_spec("torch") is not None


def fit(X, y, n_epochs, batch_size):
    """Fit with the defaults of the optimizer; each epoch splits a random permutation of the rows into batches."""
    import torch  # noqa: PLC0415 - the import is slow, and the package is optional

    torch.manual_seed(0)
    X, y = torch.from_numpy(X), torch.from_numpy(np.asarray(y, X.dtype))
    coef = torch.zeros(X.shape[1], dtype=X.dtype, requires_grad=True)
    intercept = torch.zeros((), dtype=X.dtype, requires_grad=True)
    optimizer = torch.optim.RMSprop([coef, intercept])
    for _ in range(n_epochs):
        for rows in torch.randperm(len(X)).split(batch_size):
            optimizer.zero_grad()
            loss = (X[rows] @ coef + intercept - y[rows]).square().mean() / 2
            loss.backward()
            optimizer.step()
    return Linear(coef.detach().numpy(), intercept.item())
