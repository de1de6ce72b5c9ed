"""What the noise of mini-batches does for escaping local minima and for the error on new rows.

    python benchmarks/batch_noise.py                   # all three tables of docs/guide/noise.md, some minutes
    python benchmarks/batch_noise.py --only escape     # only this table; the others are listed below

*escape*: gradient descent and RMSprop on a function of one variable with two minima, with noise added to the gradient.
*network*: a neural network with one hidden layer, fitted by RMSprop to half of the diabetes data.
*linear*: RMSpropRegressor on few rows with many columns.
"""

import argparse

import numpy as np
from sklearn.datasets import load_diabetes
from sklearn.linear_model import LinearRegression, Ridge
from table import markdown_table
from timing import one_core

from sklearn_rmsprop import RMSpropRegressor

# The function (w^2 - 1)^2 + 0.3 w has its better minimum at -1.04, the other one at 0.96, and a maximum at 0.08 between
# them. The noise of a single row is ten times as strong as the steepest slope between the minima.
NOISE_OF_A_ROW = 10.0
BATCH_SIZES = (1, 4, 16, 64, np.inf)
N_RUNS, N_STEPS = 400, 5000
RULES = (
    *(("gradient descent", rate) for rate in (0.01, 0.03)),
    *(("RMSprop", rate) for rate in (0.01, 0.03, 0.1, 0.3)),
)

HIDDEN, RATE, NETWORK_STEPS, N_SEEDS = 32, 0.01, 4000, 6


def derivative(w):
    """Return the derivative of (w^2 - 1)^2 + 0.3 w."""
    return 4 * w * (w * w - 1) + 0.3


def share_at_better_minimum(rule, rate, batch_size, start):
    """Return the share of runs that end at w < 0, with a step size that falls linearly to zero."""
    rng = np.random.default_rng(0)
    noise = NOISE_OF_A_ROW / np.sqrt(batch_size)
    w, mean_square = np.full(N_RUNS, start), np.full(N_RUNS, noise**2)
    for t in range(N_STEPS):
        g = derivative(w) + noise * rng.standard_normal(N_RUNS)
        step = rate * (1 - t / N_STEPS) * g
        if rule == "RMSprop":
            mean_square = 0.9 * mean_square + 0.1 * g**2
            step /= np.sqrt(mean_square) + 1e-8
        w = w - step
    return np.mean(w < 0)


def escape_table():
    """Return the share of runs at the better minimum, by the minimum at which they have started."""
    rows = []
    for rule, rate in RULES:
        for name, start in (("worse", 0.96), ("better", -1.04)):
            shares = [share_at_better_minimum(rule, rate, size, start) for size in BATCH_SIZES]
            rows.append((rule, rate, name, *(f"{100 * share:.0f} %" for share in shares)))
    sizes = ["exact gradient" if np.isinf(size) else f"batch {size}" for size in BATCH_SIZES]
    return markdown_table(("rule", "first rate", "starts at the", *sizes), rows, n_text_columns=3)


