"""Early stopping: validation rows are never learned from, and the model that predicts them best is reported."""

import pickle
import warnings

import numpy as np
import oracles
import pandas as pd
import pytest
import sklearn
from scipy import sparse
from sklearn.base import clone
from sklearn.exceptions import ConvergenceWarning
from sklearn.metrics import d2_absolute_error_score, d2_pinball_score, r2_score
from sklearn.model_selection import train_test_split
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import StandardScaler

from sklearn_rmsprop import RMSpropRegressor

# A tenth is 51 rows, whose quantiles 0.1, 0.2, ... are values among them by any definition.
N_ROWS = 510
KINKED = {
    "absolute_error": {},
    "quantile": {"quantile": 0.3},
    "epsilon_insensitive": {"delta": 0.5},
}
SMOOTH = {"squared_error": {}, "huber": {"delta": 0.8}, "squared_epsilon_insensitive": {"delta": 0.5}}

every_container = pytest.mark.parametrize("container", [np.asarray, sparse.csr_array], ids=["dense", "CSR"])
every_loss = pytest.mark.parametrize("loss", KINKED | SMOOTH)


def problem(n_rows=N_ROWS, n_features=40, seed=0):
    """Many columns for these rows, so that the held-out score does not rise to the end."""
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(n_rows, n_features))
    return X, 7 + X[:, :4] @ [1.0, -2.0, 3.0, 0.5] + 3 * rng.normal(size=n_rows)


