"""Fits of rows in blocks: excess loss and rounds, what a round costs, and processor time beside a fit in one place.

The excess losses are measured with the functions of blocks called in this process (tests/plain_cluster.py), and against
certified optima (tests/oracles.py). Costs are measured on a cluster of two processes with one thread each, which needs
the extra dask.
"""

import sys
import time
from contextlib import contextmanager, suppress
from functools import partial
from pathlib import Path

import numpy as np
from scipy import sparse
from scipy.sparse.linalg import lsqr
from table import Table, format_excess_loss, format_milliseconds, format_ratio, number_column, text_column
from timing import all_cores, cpu_clock, time_call

from sklearn_rmsprop import RMSpropRegressor

with suppress(ImportError):  # the other table can be made without the extra
    import dask
    import dask.array as da
    from distributed import Client, LocalCluster, wait

    from sklearn_rmsprop.dask import DaskRMSpropRegressor

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests"))

import oracles
from plain_cluster import fit_blocks, split

N_BLOCKS = (2, 8, 32)
# Each stretch of this many has other rows, in the data of groups.
N_GROUPS = 32
DENSE_SHAPE, QUICK_DENSE_SHAPE = (160_000, 20), (20_000, 10)
SPARSE_SHAPE, QUICK_SPARSE_SHAPE = (100_000, 5000), (10_000, 500)
# Rows and columns of the fits whose processor time is measured.
TIMED_DENSE, QUICK_TIMED_DENSE = (2_000_000, 50), (50_000, 50)
TIMED_SPARSE, QUICK_TIMED_SPARSE = (200_000, 2000), (20_000, 500)
# Rounds whose cost is measured.
N_ROUNDS = 100


def dense(shape, seed, *, correlation=0.0, grouped=False, outliers=False):
    """Normal columns, neighbours of which have a correlation, in the order of the target."""
    rng = np.random.default_rng(seed)
    n_rows, n_columns = shape
    distance = np.abs(np.subtract.outer(range(n_columns), range(n_columns)))
    X = rng.normal(size=shape) @ np.linalg.cholesky(correlation**distance).T
    group = np.arange(n_rows) * N_GROUPS // n_rows
    if grouped:
        X += rng.normal(size=(N_GROUPS, n_columns))[group]
    y = X @ rng.normal(size=n_columns) + 2 * rng.normal(size=n_rows)
    if grouped:
        return X, y + 3 * rng.normal(size=N_GROUPS)[group]
    if outliers:
        y += rng.standard_t(2, size=n_rows)
    ascending = np.argsort(y)
    return X[ascending], y[ascending]


