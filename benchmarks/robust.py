"""Seconds and loss of robust fits: quantiles and the Huber loss, of RMSpropRegressor and its peers.

Every fit runs in a process of its own, which is ended if it takes longer than the cap. The peers are the estimators of
scikit-learn with these losses, and, where they are installed, statsmodels and LightGBM.
"""

import multiprocessing
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from importlib.util import find_spec
from statistics import median

import numpy as np
from data import DataSet, diamonds_all_columns, gaussian, label
from linear import Linear
from sklearn.linear_model import HuberRegressor, QuantileRegressor
from sklearn.metrics import mean_pinball_loss
from table import Table, format_seconds, text_column
from timing import cpu_clock

from sklearn_rmsprop import RMSpropRegressor

QUANTILES = (0.1, 0.5, 0.9)
# With this delta, in standard deviations of the noise, the Huber loss loses 5 % of the efficiency of least squares on
# normal noise (Huber, 1964). It is the default of statsmodels, and rounded that of HuberRegressor.
HUBER_EFFICIENT = 1.345
# Processes are copied with their data only where the system can fork; elsewhere fits run in this process without a cap.
CAN_FORK = "fork" in multiprocessing.get_all_start_methods()


def heavy_tailed(n_rows, n_columns):
    """Return standard normal columns, and a target with a signal of variance 1 and Student's t(2) noise."""
    X, y = gaussian(n_rows, n_columns, noise=0.0)
    return X, y + np.random.default_rng(0).standard_t(2, n_rows)


@dataclass(frozen=True)
class Loss:
    """A loss to minimise: the pinball loss of a quantile, or the Huber loss with this ``delta``."""

    quantile: float | None = None
    delta: float = HUBER_EFFICIENT

    @property
    def name(self):
        return "huber" if self.quantile is None else f"quantile {self.quantile}"

    def mean(self, y, prediction):
        """Return the mean loss of these predictions."""
        if self.quantile is not None:
            return float(mean_pinball_loss(y, prediction, alpha=self.quantile))
        error = np.abs(y - prediction)
        return float(np.mean(np.where(error < self.delta, error**2 / 2, self.delta * (error - self.delta / 2))))


def fit_rmsprop(loss, X, y):
    """Fit RMSpropRegressor with the defaults but for the loss."""
    if loss.quantile is not None:
        return RMSpropRegressor("quantile", quantile=loss.quantile, random_state=0).fit(X, y)
    return RMSpropRegressor("huber", delta=loss.delta, random_state=0).fit(X, y)


def fit_sklearn(loss, X, y):
    """Fit QuantileRegressor or HuberRegressor without a penalty."""
    if loss.quantile is not None:
        return QuantileRegressor(quantile=loss.quantile, alpha=0).fit(X, y)
    return HuberRegressor(epsilon=HUBER_EFFICIENT, alpha=0, max_iter=1000).fit(X, y)


def fit_statsmodels(loss, X, y):
    """Fit QuantReg or RLM with their default settings."""
    import statsmodels.api as sm  # noqa: PLC0415 - an optional package

    A = sm.add_constant(X)
    if loss.quantile is not None:
        result = sm.QuantReg(y, A).fit(q=loss.quantile)
    else:
        result = sm.RLM(y, A, M=sm.robust.norms.HuberT(HUBER_EFFICIENT)).fit()
    return Linear(result.params[1:], result.params[0])


def fit_lightgbm(loss, X, y):
    """Fit LGBMRegressor, whose model is not linear, with its default settings on one thread."""
    from lightgbm import LGBMRegressor  # noqa: PLC0415 - an optional package

    objective = ("huber", loss.delta) if loss.quantile is None else ("quantile", loss.quantile)
    return LGBMRegressor(objective=objective[0], alpha=objective[1], n_jobs=1, random_state=0, verbose=-1).fit(X, y)


# Functions from a loss and data to a fitted model, and the package that each needs.
MODELS = {
    "RMSpropRegressor": (fit_rmsprop, "sklearn_rmsprop"),
    "scikit-learn": (fit_sklearn, "sklearn"),
    "statsmodels": (fit_statsmodels, "statsmodels"),
    "LightGBM": (fit_lightgbm, "lightgbm"),
}


@dataclass(frozen=True)
class Case:
    """A data set, and the ``delta`` of the Huber loss in the units of its target."""

    data: DataSet
    delta: float = HUBER_EFFICIENT


