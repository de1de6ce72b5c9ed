"""Time of a search over alpha by RMSpropRegressorCV, and of grid searches over the same settings and folds."""

from dataclasses import dataclass, field
from statistics import median

import numpy as np
from data import diabetes, diamonds_all_columns, gaussian, label, zipf_csr
from sklearn.linear_model import LassoCV, Ridge
from sklearn.model_selection import GridSearchCV, KFold
from table import Table, format_ratio, number_column, text_column
from timing import time_interleaved

from sklearn_rmsprop import RMSpropRegressor, RMSpropRegressorCV

FOLDS = KFold(5, shuffle=True, random_state=0)


@dataclass(frozen=True)
class Search:
    """A search: a name, data, the number of alphas, and parameters of both kinds of search or of ours only."""

    name: str
    build: object
    n_alphas: int
    parameters: dict
    own: dict = field(default_factory=dict)


def in_thousands():
    """Return the diamonds with the price in thousands of dollars, for `delta` to be about one."""
    X, y = diamonds_all_columns()
    return X, y / 1000


def searches(quick):
    """Return the searches, on less data if `quick`."""
    n_rows, n_lines = (20_000, 5_000) if quick else (200_000, 50_000)
    return [
        Search("diabetes", diabetes, 32, {"penalty": "l2"}),
        Search("diamonds", in_thousands, 12, {"penalty": "l2"}),
        Search("diamonds", in_thousands, 32, {"penalty": "l2"}),
        Search("diamonds, L1", in_thousands, 12, {"penalty": "l1"}),
        Search("diamonds, huber", in_thousands, 12, {"loss": "huber", "delta": 0.5, "penalty": "l2"}),
        Search("diamonds, quantile", in_thousands, 12, {"loss": "quantile", "quantile": 0.8, "penalty": "l2"}),
        Search("dense", lambda: gaussian(n_rows, 50), 12, {"penalty": "l2"}),
        Search("text-like", lambda: zipf_csr(n_lines, 20_000, 66), 12, {"penalty": "l2"}),
        Search(
            "text-like, discarding", lambda: zipf_csr(n_lines, 20_000, 66), 12, {"penalty": "l2"}, {"discard": True}
        ),
    ]


def peers(search, X, alphas):
    """Return what a user would take from scikit-learn instead, with the same strengths, or None."""
    if search.parameters == {"penalty": "l2"}:
        n_rows = X.shape[0] * 4 / 5  # Ridge's alpha is relative to the sum of the losses
        return GridSearchCV(Ridge(), {"alpha": alphas * n_rows}, cv=FOLDS)
    if search.parameters == {"penalty": "l1"}:
        return LassoCV(alphas=alphas, cv=FOLDS)
    return None


def measure(search, n_rounds):
    """Return the record of one search."""
    X, y = search.build()
    parameters = {"random_state": 0, **search.parameters}
    ours = RMSpropRegressorCV(alphas=search.n_alphas, cv=FOLDS, **parameters, **search.own).fit(X, y)
    grid = GridSearchCV(RMSpropRegressor(**parameters), {"alpha": ours.alphas_}, cv=FOLDS)
    functions = {"ours": lambda: ours.fit(X, y), "grid": lambda: grid.fit(X, y)}
    peer = peers(search, X, ours.alphas_)
    if peer is not None:
        functions["peer"] = lambda: peer.fit(X, y)
    rounds = time_interleaved(functions, n_rounds)
    seconds = {name: median(times) for name, times in rounds.items()}
    kept = ~ours.cv_results_["discarded"]
    difference = ours.cv_results_["mean_test_score"] - grid.cv_results_["mean_test_score"]
    return {
        "data": label(search.name, X),
        "settings": search.n_alphas,
        "seconds": seconds["ours"],
        "ratio": seconds["grid"] / seconds["ours"],
        "peer": "" if peer is None else "LassoCV" if isinstance(peer, LassoCV) else "grid of Ridge",
        "peer_ratio": seconds["peer"] / seconds["ours"] if peer is not None else float("nan"),
        "difference": float(np.abs(difference[kept]).max()),
        "best": float(grid.best_score_ - ours.best_score_),
    }


def make_table(quick, log):
    """Return the table of searches."""
    records = []
    for search in searches(quick):
        log(f"search: {search.name}, {search.n_alphas} alphas")
        records.append(measure(search, 1 if quick else 3))
    columns = {
        "data": text_column("data"),
        "alphas": text_column("settings"),
        "CPU seconds": number_column("seconds", "{:.2f}".format),
        "times as fast as GridSearchCV": number_column("ratio", format_ratio),
        "peer": text_column("peer"),
        "times as fast as it": number_column("peer_ratio", lambda r: "" if np.isnan(r) else format_ratio(r)),
        "largest difference of a mean R2": number_column("difference", "{:.0e}".format),
        "best R2 less": number_column("best", "{:.0e}".format),
    }
    note = (
        "A search over alpha with five folds: RMSpropRegressorCV, GridSearchCV over RMSpropRegressor with the same "
        "alphas and folds, and scikit-learn's own for the squared error. The last two columns compare scores with "
        "those of GridSearchCV, of settings that were not discarded: losses with a kink, and whitened coordinates, "
        "take other steps to the same optimum."
    )
    return Table("Searches over alpha", note, columns, records)