def with_leverage(shape, seed):
    """Two rows at a thousand times the distance of the others."""
    X, y = dense(shape, seed)
    X[[5, len(X) // 2]] *= 1000
    return X, y


def sparse_groups(shape, seed):
    """Rows of 30 words; half of the words of each group are its own."""
    rng = np.random.default_rng(seed)
    n_rows, n_columns = shape
    group = np.arange(n_rows) * N_GROUPS // n_rows
    share = 1 / np.arange(1, n_columns + 1)
    words = rng.choice(n_columns, size=(n_rows, 30), p=share / share.sum())
    words = (words + 37 * group[:, np.newaxis] * (rng.random(words.shape) < 0.5)) % n_columns
    X = sparse.csr_matrix((np.ones(words.size), (np.repeat(np.arange(n_rows), 30), words.ravel())), shape=shape)
    X.sum_duplicates()
    X.data[:] = 1
    return X, X @ rng.normal(size=n_columns) + 3 * rng.normal(size=n_rows) + 5 * rng.normal(size=N_GROUPS)[group]


CASES = {
    "sorted by y": (dense, {}, {}),
    "each block another group": (dense, {"grouped": True}, {}),
    "correlated 0.95, sorted by y": (dense, {"correlation": 0.95}, {}),
    "rows of leverage 1e3": (with_leverage, {}, {}),
    "huber, sorted by y": (dense, {"outliers": True}, {"loss": "huber", "delta": 2.0}),
    "quantile 0.9, sorted by y": (dense, {}, {"loss": "quantile", "quantile": 0.9}),
    "sparse groups": (sparse_groups, {}, {}),
}


def optimum(X, y, options):
    """The least value of the objective, and that of the best constant."""
    if "loss" in options:
        return oracles.minimum(X, y, **options)[0], oracles.null(y, **options)
    if sparse.issparse(X):
        ones = np.ones((len(y), 1))
        squares = lsqr(sparse.hstack([X, ones]).tocsr(), y, atol=1e-10, btol=1e-10, iter_lim=3000)[3] ** 2
    else:
        A = np.column_stack([X, np.ones(len(y))])
        squares = np.sum((y - A @ np.linalg.lstsq(A, y, rcond=None)[0]) ** 2)
    return squares / len(y) / 2, y.var() / 2


def make_excess_table(quick, log):
    """Return the table of excess losses and rounds."""
    records, seeds = [], range(1 if quick else 3)
    for name, (make, shape_options, options) in CASES.items():
        found = {n_blocks: [] for n_blocks in (None, *N_BLOCKS)}
        for seed in seeds:
            log(f"blocks: {name}, seed {seed}")
            shapes = (SPARSE_SHAPE, QUICK_SPARSE_SHAPE) if make is sparse_groups else (DENSE_SHAPE, QUICK_DENSE_SHAPE)
            X, y = make(shapes[quick], seed, **shape_options)
            least, null = optimum(X, y, options)
            for n_blocks, of_blocks in found.items():
                if n_blocks is None:
                    model = RMSpropRegressor(random_state=seed, **options).fit(X, y)
                else:
                    model = fit_blocks(split(n_blocks, X, y), n_blocks=n_blocks, random_state=seed, **options)
                loss = oracles.objective(X, y, model.coef_, model.intercept_, **{"loss": "squared_error"} | options)
                of_blocks.append(((loss - least) / (null - least), len(model.loss_curve_)))
        record = {"data": name}
        for n_blocks, of_blocks in found.items():
            excess, rounds = zip(*of_blocks, strict=True)
            record[f"excess_{n_blocks}"], record[f"rounds_{n_blocks}"] = max(excess), int(np.median(rounds))
        records.append(record)

    def column(n_blocks):
        return lambda record: f"{format_excess_loss(record[f'excess_{n_blocks}'])} ({record[f'rounds_{n_blocks}']})"

    columns = {"data": text_column("data")} | {f"{n} blocks": column(n) for n in N_BLOCKS}
    columns["one fit"] = column(None)
    note = (
        f"Excess loss, the largest of {len(seeds)} seeds, and in brackets the median number of rounds (of the fit in "
        "one place: evaluations of the loss). Partitions are stretches of the rows in this order."
    )
    return Table("Fits of rows in blocks", note, columns, records)


@contextmanager
def two_workers():
    """A client of a cluster of two processes with one thread each."""
    with all_cores():  # processes keep the cores that they are started with
        cluster = LocalCluster(n_workers=2, threads_per_worker=1, dashboard_address=":0", memory_limit=0)
    with cluster, Client(cluster) as client:
        yield client


def cpu_of_workers(client):
    """Processor seconds of each worker so far."""
    return np.array(list(client.run(time.process_time).values()))


def timed_fit(client, X, y, **parameters):
    """Fit on the workers; processor seconds of this process and of the busier worker, before the rounds and in them."""
    clocks = []

    class Timed(DaskRMSpropRegressor):
        def _train(self, *arguments):
            clocks.append((cpu_clock(), cpu_of_workers(client)))
            return super()._train(*arguments)

    clocks.append((cpu_clock(), cpu_of_workers(client)))
    model = Timed(n_blocks=2, random_state=0, **parameters).fit(X, y)
    clocks.append((cpu_clock(), cpu_of_workers(client)))
    (start, at_start), (trained_from, at_training), (end, at_end) = clocks
    return {
        "rounds": len(model.loss_curve_),
        "exchange_client": trained_from - start,
        "exchange_worker": float((at_training - at_start).max()),
        "rounds_client": end - trained_from,
        "rounds_worker": float((at_end - at_training).max()),
    }


def persisted(client, make, n_partitions):
    """Dask arrays that have been made on the workers: partitions of X and y."""
    parts = [dask.delayed(make, pure=False, nout=2)(k) for k in range(n_partitions)]
    X, y = make(0)
    arrays = [
        da.concatenate([da.from_delayed(part[i], shape, dtype) for part in parts])
        for i, (shape, dtype) in enumerate(((X.shape, X.dtype), (y.shape, y.dtype)))
    ]
    arrays = client.persist(arrays)
    wait(arrays)
    return arrays


def dense_part(shape, seed):
    """A part of data of which every row has the same model: float32."""
    rng = np.random.default_rng(seed)
    X = rng.standard_normal(shape, dtype=np.float32)
    return X, X @ np.linspace(-1, 1, shape[1]) + 3 * rng.normal(size=shape[0])


def sparse_part(shape, seed):
    """The same of sparse rows with 30 entries."""
    rng = np.random.default_rng(seed)
    words = (rng.random((shape[0], 30)) ** 2 * shape[1]).astype(np.int32)
    X = sparse.csr_matrix((np.ones(words.size), words.ravel(), np.arange(shape[0] + 1) * 30), shape=shape)
    return X, X @ np.random.default_rng(0).normal(size=shape[1]) + 3 * rng.normal(size=shape[0])


def make_cost_table(quick, log):
    """Return the table of processor times of rounds and of whole fits."""
    sizes = (QUICK_TIMED_DENSE, QUICK_TIMED_SPARSE) if quick else (TIMED_DENSE, TIMED_SPARSE)
    cases = {
        "least squares": (dense_part, sizes[0], {}),
        "a quantile, sparse": (sparse_part, sizes[1], {"loss": "quantile", "quantile": 0.9}),
        # so few steps that a round costs what its messages cost
        "100 rounds of 100 steps": (dense_part, (6400, 50), {"tol": None, "max_iter": N_ROUNDS}),
    }
    n_partitions, records = 4, []
    with two_workers() as client:
        for name, (make, shape, parameters) in cases.items():
            log(f"blocks: {name}")
            make_part = partial(make, (shape[0] // n_partitions, shape[1]))
            X, y = persisted(client, make_part, n_partitions)
            timed_fit(client, X, y, max_iter=1, tol=None)  # imports, and memory of the libraries
            record = {"data": name, "shape": shape} | timed_fit(client, X, y, **parameters)
            del X, y
            parts = [make_part(k) for k in range(n_partitions)]
            stack = sparse.vstack if make is sparse_part else np.concatenate
            whole, target = stack([x for x, _ in parts]), np.concatenate([t for _, t in parts])
            whole = sparse.csr_matrix(whole) if make is sparse_part else whole
            del parts
            model = RMSpropRegressor(random_state=0, **parameters)
            record["local"] = time_call(lambda model=model, X=whole, y=target: model.fit(X, y))
            record["ratio"] = record["rounds_worker"] / record["local"]
            records.append(record)

    def per_round(key):
        return lambda record: format_milliseconds(record[key] / record["rounds"])

    columns = {
        "fit": text_column("data"),
        "rows x columns": lambda record: " x ".join(map(str, record["shape"])),
        "one fit, s": number_column("local", "{:.2f}".format),
        "exchange, each worker, s": number_column("exchange_worker", "{:.2f}".format),
        "rounds, each worker, s": number_column("rounds_worker", "{:.2f}".format),
        "relative to one fit": number_column("ratio", format_ratio),
        "rounds": text_column("rounds"),
        "client and scheduler, ms a round": per_round("rounds_client"),
        "each worker, ms a round": per_round("rounds_worker"),
    }
    note = (
        "Processor time on a cluster of two processes with one thread each (the busier one), and of the same fit in "
        "one process. Exchange: everything before the first round: validation, statistics, dealing the rows."
    )
    return Table("Cost of fits of rows in blocks", note, columns, records)
