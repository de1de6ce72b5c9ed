"""The search: scores and paths against separate fits and exact optima, choice, data, errors."""

import pickle
import tracemalloc
import warnings

import numpy as np
import pytest
from configurations import LOSSES
from scipy import sparse
from sklearn.base import clone
from sklearn.exceptions import ConvergenceWarning, DataConversionWarning, FitFailedWarning
from sklearn.metrics import make_scorer, mean_absolute_error
from sklearn.model_selection import GridSearchCV, GroupKFold, KFold, ShuffleSplit
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from sklearn_rmsprop import RMSpropRegressor, RMSpropRegressorCV, _folds
from sklearn_rmsprop._data import TrainingData
from sklearn_rmsprop._grid import null_gradient
from sklearn_rmsprop._objective import Objective

# Few settings, hardly trained, are enough to see most of what is tested here: then both warnings are right.
pytestmark = [
    pytest.mark.filterwarnings("ignore:The best alpha"),
    pytest.mark.filterwarnings("ignore:max_iter=30 was reached"),
]

SMALL = {"alphas": 3, "cv": 2, "max_iter": 30, "random_state": 0}


def problem(n_rows=120, n_features=6, seed=0):
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(n_rows, n_features)) + rng.normal(size=n_features)
    return X, X @ np.arange(n_features) + 3 * rng.normal(size=n_rows)


def objective_of(model, X, y, coef, intercept):
    """The objective of coefficients, in the terms of the model's parameters."""
    objective = Objective.of(model.get_params())
    loss = objective.loss(np.ones(1)).derivative_and_loss(y[:, np.newaxis], (X @ coef + intercept)[:, np.newaxis])[1]
    return loss.mean() + objective.penalty(coef[:, np.newaxis], np.ones(1))[0]


# Against separate fits

# Where steps are the same, what is left is rounding, which oscillation amplifies over some hundreds of steps.
SAME_STEPS = {
    "l2": {"penalty": "l2"},
    "l1": {"penalty": "l1"},
    "elastic net": {"penalty": "elasticnet", "l1_ratio": [0.2, 0.9]},
    "huber": {"loss": "huber", "delta": 2.0},
    "tube": {"loss": "squared_epsilon_insensitive", "delta": 0.5, "penalty": "l1"},
    "momentum": {"penalty": "l1", "momentum": 0.5},
    "one batch": {"batch_size": "auto"},
    "rates": {"learning_rate": [0.02, 0.3]},
    "decay rates": {"decay_rate": [0.9, "auto"], "penalty": "l1"},
    "no penalty": {"penalty": None, "learning_rate": [0.1, 0.2]},
    "epochs": {"tol": None, "max_iter": 4, "schedule": "linear"},
    "no intercept": {"fit_intercept": False},
    "raw": {"standardize": False, "learning_rate": 0.05},
    "constant steps": {"average": False, "schedule": "constant", "max_iter": 8},
}


@pytest.mark.parametrize("name", SAME_STEPS)
@pytest.mark.parametrize("container", [np.asarray, sparse.csr_matrix])
@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
def test_scores_and_path_are_those_of_separate_fits(name, container):
    X, y = problem()
    X = container(X)
    parameters = {"batch_size": 32, "whiten": False, "max_iter": 40, "random_state": 0} | SAME_STEPS[name]
    cv = KFold(3)
    search = RMSpropRegressorCV(alphas=3, cv=cv, **parameters).fit(X, y)
    grid = [{key: [value] for key, value in setting.items()} for setting in search.cv_results_["params"]]
    fixed = {key: value for key, value in parameters.items() if not isinstance(value, list)}
    separate = GridSearchCV(RMSpropRegressor(**{"penalty": "l2"} | fixed), grid, cv=cv).fit(X, y)
    np.testing.assert_allclose(
        search.cv_results_["mean_test_score"], separate.cv_results_["mean_test_score"], rtol=1e-9, atol=1e-9
    )
    assert search.best_index_ == separate.best_index_
    np.testing.assert_allclose(search.coef_, separate.best_estimator_.coef_, rtol=1e-8, atol=1e-8)
    assert search.n_iter_ == separate.best_estimator_.n_iter_
    alone = RMSpropRegressor(**{"penalty": "l2"} | fixed | search.cv_results_["params"][-1]).fit(X, y)
    np.testing.assert_allclose(search.coef_path_[-1], alone.coef_, rtol=1e-8, atol=1e-8)
    np.testing.assert_allclose(search.intercept_path_[-1], alone.intercept_, rtol=1e-8, atol=1e-8)