# From small to large: what exceeds the cap on one of them is not tried on the next ones.
CASES = (
    Case(DataSet("heavy-tailed noise", partial(heavy_tailed, 10_000, 10), partial(heavy_tailed, 2000, 10))),
    # The median absolute residual of least squares is about 520 dollars, which is a standard deviation of 770.
    Case(DataSet("diamonds, all columns", diamonds_all_columns), delta=1000.0),
    Case(DataSet("heavy-tailed noise", partial(heavy_tailed, 100_000, 20), partial(heavy_tailed, 20_000, 20))),
    Case(DataSet("heavy-tailed noise", partial(heavy_tailed, 1_000_000, 50), partial(heavy_tailed, 100_000, 50))),
)


@dataclass
class Outcome:
    """The fits of one model: the loss on new rows, and the seconds of each round; None if it exceeded the cap."""

    loss: float | None = None
    seconds: list = field(default_factory=list)


def timed_fit(fit: Callable, X, y, evaluate: Callable):
    """Return the CPU seconds of ``fit(X, y)``, and the loss of the model."""
    start = cpu_clock()
    model = fit(X, y)
    return cpu_clock() - start, evaluate(model)


def timed_fit_with_cap(fit: Callable, X, y, evaluate: Callable, cap):
    """Return the same from a process of its own, or None if that has used ``cap`` seconds of CPU time."""
    if not CAN_FORK:
        return timed_fit(fit, X, y, evaluate)
    context = multiprocessing.get_context("fork")
    receiver, sender = context.Pipe(duplex=False)

    def work():
        import resource  # noqa: PLC0415 - where there is no fork, there is no such module

        resource.setrlimit(resource.RLIMIT_CPU, (cap, cap))
        sender.send(timed_fit(fit, X, y, evaluate))

    process = context.Process(target=work)
    process.start()
    sender.close()
    try:
        return receiver.recv()
    except EOFError:  # the system has ended the process
        return None
    finally:
        process.join()


def split(X, y):
    """Return three quarters of the rows to train on, and the others, at random but always the same."""
    is_new = np.random.default_rng(0).random(len(y)) < 0.25
    return X[~is_new], y[~is_new], X[is_new], y[is_new]


def measure(rows, loss: Loss, names, n_rounds, cap):
    """Return ``{name: Outcome}``; the models are fitted alternately, those that take long less often."""
    X, y, X_new, y_new = rows
    outcomes = {name: Outcome() for name in names}
    for _ in range(n_rounds):
        for name, outcome in outcomes.items():
            if sum(outcome.seconds) > cap / 10 or (outcome.seconds and outcome.loss is None):
                continue
            fitted = timed_fit_with_cap(
                partial(MODELS[name][0], loss), X, y, lambda model: loss.mean(y_new, model.predict(X_new)), cap
            )
            seconds, outcome.loss = fitted or (cap, None)
            outcome.seconds.append(seconds)
    return outcomes


def make_table(quick, log):
    """Return the table of robust fits."""
    n_rounds, cap = (1, 3) if quick else (3, 30)
    names = [name for name, (_, package) in MODELS.items() if find_spec(package)]
    for name in MODELS.keys() - set(names):
        log(f"robust: {name} is left out, because it is not installed")
    records, too_slow = [], set()
    for case in CASES:
        rows = split(*case.data.load(quick))
        for quantile in (*QUANTILES, None):
            loss = Loss(quantile, case.delta)
            log(f"robust: {case.data.name}, {loss.name}")
            selected = [name for name in names if (name, quantile is None) not in too_slow]
            outcomes = measure(rows, loss, selected, n_rounds, cap)
            record = {"data": label(case.data.name, rows[0]), "loss": loss.name}
            for name in names:
                outcome = outcomes.get(name)
                if outcome is None or outcome.loss is None:
                    too_slow.add((name, quantile is None))
                else:
                    record[name] = {"seconds": median(outcome.seconds), "loss": outcome.loss}
            records.append(record)
    columns = {"training rows": text_column("data"), "loss": text_column("loss")}
    for name in names:
        columns[f"{name}: s"] = partial(format_entry, name, "seconds", format_seconds, f"> {cap}")
        columns[f"{name}: loss"] = partial(format_entry, name, "loss", "{:.4g}".format, "")
    note = (
        "CPU seconds of one fit, and the mean loss on new rows: the pinball loss, or the Huber loss with one delta for "
        "all. RMSpropRegressor: the defaults, but for the loss. scikit-learn: QuantileRegressor and "
        "HuberRegressor, without a penalty. statsmodels: QuantReg and RLM. LightGBM: LGBMRegressor, 100 trees instead "
        f"of a linear model. All on one core. A fit that takes more than {cap} CPU seconds is ended, and not tried on "
        "more rows, nor for other quantiles."
    )
    return Table("Robust losses", note, columns, records, n_text_columns=2)


def format_entry(name, key, format_number, missing, record):
    """Return a cell of the table: a number of one model, or ``missing`` if its fit was too slow."""
    return format_number(record[name][key]) if name in record else missing