def network_data(seed):
    """Return the two halves of the diabetes data, in standard deviations of the first one."""
    X, y = load_diabetes(return_X_y=True)
    order = np.random.default_rng(seed).permutation(len(y))
    train, new = order[: len(y) // 2], order[len(y) // 2 :]
    X, y = (X - X[train].mean(axis=0)) / X[train].std(axis=0), (y - y[train].mean()) / y[train].std()
    return X[train], y[train], X[new], y[new]


def predict(weights, X):
    """Return the hidden units and the predictions of the network."""
    hidden = np.tanh(X @ weights[0] + weights[1])
    return hidden, (hidden @ weights[2] + weights[3])[:, 0]


def gradients(weights, X, y):
    """Return the gradients of half the mean squared error, by backpropagation."""
    hidden, prediction = predict(weights, X)
    error = ((prediction - y) / len(y))[:, np.newaxis]
    of_hidden = (error @ weights[2].T) * (1 - hidden**2)
    return X.T @ of_hidden, of_hidden.sum(axis=0), hidden.T @ error, error.sum(axis=0)


def train_network(seed, batch_size):
    """Return the training loss, relative to that of the mean, and R2 on new rows, after every 50 steps."""
    X, y, X_new, y_new = network_data(seed)
    rng = np.random.default_rng(seed)
    weights = [
        rng.normal(size=(X.shape[1], HIDDEN)) / np.sqrt(X.shape[1]),
        np.zeros(HIDDEN),
        rng.normal(size=(HIDDEN, 1)) / np.sqrt(HIDDEN),
        np.zeros(1),
    ]
    mean_squares = [np.zeros_like(weight) for weight in weights]
    order, path = [], []
    for t in range(NETWORK_STEPS):
        rows = slice(None)
        if batch_size < len(y):
            if len(order) < batch_size:
                order = list(rng.permutation(len(y)))
            rows, order = order[:batch_size], order[batch_size:]
        rate = RATE * (1 - t / NETWORK_STEPS)
        g = gradients(weights, X[rows], y[rows])
        mean_squares = [0.9 * s + 0.1 * part**2 for s, part in zip(mean_squares, g, strict=True)]
        weights = [
            weight - rate * part / (np.sqrt(s) + 1e-8) for weight, s, part in zip(weights, mean_squares, g, strict=True)
        ]
        if (t + 1) % 50 == 0:
            loss = np.mean((predict(weights, X)[1] - y) ** 2)
            new = np.mean((predict(weights, X_new)[1] - y_new) ** 2) / np.mean((y_new - y.mean()) ** 2)
            path.append((loss, 1 - new))
    return np.array(path).T


def network_table():
    """Return the results of networks by batch size, as means over seeds."""
    rows = []
    for batch_size in (4, 16, 64, 221):
        paths = [train_network(seed, batch_size) for seed in range(N_SEEDS)]
        at_equal_loss = [new[np.argmax(loss < 0.3)] for loss, new in paths]
        results = [
            (loss[-1], new[-1], equal, new.max()) for (loss, new), equal in zip(paths, at_equal_loss, strict=True)
        ]
        loss, *scores = np.mean(results, axis=0)
        rows.append((batch_size if batch_size < 221 else "all rows", f"{loss:.3f}", *(f"{s:.2f}" for s in scores)))
    exact = []
    for seed in range(N_SEEDS):
        X, y, X_new, y_new = network_data(seed)
        exact.append(LinearRegression().fit(X, y).score(X_new, y_new))
    header = ("batch size", "training loss at the end", "R2 on new rows at the end", "when the loss is 0.3", "best")
    return markdown_table(header, rows) + f"\n\nA linear model has an R2 on new rows of {np.mean(exact):.2f}."


def linear_data(seed):
    """Return 300 rows of 200 columns, half of whose variance is noise, and 5000 new rows."""
    rng = np.random.default_rng(seed)
    coef = rng.normal(size=200) / np.sqrt(200)
    X = rng.normal(size=(5300, 200))
    y = X @ coef + rng.normal(size=5300)
    return X[:300], y[:300], X[300:], y[300:]


def linear_table():
    """Return R2 on new rows by batch size, as means over ten seeds."""
    last_iterate = {"average": False, "schedule": "constant", "learning_rate": 0.02, "tol": None, "max_iter": 500}
    models = {
        f"RMSpropRegressor(batch_size={size}){note}": RMSpropRegressor(batch_size=size, **settings, random_state=0)
        for note, settings in (("", {}), (", last iterate", last_iterate))
        for size in (4, 32, None)
    }
    models |= {"LinearRegression()": LinearRegression(), "Ridge(alpha=200)": Ridge(alpha=200)}
    rows = []
    for name, model in models.items():
        scores = []
        for seed in range(10):
            X, y, X_new, y_new = linear_data(seed)
            model.fit(X, y)
            scores.append((model.score(X, y), model.score(X_new, y_new)))
        rows.append((name, *(f"{score:.2f}" for score in np.mean(scores, axis=0))))
    return markdown_table(("model", "R2 on training rows", "R2 on new rows"), rows)


TABLES = {"escape": escape_table, "network": network_table, "linear": linear_table}


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", choices=TABLES, nargs="+", metavar="TABLE", help="make only these tables")
    for name in parser.parse_args().only or TABLES:
        with one_core():
            print(TABLES[name](), end="\n\n", flush=True)


if __name__ == "__main__":
    main()