def test_settings_end_where_separate_fits_do_inside_epochs():
    """There improvements are measured for all settings at once."""
    X, y = problem(72_000, 3)
    cv = KFold(2)  # 36,000 rows to train on: the loss is evaluated inside epochs from 32,000 on
    search = RMSpropRegressorCV(alphas=[3.0, 0.03, 1e-4], cv=cv, whiten=False, random_state=0).fit(X, y)
    separate = GridSearchCV(
        RMSpropRegressor(penalty="l2", whiten=False, random_state=0), {"alpha": search.alphas_}, cv=cv
    )
    separate.fit(X, y)
    np.testing.assert_allclose(
        search.cv_results_["mean_test_score"], separate.cv_results_["mean_test_score"], rtol=1e-9
    )
    assert search.n_iter_ == separate.best_estimator_.n_iter_
    assert 0 < separate.best_estimator_.evaluation_epochs_[0] < 1


def test_results_have_the_keys_of_a_grid_search():
    X, y = problem()
    search = RMSpropRegressorCV(**SMALL).fit(X, y)
    separate = GridSearchCV(RMSpropRegressor(max_iter=2, tol=None), {"alpha": [0.1], "learning_rate": [0.1]}, cv=2).fit(
        X, y
    )
    assert set(separate.cv_results_) - {"params"} <= set(search.cv_results_)
    assert set(search.cv_results_) - set(separate.cv_results_) == {"param_l1_ratio", "param_decay_rate", "discarded"}
    assert RMSpropRegressor(**search.best_params_).alpha == search.alpha_


@pytest.mark.parametrize("loss", ["absolute_error", "quantile", "epsilon_insensitive"])
def test_kinked_losses_reach_the_optimum_of_each_alpha(loss):
    """All settings reduce the steps together, so the path is another, but ends in the same place."""
    X, y = problem(600)
    search = RMSpropRegressorCV(loss, alphas=4, cv=2, random_state=0, **LOSSES[loss]).fit(X, y)
    model = RMSpropRegressor(loss, penalty="l2", random_state=0, tol=1e-6, max_iter=3000, **LOSSES[loss])
    null = Objective.of(model.get_params()).kind.kernel(np.full(1, 0.5)).of_constant(
        y[:, np.newaxis], 1.0, np.arange(600, dtype=np.uint32), np.median(y)
    )[0]  # fmt: skip
    for k in range(4):
        model.set_params(alpha=search.alphas_[k]).fit(X, y)
        exact = objective_of(model, X, y, model.coef_, model.intercept_)
        found = objective_of(model, X, y, search.coef_path_[k], search.intercept_path_[k])
        assert found - exact < 1e-3 * null  # as for a fit of its own