def split(n_rows=N_ROWS, seed=0):
    """Return the numbers of the rows that are learned from and of those held out: a tenth, by `random_state`."""
    return train_test_split(np.arange(n_rows), test_size=n_rows // 10, random_state=seed)


def stopping(loss="squared_error", **parameters):
    options = (KINKED | SMOOTH)[loss]
    fixed = {"early_stopping": True, "random_state": 0, "batch_size": 32}
    return RMSpropRegressor(loss, **fixed | options | parameters)


@every_container
@every_loss
def test_held_out_rows_are_never_learned_from(loss, container):
    """Poison in them changes no loss and no step; in a row that is learned from, it does."""
    X, y = problem()
    kept, held_out = split()
    parameters = {"tol": None, "max_iter": 20}
    clean = stopping(loss, **parameters).fit(container(X), y)

    poisoned_X, poisoned_y = X.copy(), y.copy()
    poisoned_X[held_out] *= -100
    poisoned_y[held_out] = 1e6 * np.arange(len(held_out))
    poisoned = stopping(loss, **parameters).fit(container(poisoned_X), poisoned_y)
    assert poisoned.loss_curve_ == clean.loss_curve_
    assert poisoned.validation_scores_ != clean.validation_scores_

    poisoned_y = y.copy()
    poisoned_y[kept[5]] += 10
    assert stopping(loss, **parameters).fit(container(X), poisoned_y).loss_curve_ != clean.loss_curve_


@every_container
def test_it_is_the_fit_of_the_other_rows(container):
    """With the best epoch the last: the same rows, in the same order, and the same units."""
    X, y = problem()
    kept, _ = split()
    parameters = {"batch_size": 32, "tol": None, "max_iter": 1, "shuffle": False}
    held_out = stopping(**parameters).fit(container(X), y)
    kept_only = RMSpropRegressor(**parameters).fit(container(X[np.sort(kept)]), y[np.sort(kept)])
    # dense sums over the same rows, at other places in memory
    np.testing.assert_allclose(held_out.coef_, kept_only.coef_, rtol=1e-12)
    np.testing.assert_allclose(held_out.intercept_, kept_only.intercept_, rtol=1e-12)


@every_container
@every_loss
@pytest.mark.parametrize("tol", [1e-4, None])
def test_the_model_published_is_the_best_of_all_checks(loss, tol, container):
    X, y = problem()
    _, held_out = split()
    model = stopping(loss, tol=tol, max_iter=100).fit(container(X), y)
    scores = model.validation_scores_
    assert len(scores) == len(model.loss_curve_) > 3
    assert all(isinstance(score, float) for score in scores)
    assert np.argmax(scores) < len(scores) - 1, "the premise: the last is not the best"

    options = {"loss": loss, **(KINKED | SMOOTH)[loss]}
    X_out, y_out = X[held_out], y[held_out]
    missed = oracles.objective(X_out, y_out, model.coef_, model.intercept_, **options)
    # the best constant; for the Huber and insensitive losses the median stands for it
    if loss in ("huber", "epsilon_insensitive"):
        null = oracles.objective(X_out, y_out, 0 * model.coef_, np.median(y_out), **options)
    elif loss == "squared_epsilon_insensitive":
        null = oracles.objective(X_out, y_out, 0 * model.coef_, np.mean(y_out), **options)
    else:
        null = oracles.null(y_out, **options)
    assert max(scores) == pytest.approx(1 - missed / null, rel=1e-10)


@every_container
def test_the_score_is_scikit_learns(container):
    """R2 and its kin for the absolute error and for quantiles."""
    X, y = problem()
    _, held_out = split()
    for loss, score in {
        "squared_error": r2_score,
        "absolute_error": d2_absolute_error_score,
        "quantile": lambda *args: d2_pinball_score(*args, alpha=0.3),
    }.items():
        model = stopping(loss).fit(container(X), y)
        expected = score(y[held_out], model.predict(X[held_out]))
        assert max(model.validation_scores_) == pytest.approx(expected, rel=1e-10)


@every_container
def test_the_score_of_several_targets_is_their_mean(container):
    X, y = problem()
    Y = np.column_stack([y, 1000 * X[:, 5] + y, -y - X[:, 0]])
    _, held_out = split()
    model = stopping().fit(container(X), Y)
    assert max(model.validation_scores_) == pytest.approx(r2_score(Y[held_out], model.predict(X[held_out])), rel=1e-10)


@every_container
@every_loss
def test_weights_count_among_the_rows_held_out(loss, container):
    X, y = problem()
    weight = np.random.default_rng(1).uniform(0.1, 3, size=N_ROWS)
    _, held_out = split()
    model = stopping(loss).fit(container(X), y, sample_weight=weight)
    options = {"loss": loss, **(KINKED | SMOOTH)[loss]}
    if loss == "squared_error":
        expected = r2_score(y[held_out], model.predict(X[held_out]), sample_weight=weight[held_out])
        assert max(model.validation_scores_) == pytest.approx(expected, rel=1e-10)
    elif loss in ("absolute_error", "quantile"):
        options |= {"sample_weight": weight[held_out]}
        missed = oracles.objective(X[held_out], y[held_out], model.coef_, model.intercept_, **options)
        expected = 1 - missed / oracles.null(y[held_out], **options)
        assert max(model.validation_scores_) == pytest.approx(expected, rel=1e-10)
    unweighted = stopping(loss).fit(container(X), y)
    assert max(model.validation_scores_) != max(unweighted.validation_scores_)
    # only ratios of weights matter; a power of two makes no rounding
    again = stopping(loss).fit(container(X), y, sample_weight=4 * weight)
    np.testing.assert_allclose(again.validation_scores_, model.validation_scores_, rtol=1e-12)


@every_container
def test_rows_of_weight_zero_are_on_neither_side(container):
    X, y = problem()
    weight = np.ones(N_ROWS)
    weight[::3] = 0
    kept = weight > 0
    spoilt = np.where(kept, y, 1e9)
    parameters = {"shuffle": False, "tol": None, "max_iter": 30}
    all_rows = stopping(**parameters).fit(container(X), spoilt, sample_weight=weight)
    without = stopping(**parameters).fit(container(X[kept]), y[kept])
    np.testing.assert_allclose(all_rows.validation_scores_, without.validation_scores_, rtol=1e-9)


def test_validation_fraction_is_the_share_held_out():
    X, y = problem()
    for fraction, n_held_out in ((0.1, 51), (0.5, 255), (0.2, 102)):
        _, held_out = train_test_split(np.arange(N_ROWS), test_size=n_held_out, random_state=0)
        model = stopping(validation_fraction=fraction).fit(X, y)
        expected = r2_score(y[held_out], model.predict(X[held_out]))
        assert max(model.validation_scores_) == pytest.approx(expected, rel=1e-10)
    with pytest.raises(ValueError, match="validation_fraction"):
        stopping(validation_fraction=1.0).fit(X, y)


@pytest.mark.parametrize(("n_rows", "fraction"), [(2, 0.1), (10, 0.1), (1, 0.5), (3, 0.99)])
def test_too_few_rows_are_said_to_be_too_few(n_rows, fraction):
    X, y = problem(20)
    weight = (np.arange(20) < n_rows).astype(float)
    with pytest.raises(ValueError, match=f"{n_rows} rows leave"):
        stopping(validation_fraction=fraction).fit(X[:n_rows], y[:n_rows])
    with pytest.raises(ValueError, match=f"{n_rows} rows leave"):
        stopping(validation_fraction=fraction).fit(X, y, sample_weight=weight)
    stopping(validation_fraction=0.5, tol=None, max_iter=1).fit(X[:4], y[:4])


def test_rows_held_out_that_are_all_alike():
    """No R2 there; the fit must end, and not with a warning."""
    X, y = problem()
    _, held_out = split()
    for value in (0.0, 7.0):
        y = y.copy()
        y[held_out] = value
        for loss in KINKED | SMOOTH:
            model = stopping(loss).fit(X, y)
            assert np.isfinite(model.validation_scores_).all()
            assert np.isfinite(model.coef_).all()


def test_partial_fit_refuses():
    X, y = problem()
    with pytest.raises(ValueError, match="early_stopping"):
        stopping().partial_fit(X, y)
    model = stopping().fit(X, y)
    with pytest.raises(ValueError, match="early_stopping"):
        model.partial_fit(X, y)


@every_container
def test_partial_fit_goes_on_from_the_best(container):
    """As if training had ended there: steps, random order and average are as they were then."""
    X, y = problem()
    model = stopping().fit(container(X), y)
    best = int(model.evaluation_epochs_[np.argmax(model.validation_scores_)])
    with warnings.catch_warnings(action="ignore", category=ConvergenceWarning):
        ended = stopping(max_iter=best).fit(container(X), y)
    assert ended.n_iter_ < model.n_iter_
    for one in (model, ended):
        one.set_params(early_stopping=False).partial_fit(container(X), y)
    np.testing.assert_array_equal(model.coef_, ended.coef_)
    assert model.t_ == ended.t_


def test_scores_are_there_only_after_a_fit_that_held_rows_out():
    X, y = problem()
    model = stopping().fit(X, y)
    scores = model.validation_scores_
    with pytest.raises(ValueError, match="sample_weight"):
        model.fit(X, y, sample_weight=-np.ones(N_ROWS))
    assert model.validation_scores_ is scores
    model.set_params(early_stopping=False).fit(X, y)
    assert not hasattr(model, "validation_scores_")
    assert not hasattr(RMSpropRegressor().fit(X, y), "validation_scores_")


@every_loss
def test_stopped_by_the_score_is_no_reason_to_warn(loss):
    X, y = problem()
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        model = stopping(loss).fit(X, y)
    assert model.n_iter_ < model.max_iter


def test_stopped_by_max_iter_warns():
    X, y = problem()
    with pytest.warns(ConvergenceWarning, match="max_iter"):
        stopping(max_iter=7, learning_rate=1e-3).fit(X, y)


@every_container
@every_loss
def test_tol_none_runs_all_epochs(loss, container):
    X, y = problem()
    model = stopping(loss, tol=None, max_iter=51).fit(container(X), y)
    assert model.n_iter_ == 51
    assert len(model.validation_scores_) == len(model.loss_curve_) == 51


def test_checks_wait_for_the_score_and_not_for_the_loss():
    """With patience for one check, the fit ends with the first that has not improved."""
    X, y = problem()
    model = stopping(n_iter_no_change=1, tol=0, learning_rate=0.02).fit(X, y)
    scores = model.validation_scores_
    assert all(np.diff(scores)[:-1] > 0)
    assert scores[-1] <= scores[-2]
    longer = stopping(n_iter_no_change=4, tol=0, learning_rate=0.02).fit(X, y)
    assert longer.validation_scores_[: len(scores)] == scores
    assert np.argmax(longer.validation_scores_) == len(longer.validation_scores_) - 5
    # the training loss goes on falling meanwhile
    assert longer.loss_curve_[-1] < longer.loss_curve_[len(longer.loss_curve_) - 5]


def test_it_is_worth_something():
    """Almost as many columns as rows, and much noise: the whole fit predicts new rows far worse."""
    gained = []
    for seed in range(5):
        X, y = problem(2200, 175, seed)
        train, new = slice(0, 200), slice(200, None)
        with_stop = stopping(random_state=seed, learning_rate=0.13, validation_fraction=0.1).fit(X[train], y[train])
        whole = RMSpropRegressor(random_state=seed, learning_rate=0.13, tol=None).fit(X[train], y[train])
        gained.append(with_stop.score(X[new], y[new]) - whole.score(X[new], y[new]))
    assert min(gained) > 0.5


@every_container
def test_the_same_seed_is_the_same_fit_and_it_can_be_stored_and_cloned(container):
    X, y = problem()
    model = stopping().fit(container(X), y)
    stored = pickle.loads(pickle.dumps(model))
    again = clone(model).fit(container(X), y)
    assert not hasattr(clone(model), "validation_scores_")
    for other in (stored, again):
        np.testing.assert_array_equal(other.coef_, model.coef_)
        assert other.validation_scores_ == model.validation_scores_
    assert stopping(random_state=1).fit(container(X), y).validation_scores_ != model.validation_scores_


@pytest.mark.parametrize("penalty", ["l1", "l2", "elasticnet"])
def test_the_penalty_is_no_part_of_the_score(penalty):
    X, y = problem()
    _, held_out = split()
    model = stopping(penalty=penalty, alpha=0.3, l1_ratio=0.5).fit(X, y)
    expected = r2_score(y[held_out], model.predict(X[held_out]))
    assert max(model.validation_scores_) == pytest.approx(expected, rel=1e-10)
    assert (model.coef_ == 0).any() == (penalty != "l2")


def test_float32():
    X, y = problem()
    _, held_out = split()
    model = stopping().fit(X.astype(np.float32), y)
    assert model.coef_.dtype == np.float32
    # coefficients are rounded when published
    assert max(model.validation_scores_) == pytest.approx(r2_score(y[held_out], model.predict(X[held_out])), rel=1e-5)


@every_container
@every_loss
def test_own_validation_data_act_like_rows_held_out(loss, container):
    """The fit that holds these rows out, and the fit of the other rows that gets them as X_val: the same scores."""
    X, y = problem()
    weight = np.random.default_rng(1).uniform(0.1, 3, size=N_ROWS)
    kept, held_out = (np.sort(rows) for rows in split())
    parameters = {"shuffle": False, "tol": None, "max_iter": 30}
    model = stopping(loss, **parameters).fit(container(X), y, sample_weight=weight)
    own = stopping(loss, **parameters).fit(
        container(X[kept]),
        y[kept],
        sample_weight=weight[kept],
        X_val=container(X[held_out]),
        y_val=y[held_out],
        sample_weight_val=weight[held_out],
    )
    # few steps, in which rounding differences do not grow much
    np.testing.assert_allclose(own.validation_scores_, model.validation_scores_, rtol=1e-8)
    np.testing.assert_allclose(own.coef_, model.coef_, rtol=1e-6)


@every_container
def test_with_own_validation_data_all_rows_are_trained_on(container):
    """The path is that of the fit without early stopping, and the model that of the best score."""
    X, y = problem(600)
    X_val, y_val = X[N_ROWS:], y[N_ROWS:]
    rows, target = container(X[:N_ROWS]), y[:N_ROWS]
    model = stopping(tol=None, max_iter=100).fit(rows, target, X_val=container(X_val), y_val=y_val)
    whole = RMSpropRegressor(tol=None, max_iter=100, random_state=0).fit(rows, target)
    assert model.loss_curve_ == whole.loss_curve_
    assert np.argmax(model.validation_scores_) < len(model.validation_scores_) - 1, "the premise: the last is not best"
    assert max(model.validation_scores_) == pytest.approx(r2_score(y_val, model.predict(X_val)), rel=1e-10)


def test_own_validation_data_may_be_of_another_kind():
    """Sparse beside dense, float32 beside float64, a read-only array; it is not changed."""
    X, y = problem(600)
    X_val, y_val = X[N_ROWS:].copy(), y[N_ROWS:].copy()
    X_val.flags.writeable = y_val.flags.writeable = False
    expected = stopping().fit(X[:N_ROWS], y[:N_ROWS], X_val=X_val, y_val=y_val)
    for rows in (sparse.csc_array(X_val), X_val.tolist(), np.asfortranarray(X_val)):
        model = stopping().fit(X[:N_ROWS], y[:N_ROWS], X_val=rows, y_val=y_val.reshape(-1, 1))
        np.testing.assert_allclose(model.validation_scores_, expected.validation_scores_, rtol=1e-12)
    model = stopping().fit(X[:N_ROWS], y[:N_ROWS], X_val=X_val.astype(np.float32), y_val=y_val)
    np.testing.assert_allclose(model.validation_scores_, expected.validation_scores_, rtol=1e-5)


def test_own_validation_rows_of_weight_zero_do_not_count():
    X, y = problem(600)
    X_val, y_val, weight = X[N_ROWS:], y[N_ROWS:].copy(), np.ones(600 - N_ROWS)
    weight[::3], y_val[::3] = 0, 1e9
    fits = [
        stopping().fit(X[:N_ROWS], y[:N_ROWS], X_val=X_val, y_val=y_val, sample_weight_val=weight),
        stopping().fit(X[:N_ROWS], y[:N_ROWS], X_val=X_val[weight > 0], y_val=y_val[weight > 0]),
    ]
    np.testing.assert_allclose(fits[0].validation_scores_, fits[1].validation_scores_, rtol=1e-12)


@pytest.mark.parametrize(
    ("early_stopping", "arguments", "message"),
    [
        (False, {"X_val": 1, "y_val": 1}, r"early_stopping must be True .* \(X_val, y_val\); got False"),
        (False, {"sample_weight_val": 1}, r"early_stopping must be True .* \(sample_weight_val\)"),
        (True, {"X_val": 1}, "got X_val without y_val. Pass both"),
        (True, {"y_val": 1, "sample_weight_val": 1}, "got y_val and sample_weight_val without X_val"),
        (True, {"sample_weight_val": 1}, "got sample_weight_val without X_val"),
    ],
)
def test_validation_data_that_would_not_be_used(early_stopping, arguments, message):
    X, y = problem()
    values = {"X_val": X, "y_val": y, "sample_weight_val": np.ones(N_ROWS)}
    with pytest.raises(ValueError, match=message):
        stopping(early_stopping=early_stopping).fit(X, y, **{name: values[name] for name in arguments})


def test_own_validation_data_are_checked_as_in_fit():
    X, y = problem(60)
    names = [f"x{i}" for i in range(40)]
    frame = pd.DataFrame(X, columns=names)
    with_nan = X.copy()
    with_nan[3, 2] = np.nan
    cases = [
        ({"X_val": X[:, :39], "y_val": y}, "X has 39 features, but RMSpropRegressor is expecting 40"),
        ({"X_val": with_nan, "y_val": y}, "contains NaN"),
        ({"X_val": X, "y_val": y[:50]}, "inconsistent numbers of samples"),
        ({"X_val": X, "y_val": np.column_stack((y, y))}, "y must have 1 columns, as in training; got 2"),
        ({"X_val": X, "y_val": ["a"] * 60}, "y must be numbers"),
        ({"X_val": X, "y_val": y, "sample_weight_val": -np.ones(60)}, "sample_weight must not be negative"),
        ({"X_val": X, "y_val": y, "sample_weight_val": np.ones(59)}, "sample_weight must have shape"),
    ]
    for arguments, message in cases:
        with pytest.raises(ValueError, match=f"Among X_val, y_val and sample_weight_val.*{message}"):
            stopping().fit(X, y, **arguments)
    with pytest.raises(ValueError, match=r"Among X_val.*feature names should match"):
        stopping().fit(frame, y, X_val=frame[names[::-1]], y_val=y)
    with pytest.raises(TypeError, match=r"Among X_val.*generator"):
        stopping().fit(X, y, X_val=(row for row in X), y_val=y)
    with pytest.warns(UserWarning, match="X does not have valid feature names"):
        stopping().fit(frame, y, X_val=X, y_val=y)


def test_own_validation_data_in_a_pipeline():
    """Routed by request, and transformed like X."""
    X, y = problem(600)
    rows, X_val, target, y_val = X[:N_ROWS] * 7 + 5, X[N_ROWS:] * 7 + 5, y[:N_ROWS], y[N_ROWS:]
    with sklearn.config_context(enable_metadata_routing=True):
        step = stopping().set_fit_request(X_val=True, y_val=True)
        pipeline = Pipeline([("scale", StandardScaler()), ("model", step)], transform_input=["X_val"])
        pipeline.fit(rows, target, X_val=X_val, y_val=y_val)
    assert max(pipeline[-1].validation_scores_) == pytest.approx(r2_score(y_val, pipeline.predict(X_val)), rel=1e-10)
