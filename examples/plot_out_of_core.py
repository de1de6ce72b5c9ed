"""
Larger than memory: parquet and CSV in chunks
=============================================

A file need not fit into memory. ``partial_fit`` processes one chunk of rows at a time, and after several passes
over the file the coefficients are close to the optimum. The order of the rows matters: files are often sorted by time,
by customer, or by the target, and then neighbouring rows are not a representative sample. The remedy is to read several
row groups from different parts of the file at a time, and to mix their rows.
"""

import tempfile
import time
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
from scipy.special import ndtri

from sklearn_rmsprop import RMSpropRegressor

# %%
# A file sorted by the target
# ---------------------------
# This is the hard case: the first chunk has only the smallest targets. The file is written row group by row group, so
# that it could be of any size; here it has 200,000 rows in 200 row groups. (The page "Large data" has figures for a
# file of 2 GB.) Each row group is drawn from the normal distribution of the columns *given* the targets.

N_ROWS, N_COLUMNS, ROWS_PER_GROUP = 200_000, 20, 1000
NAMES = [f"x{j}" for j in range(N_COLUMNS)]
SLOPES = np.linspace(-1, 1, N_COLUMNS)
NOISE = 2.0

folder = tempfile.TemporaryDirectory()
parquet_path, csv_path = (
    Path(folder.name) / "rows.parquet",
    Path(folder.name) / "rows.csv",
)
rng = np.random.default_rng(0)
variance = SLOPES @ SLOPES + NOISE**2


def rows_of_targets(y):
    """Columns that, with noise, give these targets.

    They are independent standard normal columns, shifted along the slopes.
    """
    X = rng.normal(size=(len(y), N_COLUMNS))
    X -= np.outer((X @ SLOPES + NOISE * rng.normal(size=len(y)) - y) / variance, SLOPES)
    return pd.DataFrame(X.astype(np.float32), columns=NAMES).assign(y=y)


schema = pa.schema([(name, pa.float32()) for name in NAMES] + [("y", pa.float64())])
with pq.ParquetWriter(parquet_path, schema) as writer:
    for first in range(0, N_ROWS, ROWS_PER_GROUP):
        share = (np.arange(first, first + ROWS_PER_GROUP) + 0.5) / N_ROWS
        table = rows_of_targets(variance**0.5 * ndtri(share))
        writer.write_table(
            pa.Table.from_pandas(table, schema=schema), row_group_size=ROWS_PER_GROUP
        )

file = pq.ParquetFile(parquet_path)
megabytes = parquet_path.stat().st_size / 1e6
print(f"{file.metadata.num_rows} rows in {file.num_row_groups} row groups", end=", ")
print(f"{megabytes:.0f} MB")

# %%
# Chunks in order, and pools of random row groups
# -----------------------------------------------
# The file is divided into 20 stretches, and a pool is made of one row group from a random place in each stretch. Such a
# pool is representative of the whole file, and a tenth of the file is in memory at a time. Each pass draws new pools.
# The fit takes its means and scales from the first chunk, so this chunk must have typical rows. The first row group of
# a sorted file does not have them.

GROUPS_PER_POOL = 20


def chunk(groups):
    """The rows of some row groups, as arrays."""
    table = file.read_row_groups([int(group) for group in groups])
    columns = [column.to_numpy() for column in table.columns]
    return np.column_stack(columns[:-1]), columns[-1]


def in_order(seed):
    """One row group after the other."""
    return ([group] for group in range(file.num_row_groups))


def in_pools(seed):
    """Pools with a row group from each stretch; each row group is in one pool."""
    stretches = np.arange(file.num_row_groups).reshape(GROUPS_PER_POOL, -1)
    return np.random.default_rng(seed).permuted(stretches, axis=1).T


# %%
# For least squares on few columns there is a better method, which is exact after one pass: the Gram matrix of the
# columns, here of 21 x 21 numbers. It gives the optimum, which is the reference for the excess loss. For other losses,
# and for many thousands of sparse columns, there is no such method.

gram, right_side, square = np.zeros((N_COLUMNS + 1,) * 2), np.zeros(N_COLUMNS + 1), 0.0
for groups in in_order(0):
    X, y = chunk(groups)
    A = np.column_stack((X, np.ones(len(y)))).astype(np.float64)
    gram, right_side, square = gram + A.T @ A, right_side + A.T @ y, square + y @ y
best = np.linalg.solve(gram, right_side)


def excess_loss(model):
    """The mean squared error above the least possible one.

    It is divided by what the columns explain.
    """
    difference = np.append(model.coef_, model.intercept_) - best
    return (
        difference
        @ gram
        @ difference
        / (best @ gram @ best - right_side[-1] ** 2 / N_ROWS)
    )


N_PASSES = 10
curves = {}
for name, order in (
    ("row groups in order", in_order),
    ("pools of row groups from all stretches", in_pools),
):
    model, curves[name] = RMSpropRegressor(random_state=0), []
    began = time.perf_counter()
    for i in range(N_PASSES):
        for groups in order(i):
            X, y = chunk(groups)
            model.partial_fit(X, y)
        curves[name].append(excess_loss(model))
    rate = N_PASSES * N_ROWS / (time.perf_counter() - began)
    first, last = curves[name][0], curves[name][-1]
    print(
        f"{name}: excess loss {first:.0e} after one pass, {last:.0e} after {N_PASSES}"
    )
    print(f"    {rate / 1e6:.1f} million rows a second, reading included")

# %%
# The figure compares the two. If the row groups are read in order, each pass ends with the largest targets, so the
# model has the same error after every pass; more passes do not help.

BLUE, ORANGE = "#0072b2", "#d55e00"
figure, axes = plt.subplots(figsize=(8, 4.5), layout="constrained")
for (name, curve), color, marker in zip(
    curves.items(), (ORANGE, BLUE), "so", strict=True
):
    axes.semilogy(range(1, N_PASSES + 1), curve, color=color, marker=marker, label=name)
axes.set(
    xlabel="passes over the file", ylabel="excess loss (1: the model predicts the mean)"
)
axes.set_title(
    "A file sorted by the target: mixed pools converge, chunks in order do not"
)
axes.legend(loc="center right")
axes.grid(alpha=0.3)
plt.show()

# %%
# CSV
# ---
# pandas reads a CSV file in chunks, in order only, and slowly: text must be parsed in each pass. So mix the rows once
# when you write the file, or convert it to parquet in one pass. Here is one pass over mixed rows.

mixed = pd.read_parquet(parquet_path).sample(frac=0.25, random_state=0)
mixed.to_csv(csv_path, index=False, float_format="%.6g")
model = RMSpropRegressor(random_state=0)
began = time.perf_counter()
for table in pd.read_csv(csv_path, chunksize=10_000, dtype=np.float32):
    model.partial_fit(table[NAMES].to_numpy(), table["y"].to_numpy())
rate = len(mixed) / (time.perf_counter() - began)
print(f"CSV: excess loss {excess_loss(model):.0e} after one pass", end=", ")
print(f"{rate / 1e6:.2f} million rows a second")

# %%
# A row group of 1000 rows is small; real files have some 100,000 to a million, of which a pool holds as many as memory
# allows. With fewer than about ten row groups, mix the rows of the file once.

file.close()
folder.cleanup()