@pytest.mark.parametrize("units", [1.0, np.logspace(-3, 3, 8)], ids=["like units", "units of 1e-3 to 1e3"])
def test_each_alpha_of_whitened_columns_reaches_its_optimum(units):
    rng = np.random.default_rng(0)
    X = np.cumsum(rng.normal(size=(600, 8)), axis=1) @ rng.normal(size=(8, 8)) * units
    y = X @ (rng.normal(size=8) / units)
    y += rng.normal(size=600) * y.std() / 2
    search = RMSpropRegressorCV(alphas=8, cv=2, whiten=True, random_state=0).fit(X, y)
    centred = X - X.mean(axis=0)
    model = RMSpropRegressor(penalty="l2")
    for k, alpha in enumerate(search.alphas_):
        coef = np.linalg.solve(centred.T @ centred / 600 + alpha * np.eye(8), centred.T @ (y - y.mean()) / 600)
        model.set_params(alpha=alpha)
        exact = objective_of(model, X, y, coef, y.mean() - X.mean(axis=0) @ coef)
        found = objective_of(model, X, y, search.coef_path_[k], search.intercept_path_[k])
        assert found - exact < 1e-4 * y.var() / 2


# The grid


@pytest.mark.parametrize("loss", LOSSES)
@pytest.mark.parametrize("fit_intercept", [True, False])
def test_largest_alpha_is_where_l1_leaves_nothing(loss, fit_intercept):
    X, y = problem(150)
    weight = np.random.default_rng(1).random(150)
    search = RMSpropRegressorCV(
        loss, penalty="l1", fit_intercept=fit_intercept, **SMALL | {"max_iter": 1}, **LOSSES[loss]
    )  # fmt: skip
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        largest = search.fit(X, y, weight).alphas_[0]
        model = RMSpropRegressor(
            loss, penalty="l1", fit_intercept=fit_intercept, random_state=0, batch_size=None, max_iter=3000
        ).set_params(**LOSSES[loss])
        assert not model.set_params(alpha=1.02 * largest).fit(X, y, weight).coef_.any()
        assert model.set_params(alpha=0.9 * largest).fit(X, y, weight).coef_.any()


def test_grid_of_the_squared_error_is_lassos():
    X, y = problem()
    search = RMSpropRegressorCV(penalty="l1", **SMALL).fit(X, y)
    largest = search.alphas_[0]
    np.testing.assert_allclose(largest, np.abs((X - X.mean(axis=0)).T @ (y - y.mean())).max() / 120)
    np.testing.assert_allclose(search.alphas_, largest * np.array([1, 1e-2, 1e-4]))


@pytest.mark.parametrize("loss", ["squared_error", "quantile"])
@pytest.mark.parametrize("penalty", ["l1", "l2"])
@pytest.mark.filterwarnings("ignore")
def test_the_grid_scales_with_the_data_as_the_penalty_does(loss, penalty):
    """The model for c X and b y is that for X and y, if alpha is multiplied by what the grid is multiplied by."""
    X, y = problem()
    search = RMSpropRegressorCV(loss, penalty=penalty, **SMALL)
    alphas = search.fit(X, y).alphas_
    degree = 2 if loss == "squared_error" else 1
    scale = 100.0 * 5.0 ** (degree - 1) if penalty == "l1" else 100.0**2 * 5.0 ** (degree - 2)
    coef_path = search.coef_path_
    np.testing.assert_allclose(search.fit(100 * X, 5 * y).alphas_, scale * alphas)
    np.testing.assert_allclose(search.coef_path_, coef_path * 5 / 100, rtol=1e-4, atol=1e-6)


def test_null_gradient_of_columns_far_from_zero():
    """float32 columns of mean 1e5: products with them would cancel to seven digits only."""
    rng = np.random.default_rng(0)
    X = (1e5 + rng.normal(size=(500, 2))).astype(np.float32)
    y = X[:, :1].astype(float) - 1e5 + rng.normal(size=(500, 1))
    parameters = RMSpropRegressor(penalty="l1").get_params()
    data = TrainingData(X, y, 1.0, np.arange(500, dtype=np.uint32), True)
    gradient, null_loss = null_gradient(data, Objective.of(parameters), fit_intercept=True)
    centred = X.astype(float) - X.astype(float).mean(axis=0)
    np.testing.assert_allclose(gradient, centred.T @ (y.mean() - y[:, 0]) / 500, rtol=1e-9)
    np.testing.assert_allclose(null_loss, y.var() / 2)


