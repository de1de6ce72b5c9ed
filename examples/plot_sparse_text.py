"""
Regression on text: sparse rows
===============================

Text gives wide tables, with thousands of columns for words, of which each row has few nonzero entries. scikit-learn
stores them as a sparse matrix in CSR format, and ``RMSpropRegressor`` uses this matrix without conversion. The time for
a step is proportional to the number of words in its rows, however many columns there are. The task is to predict the
position of a line in a docstring, from the beginning to the end.
"""

import importlib
import inspect
from time import perf_counter

import matplotlib.pyplot as plt
import numpy as np
from scipy.sparse import csr_array
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import Ridge, SGDRegressor
from sklearn.model_selection import GroupShuffleSplit

from sklearn_rmsprop import RMSpropRegressor

# %%
# The text
# --------
# The text is the docstrings of public functions and classes in SciPy and scikit-learn. Each line is a row, and its
# target is the position of the line: 0 for the first one of a docstring, 1 for the last.

SCIPY = ("interpolate", "linalg", "ndimage", "optimize", "signal", "sparse", "stats")
SKLEARN = (
    *("cluster", "datasets", "decomposition", "ensemble", "linear_model", "manifold"),
    *("metrics", "neighbors", "preprocessing", "svm", "tree"),
)
MODULES = [f"scipy.{name}" for name in SCIPY] + [f"sklearn.{name}" for name in SKLEARN]


def public_docstrings():
    """Return the docstrings of the functions and classes in MODULES, each once."""
    docstrings = {}  # keeps the order, unlike a set
    for module in map(importlib.import_module, MODULES):
        for name in sorted(module.__all__):
            thing = getattr(module, name)
            if inspect.isclass(thing) or inspect.isroutine(thing):
                docstrings[inspect.getdoc(thing) or ""] = None
    return list(docstrings)


lines, position, source = [], [], []
for number, docstring in enumerate(public_docstrings()):
    its_lines = [line for line in docstring.splitlines() if line.strip()]
    if len(its_lines) >= 10:
        lines += its_lines
        position += np.linspace(0, 1, len(its_lines)).tolist()
        source += [number] * len(its_lines)
lines, position = np.array(lines), np.array(position)
# Lines of one docstring are alike: all of them are for training, or all for the test.
train, test = next(
    GroupShuffleSplit(test_size=0.25, random_state=0).split(lines, groups=source)
)

# %%
# From words to coefficients
# --------------------------
# Words, and pairs of neighbouring words, become columns (``>>>`` counts as a word). With so many columns any
# model can overfit; ``early_stopping`` and a penalty prevent it.

vectorizer = TfidfVectorizer(
    token_pattern=r"[a-z]{2,}|>>>", ngram_range=(1, 2), min_df=5
)
X_train, X_test = (
    vectorizer.fit_transform(lines[train]),
    vectorizer.transform(lines[test]),
)
n_rows, n_columns = X_train.shape
print(
    f"{n_rows} rows, {n_columns} columns, {X_train.nnz / n_rows:.0f} nonzeros in a row"
)

stop_early = {"early_stopping": True, "random_state": 0}
models = {
    "RMSpropRegressor, L2": RMSpropRegressor(penalty="l2", alpha=1e-5, **stop_early),
    "RMSpropRegressor, L1": RMSpropRegressor(penalty="l1", alpha=1e-4, **stop_early),
    "SGDRegressor()": SGDRegressor(random_state=0),
    "SGDRegressor, tuned by hand": SGDRegressor(
        learning_rate="adaptive", eta0=0.3, alpha=1e-5, **stop_early
    ),
    "Ridge()": Ridge(),
}
print(f"{'':<29}{'seconds':>8}{'test R2':>9}{'columns used':>14}")
for name, model in models.items():
    start = perf_counter()
    model.fit(X_train, position[train])
    seconds = perf_counter() - start
    score = model.score(X_test, position[test])
    print(f"{name:<29}{seconds:>8.2f}{score:>9.3f}{np.count_nonzero(model.coef_):>14}")

# %%
# ``SGDRegressor`` is much better with a step size chosen for these rows than with its default; ``RMSpropRegressor`` has
# its default. ``Ridge`` is as good, but needs all rows in memory at once. L1 selects a few hundred columns.
#
# The time for an epoch
# ---------------------
# We fold the columns into fewer: column ``j`` becomes ``j`` modulo their new number, as in a small hash table. The rows
# contain the same words as before. Then we time an epoch on the sparse table and on the same table as a dense array, as
# long as its size is reasonable.

N_TIMED, N_EPOCHS, LARGEST_DENSE = 20_000, 5, 1024
some_rows = X_train[:N_TIMED]


def milliseconds_per_epoch(X):
    """Time of a fit, by its number of epochs; the better of two."""
    model = RMSpropRegressor(max_iter=N_EPOCHS, tol=None, random_state=0)
    seconds = []
    for _ in range(2):
        start = perf_counter()
        model.fit(X, position[train[:N_TIMED]])
        seconds.append(perf_counter() - start)
    return 1000 * min(seconds) / N_EPOCHS


times = {"sparse (CSR)": {}, "dense array": {}}
for count in (64, 256, 1024, 4096, n_columns):
    folded = csr_array(
        (some_rows.data, some_rows.indices % count, some_rows.indptr),
        (N_TIMED, count),
        copy=True,
    )
    # Two words of a row in one column become one. It changes its data, hence the copy.
    folded.sum_duplicates()
    times["sparse (CSR)"][count] = milliseconds_per_epoch(folded)
    if count <= LARGEST_DENSE:
        times["dense array"][count] = milliseconds_per_epoch(folded.toarray())

# %%
# The picture
# -----------
# Left: coefficients of the model with the L1 penalty. The rows of the table have a norm of 1, so a coefficient is the
# shift of the predicted position by this word alone, relative to the length of the docstring: parameters come first,
# examples last. Right: the times. Those of the dense array grow with its columns, those of CSR hardly do. (Operations
# that a fit does once per epoch or less, and every call of ``partial_fit``, pass over all columns. From some 100,000
# columns on this is noticeable in calls with few rows.)

# The figure omits columns that are nonzero in few rows.
words, coef = vectorizer.get_feature_names_out(), models["RMSpropRegressor, L1"].coef_
frequent = np.flatnonzero(np.bincount(X_train.indices, minlength=n_columns) >= 300)
by_coef = frequent[np.argsort(coef[frequent])]
shown = np.concatenate([by_coef[:10], by_coef[-10:]])

BLUE, ORANGE = "#0072b2", "#d55e00"
figure, (left, right) = plt.subplots(
    1, 2, figsize=(12, 5.5), width_ratios=(1.2, 1), layout="constrained"
)
left.barh(words[shown], coef[shown], color=np.where(coef[shown] < 0, BLUE, ORANGE))
left.axvline(0, color="black", linewidth=0.8)
left.set(xlabel="coefficient: shift towards the end (length of the docstring = 1)")
left.set_title("Words at the beginning and at the end of docstrings")

for (name, found), color, marker in zip(
    times.items(), (BLUE, ORANGE), "os", strict=True
):
    right.semilogx(
        list(found),
        list(found.values()),
        marker=marker,
        color=color,
        linewidth=2,
        label=name,
    )
right.set(xlabel="columns", ylabel=f"milliseconds for an epoch of {N_TIMED:,} rows")
right.set_ylim(bottom=0)
right.set_title("Time with CSR hardly depends on the columns")
right.legend()
right.grid(alpha=0.3)
plt.show()
