"""Which setting of a search to choose, from the scores of the folds."""

from collections.abc import Mapping
from typing import Any

import numpy as np
from scipy.stats import rankdata

from sklearn_rmsprop._folds import FoldResult

# What may have several values, besides alpha.
LISTS = ("l1_ratio", "learning_rate", "decay_rate")

# Scores (R2 or others of its scale) that rise by less than this towards an end of the grid are as good as equal.
LEAST_GAIN_AT_END = 1e-3


def results_of_search(grid: list[dict[str, Any]], results: list[FoldResult], discarded: np.ndarray) -> dict[str, Any]:
    """What `cv_results_` has, in the order of `GridSearchCV`'s keys."""
    n = len(grid)
    found: dict[str, Any] = {}
    for kind, seconds in (
        ("fit", [result.fit_seconds / n for result in results]),
        ("score", [result.score_seconds / n for result in results]),
    ):
        found[f"mean_{kind}_time"] = np.full(n, np.mean(seconds))
        found[f"std_{kind}_time"] = np.full(n, np.std(seconds))
    for name in grid[0]:
        values = [setting[name] for setting in grid]
        dtype = object if any(isinstance(value, str) for value in values) else float
        found[f"param_{name}"] = np.ma.array(values, dtype=dtype)
    found["params"] = grid
    scores = np.array([result.scores for result in results])
    for number, of_fold in enumerate(scores):
        found[f"split{number}_test_score"] = of_fold
    mean = found["mean_test_score"] = scores.mean(axis=0)
    found["std_test_score"] = scores.std(axis=0)
    # lowest those without a score, then those discarded; as in GridSearchCV, equal scores share the best of their ranks
    has_score = np.isfinite(mean)
    keys = np.column_stack([has_score, has_score & ~discarded, np.where(has_score, mean, 0)])
    level = np.unique(keys, axis=0, return_inverse=True)[1].ravel()
    found["rank_test_score"] = rankdata(-level, method="min").astype(np.int32)
    found["discarded"] = discarded
    return found


def one_standard_error(cv_results: Mapping[str, Any], best: int) -> int:
    """The setting with the largest alpha within one standard error of the best one, which differs from it in no other
    parameter."""
    mean = cv_results["mean_test_score"]
    within = on_path_of(cv_results, best) & (mean >= mean[best] - standard_error(cv_results, best))
    within[best] = True
    return int(np.flatnonzero(within)[np.argmax(cv_results["param_alpha"].data[within])])


def on_path_of(cv_results: Mapping[str, Any], setting: int) -> np.ndarray:
    """Which settings differ from this one in alpha only, and were not discarded."""
    same = [~cv_results["discarded"]]
    for name in LISTS:
        values = cv_results[f"param_{name}"].data
        same.append(values == values[setting])
    return np.logical_and.reduce(same)


def scores_of_folds(cv_results: Mapping[str, Any]) -> np.ndarray:
    """The scores, (n_folds, n_settings)."""
    return np.array([scores for key, scores in cv_results.items() if key.startswith("split")])


def standard_error(cv_results: Mapping[str, Any], setting: int | None = None) -> Any:
    """The standard error of the mean score of a setting, or of each; 0 if there is one fold only."""
    scores = scores_of_folds(cv_results)
    errors = scores.std(axis=0, ddof=1) / len(scores) ** 0.5 if len(scores) > 1 else np.zeros(scores.shape[1])
    return errors if setting is None else errors[setting]


def beyond_the_grid(cv_results: Mapping[str, Any], best: int, *, is_null: bool) -> str | None:
    """What a warning should say if an alpha beyond those tried is likely to be better, or None.

    That is so if the best is the smallest or the largest, and its neighbour's scores are worse by more than a standard
    error of the difference. `is_null`: whether the best model is about the best constant, which larger ones are, too.
    """
    path = np.flatnonzero(on_path_of(cv_results, best))
    alphas = cv_results["param_alpha"].data[path]
    if len(np.unique(alphas)) < 2 or alphas.min() == 0:
        return None
    order = path[np.argsort(alphas)]
    if best not in (order[0], order[-1]):
        return None
    smaller = best == order[0]
    if not smaller and is_null:
        return None
    neighbour = order[1] if smaller else order[-2]
    scores = scores_of_folds(cv_results)
    gain = scores[:, best] - scores[:, neighbour]
    if len(gain) < 2 or not gain.mean() > max(gain.std(ddof=1) / len(gain) ** 0.5, LEAST_GAIN_AT_END):
        return None
    end, beyond = ("smallest", "smaller") if smaller else ("largest", "larger")
    return (
        f"The best alpha, {cv_results['param_alpha'].data[best]:.2g}, is the {end} of those tried, and scores rise "
        f"towards it: {beyond} ones may be better. Pass a list of alphas that reaches farther"
        f"{', or a smaller eps' if smaller else ''}."
    )