def test_several_shares_of_l1_have_grids_of_their_own():
    """The share 0 is L2 alone, in passes of its own: these may be whitened."""
    X, y = problem()
    search = RMSpropRegressorCV(penalty="elasticnet", l1_ratio=[0, 0.5, 1], **SMALL).fit(X, y)
    assert search.alphas_.shape == (3, 3)
    np.testing.assert_allclose(search.alphas_[1], 2 * search.alphas_[2])
    alone = RMSpropRegressorCV(penalty="l2", **SMALL).fit(X, y)
    np.testing.assert_allclose(search.alphas_[0], alone.alphas_)
    np.testing.assert_allclose(search.coef_path_[:3], alone.coef_path_, rtol=1e-9)
    assert search.l1_ratio_ == search.best_params_["l1_ratio"]


def test_alphas_of_the_user_are_tried_in_descending_order():
    search = RMSpropRegressorCV(**SMALL | {"alphas": [0.0, 1.0, 0.1]}).fit(*problem())
    assert search.alphas_.tolist() == [1.0, 0.1, 0.0]
    assert [setting["alpha"] for setting in search.cv_results_["params"]] == [1.0, 0.1, 0.0]


# The choice


def noisy_problem():
    rng = np.random.default_rng(0)
    X = rng.normal(size=(200, 40))
    return X, X @ (2.0 ** -np.arange(40)) + rng.normal(size=200)


def test_one_standard_error_prefers_the_larger_alpha():
    X, y = noisy_problem()
    best = RMSpropRegressorCV(penalty="l1", alphas=16, eps=0.01, cv=4, random_state=0).fit(X, y)
    chosen = clone(best).set_params(select="one_se").fit(X, y)
    assert chosen.best_index_ == best.one_se_index_ == chosen.one_se_index_
    assert chosen.alpha_ > best.alpha_
    assert 0 < np.abs(chosen.coef_).sum() < np.abs(best.coef_).sum()
    results = best.cv_results_
    scores = np.array([results[f"split{k}_test_score"] for k in range(4)])
    error = scores[:, best.best_index_].std(ddof=1) / 2
    enough = np.flatnonzero(results["mean_test_score"] >= best.best_score_ - error)
    assert best.one_se_index_ == enough[0]  # alphas descend
    np.testing.assert_array_equal(chosen.coef_, chosen.coef_path_[chosen.best_index_])


def test_of_equal_scores_the_largest_alpha_is_chosen():
    """With alphas as large as these all models are the null model."""
    X, y = problem()
    search = RMSpropRegressorCV(penalty="l1", **SMALL | {"alphas": [1e6, 1e7, 1e8]}).fit(X, y)
    assert search.best_index_ == 0
    assert search.cv_results_["rank_test_score"].tolist() == [1, 1, 1]


@pytest.mark.parametrize("select", ["best", "one_se"])
def test_one_alpha_one_fold(select):
    X, y = problem()
    cv = ShuffleSplit(1, random_state=0)
    search = RMSpropRegressorCV(**SMALL | {"alphas": 1, "cv": cv, "select": select}).fit(X, y)
    assert search.coef_path_.shape == (1, 6)
    assert search.best_index_ == search.one_se_index_ == 0
    assert np.isfinite(search.best_score_)


@pytest.mark.parametrize("penalty", ["l1", "l2"])
def test_constant_targets(penalty):
    X, y = problem()
    y[:60] = 2.0  # of one fold
    search = RMSpropRegressorCV(penalty=penalty, **SMALL).fit(X, y)
    assert np.isfinite(search.cv_results_["mean_test_score"]).all()
    search.fit(X, np.full(120, 7.0))
    np.testing.assert_allclose(search.predict(X), 7.0)


