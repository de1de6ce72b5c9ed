"""Record short trajectories of torch.optim.RMSprop in data/torch_rmsprop.json.

Not a test: run it by hand in an environment with PyTorch, ``python tests/record_torch.py``.
"""

import json
from pathlib import Path

import numpy as np

N_ROWS, N_FEATURES, N_EPOCHS = 12, 3, 36
DEFAULTS = {"lr": 0.01, "alpha": 0.99, "eps": 1e-8, "momentum": 0.0, "centered": False}
# batch_size null: all rows in each step; otherwise rows first to last, so that 5 gives 5, 5 and 2.
SETTINGS = {
    "torch's defaults": {},
    "the tutorial's decay": {"alpha": 0.9},
    "large epsilon": {"alpha": 0.9, "eps": 0.3, "lr": 0.05},
    "momentum": {"lr": 0.002, "momentum": 0.9},
    "centered": {"centered": True, "lr": 0.02},
    "centered with momentum": {"alpha": 0.95, "centered": True, "momentum": 0.5, "lr": 0.005},
    "mini-batch": {"alpha": 0.9, "batch_size": 5},
    "mini-batch, momentum": {"lr": 0.002, "momentum": 0.8, "batch_size": 5},
    "mini-batch, centered": {"alpha": 0.95, "centered": True, "batch_size": 4},
    "weights": {"alpha": 0.9, "weighted": True},
    "mini-batch, weights": {"alpha": 0.9, "weighted": True, "batch_size": 5},
}


def make_data():
    """Draw a small problem; few decimals, so that the text file holds it exactly."""
    rng = np.random.default_rng(0)
    X = rng.normal(size=(N_ROWS, N_FEATURES)).round(2)
    y = (X @ [3.0, -2.0, 4.0] + 2.0 + rng.normal(size=N_ROWS)).round(2)
    weight = rng.integers(1, 5, size=N_ROWS) / 2
    return X, y, weight


def record(X, y, weight, *, batch_size=None, weighted=False, **options):
    """Return coefficients and intercept after each epoch of half the (weighted) mean square."""
    import torch  # noqa: PLC0415 (pytest imports every file here, in search of doctests)

    X, y = torch.from_numpy(X), torch.from_numpy(y)
    # A weight counts relative to the mean weight of all rows, also within a mini-batch.
    v = torch.from_numpy(weight / weight.mean() if weighted else np.ones(len(X)))
    coef = torch.zeros(X.shape[1], dtype=torch.float64, requires_grad=True)
    intercept = torch.zeros(1, dtype=torch.float64, requires_grad=True)
    optimizer = torch.optim.RMSprop([coef, intercept], **options)
    size = len(X) if batch_size is None else batch_size
    steps_per_epoch = -(-len(X) // size)
    path = {"coef": [], "intercept": []}
    for _ in range(N_EPOCHS // steps_per_epoch):
        for start in range(0, len(X), size):
            rows = slice(start, start + size)
            optimizer.zero_grad()
            residual = X[rows] @ coef + intercept - y[rows]
            loss = (v[rows] * residual**2).mean() / 2
            loss.backward()
            optimizer.step()
        path["coef"].append(coef.detach().tolist())
        path["intercept"].append(intercept.item())
    return path


def main():
    import torch  # noqa: PLC0415

    X, y, weight = make_data()
    runs = {}
    for name, changes in SETTINGS.items():
        setting = {**DEFAULTS, "batch_size": None, "weighted": False, **changes}
        runs[name] = {"setting": setting, **record(X, y, weight, **setting)}
    document = {
        "source": "torch.optim.RMSprop in float64 on (weight * residual**2).mean() / 2, from 0",
        "torch": torch.__version__,
        "X": X.tolist(),
        "y": y.tolist(),
        "sample_weight": weight.tolist(),
        "runs": runs,
    }
    path = Path(__file__).parent / "data" / "torch_rmsprop.json"
    # One run a line: small, and a change of one run shows as one line.
    lines = [f" {json.dumps(name)}: {json.dumps(run)}" for name, run in runs.items()]
    head = json.dumps({key: value for key, value in document.items() if key != "runs"})
    path.write_text(head[:-1] + ',\n"runs": {\n' + ",\n".join(lines) + "\n}}\n")


if __name__ == "__main__":
    main()