def test_scoring_is_what_is_chosen_by_and_what_score_returns():
    X, y = problem()
    search = RMSpropRegressorCV(scoring="neg_mean_absolute_error", **SMALL).fit(X, y)
    np.testing.assert_allclose(search.score(X, y), -mean_absolute_error(y, search.predict(X)))
    assert search.best_score_ < 0
    custom = RMSpropRegressorCV(scoring=make_scorer(mean_absolute_error, greater_is_better=False), **SMALL).fit(X, y)
    np.testing.assert_array_equal(custom.cv_results_["mean_test_score"], search.cv_results_["mean_test_score"])

    def fewest_coefficients(model, X, y):
        assert model.predict(X[:3]).shape == (3,)
        return -np.count_nonzero(model.coef_)

    sparsest = RMSpropRegressorCV(penalty="l1", scoring=fewest_coefficients, **SMALL).fit(X, y)
    assert sparsest.best_index_ == 0


# Data


@pytest.mark.parametrize("container", [np.asarray, sparse.csr_matrix])
def test_rows_of_weight_zero_are_as_if_removed(container):
    X, y = problem()
    weight = np.tile([1.0, 0.0, 2.0], 40)
    search = RMSpropRegressorCV(penalty="l1", **SMALL | {"batch_size": 16})
    with_zeros = clone(search).fit(container(X), y, weight)
    removed = clone(search).fit(container(X[weight > 0]), y[weight > 0], weight[weight > 0])
    np.testing.assert_allclose(with_zeros.alphas_, removed.alphas_)
    np.testing.assert_allclose(with_zeros.coef_path_, removed.coef_path_, rtol=1e-9, atol=1e-9)
    for key in ("split0_test_score", "split1_test_score"):
        np.testing.assert_allclose(with_zeros.cv_results_[key], removed.cv_results_[key])
    # row numbers of an iterable are those of all rows
    halves = [(np.arange(60), np.arange(60, 120)), (np.arange(60, 120), np.arange(60))]
    listed = clone(search).set_params(cv=halves).fit(container(X), y, weight)
    np.testing.assert_allclose(listed.cv_results_["mean_test_score"], removed.cv_results_["mean_test_score"])


def test_x_is_not_copied():
    rng = np.random.default_rng(0)
    X = rng.normal(size=(40_000, 40))
    y = X[:, 0] + rng.normal(size=40_000)
    search = RMSpropRegressorCV(alphas=3, cv=3, max_iter=1, tol=None, random_state=0)
    search.fit(X[:100], y[:100])
    tracemalloc.start()
    search.fit(X, y)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < X.nbytes / 2  # a copy of the training rows would be two thirds


def test_float32_stays_float32():
    X, y = problem()
    search = RMSpropRegressorCV(**SMALL).fit(X.astype(np.float32), y)
    assert search.coef_path_.dtype == search.coef_.dtype == search.predict(X.astype(np.float32)).dtype == np.float32
    double = RMSpropRegressorCV(**SMALL).fit(X, y)
    np.testing.assert_allclose(search.coef_path_, double.coef_path_, rtol=1e-3, atol=1e-3)


def test_threads_give_the_same_as_one():
    X, y = problem()
    one, two = (RMSpropRegressorCV(n_jobs=n_jobs, **SMALL).fit(X, y) for n_jobs in (None, 2))
    np.testing.assert_array_equal(one.coef_path_, two.coef_path_)
    np.testing.assert_array_equal(one.cv_results_["mean_test_score"], two.cv_results_["mean_test_score"])


def test_groups_are_kept_together():
    X, y = problem()
    groups = np.repeat(np.arange(10), 12)
    search = RMSpropRegressorCV(**SMALL | {"cv": GroupKFold(3)}).fit(X, y, groups=groups)
    listed = RMSpropRegressorCV(**SMALL | {"cv": list(GroupKFold(3).split(X, y, groups))}).fit(X, y)
    np.testing.assert_array_equal(search.cv_results_["mean_test_score"], listed.cv_results_["mean_test_score"])


def test_weights_and_groups_are_routed():
    import sklearn  # noqa: PLC0415

    X, y = problem()
    weight, groups = np.random.default_rng(0).random(120), np.repeat(np.arange(10), 12)
    search = RMSpropRegressorCV(**SMALL | {"cv": GroupKFold(3)})
    direct = clone(search).fit(StandardScaler().fit_transform(X), y, weight, groups)
    with sklearn.config_context(enable_metadata_routing=True):
        requested = clone(search).set_fit_request(sample_weight=True, groups=True)
        scaler = StandardScaler().set_fit_request(sample_weight=False)
        piped = make_pipeline(scaler, requested).fit(X, y, sample_weight=weight, groups=groups)
    np.testing.assert_allclose(piped[-1].coef_, direct.coef_)


# Discarding


def test_discarded_settings_are_marked_and_the_best_one_is_kept():
    rng = np.random.default_rng(0)
    X = sparse.random(2000, 500, density=0.01, format="csr", random_state=0)
    y = X @ (rng.normal(size=500) * (rng.random(500) < 0.1)) * 10 + rng.normal(size=2000)
    every = RMSpropRegressorCV(penalty="l1", alphas=6, cv=3, random_state=0).fit(X, y)
    some = RMSpropRegressorCV(penalty="l1", alphas=6, cv=3, random_state=0, discard=True).fit(X, y)
    discarded = some.cv_results_["discarded"]
    assert 0 < discarded.sum() < 6
    assert some.best_index_ == every.best_index_
    np.testing.assert_allclose(some.coef_, every.coef_, rtol=1e-9, atol=1e-9)
    assert np.isnan(some.coef_path_[discarded]).all()
    assert not np.isnan(some.coef_path_[~discarded]).any()
    ranks = some.cv_results_["rank_test_score"]
    assert ranks[discarded].min() > ranks[~discarded].max()


@pytest.mark.parametrize("loss", ["huber", "absolute_error"])
def test_discarding_with_robust_losses(loss):
    X, y = problem(400)
    search = RMSpropRegressorCV(loss, alphas=[1e4, 1e3, 1e-3, 1e-4], cv=2, random_state=0, discard=True).fit(X, y)
    assert search.cv_results_["discarded"].tolist() == [True, True, False, False]
    assert search.score(X, y) > 0.8


# Warnings and errors


def test_unfinished_settings_are_told_if_they_may_be_chosen():
    X, y = problem()
    with pytest.warns(ConvergenceWarning, match="max_iter=1 was reached with . of the . settings"):
        RMSpropRegressorCV(alphas=[0.1, 0.01], cv=2, max_iter=1).fit(X, y)


def test_an_alpha_at_the_end_of_the_grid_is_told():
    X, y = problem()
    with pytest.warns(UserWarning, match=r"The best alpha, 10, is the smallest .* smaller ones may be better"):
        RMSpropRegressorCV(alphas=[100, 10], cv=3).fit(X, y)
    X, y = noisy_problem()
    with pytest.warns(UserWarning, match=r"The best alpha, 0.1, is the largest .* larger ones may be better"):
        RMSpropRegressorCV(alphas=[0.1, 0.001], cv=3, penalty="l1").fit(X, y)


def test_settings_that_overflow_have_no_score():
    X, y = problem()
    search = RMSpropRegressorCV(
        alphas=[0.1], cv=2, max_iter=20, learning_rate=[1e300, 0.2], tol=None, average=False, standardize=False
    )  # fmt: skip
    with pytest.warns(FitFailedWarning, match="with 1 of 2 settings"):
        search.fit(X, y)
    assert np.isnan(search.cv_results_["mean_test_score"]).tolist() == [True, False]
    assert search.learning_rate_ == 0.2
    with pytest.raises(ValueError, match=r"overflowed.*with every setting.*lower learning_rate"):
        clone(search).set_params(learning_rate=1e300).fit(X, y)


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"alphas": [0.1, -1.0]}, "alphas must not be negative; got -1.0"),
        ({"alphas": [[0.1]]}, r"alphas must be a number of strengths, or a list of them; got an array of shape"),
        ({"alphas": ["a"]}, "could not convert string"),
        ({"alphas": 0}, "'alphas' parameter"),
        ({"eps": 1.0}, "'eps' parameter"),
        ({"l1_ratio": [0.1, 0.5]}, "l1_ratio must be a number with penalty='l2'"),
        ({"l1_ratio": [], "penalty": "elasticnet"}, "l1_ratio must be a value or a list of at least one"),
        ({"l1_ratio": [0.1, 2.0], "penalty": "elasticnet"}, "'l1_ratio' parameter"),
        ({"learning_rate": [0.1, 0.0]}, "'learning_rate' parameter"),
        ({"decay_rate": ["auto", "best"]}, "'decay_rate' parameter"),
        ({"decay_rate": "best"}, "'decay_rate' parameter"),
        ({"cv": 1}, "'cv' parameter"),
        ({"cv": [(np.arange(5), np.arange(0))]}, "fold 0 has no test rows"),
        ({"select": "worst"}, "'select' parameter"),
        ({"scoring": "beauty"}, "'scoring' parameter"),
        ({"whiten": True, "penalty": "l1"}, "whiten must be False or 'auto' with an L1 penalty"),
    ],
)
def test_bad_parameters_are_named(parameters, message):
    X, y = problem(30)
    with pytest.raises(ValueError, match=message):
        RMSpropRegressorCV(**SMALL | parameters).fit(X, y)


def test_one_target_only():
    X, y = problem(30)
    with pytest.raises(ValueError, match=r"y must have one column; got 2.*MultiOutputRegressor"):
        RMSpropRegressorCV(**SMALL).fit(X, np.column_stack([y, y]))
    with pytest.warns(DataConversionWarning):
        RMSpropRegressorCV(**SMALL).fit(X, y[:, np.newaxis])


def test_a_failed_fit_leaves_the_earlier_model():
    X, y = problem(60)
    search = RMSpropRegressorCV(**SMALL).fit(X, y)
    before = {**vars(search)}
    with pytest.raises(ValueError, match="inf"):
        search.fit(np.where(X > 2, np.inf, X)[:, :3], y)
    assert vars(search) == before


# The estimator


def test_pickle_and_clone():
    X, y = problem(60)
    search = RMSpropRegressorCV(**SMALL).fit(X, y)
    loaded = pickle.loads(pickle.dumps(search))
    np.testing.assert_array_equal(loaded.predict(X), search.predict(X))
    np.testing.assert_array_equal(loaded.coef_path_, search.coef_path_)
    assert not hasattr(clone(search), "coef_")


def test_verbose_prints_a_line_for_each_pass(capsys):
    RMSpropRegressorCV(**SMALL, verbose=1).fit(*problem(60))
    lines = capsys.readouterr().out.splitlines()
    assert [line.partition(":")[0] for line in lines] == ["fold 1 of 2", "fold 2 of 2", "all rows"]


def test_settings_of_a_pass_leave_it_when_they_have_ended(monkeypatch):
    """Otherwise each would take as long as the slowest."""
    widths = []
    original = _folds.Columns._take_out

    def recorded(self):
        original(self)
        widths.append(len(self._in_pass))

    monkeypatch.setattr(_folds.Columns, "_take_out", recorded)
    RMSpropRegressorCV(penalty="l1", alphas=8, cv=2, random_state=0, batch_size=16).fit(*problem(600))
    assert widths[0] == 8
    assert min(widths) < 4


def test_folds_of_one_row_need_another_score_than_r2():
    X, y = np.arange(6.0)[:, np.newaxis], np.arange(6.0)
    with pytest.raises(ValueError, match=r"at least two test rows in each fold.*fewer folds"):
        RMSpropRegressorCV(alphas=3).fit(X, y)
    RMSpropRegressorCV(alphas=3, scoring="neg_mean_squared_error", random_state=0).fit(X, y)
