"""Extra memory of a fit: by how much the fit raises the peak resident memory of a fresh process.

    python benchmarks/memory.py FOLDER MODEL    # run by the benchmark in a process of its own; prints bytes

Resident memory includes what C code and BLAS allocate, which a tracer of Python's allocations would not see. The data
are loaded and a small fit is run before the measurement, so that neither the data nor the libraries count.
"""

import os
import resource
import subprocess
import sys
import tempfile
from functools import partial
from pathlib import Path

import numpy as np
import scipy.sparse
from data import gaussian, label, zipf_csr
from epochs import bytes_of_features
from sklearn.linear_model import LinearRegression, Ridge, SGDRegressor
from table import Table, format_percent, number_column, text_column
from timing import one_core

from sklearn_rmsprop import RMSpropRegressor

RMSPROP_NAME = "RMSpropRegressor()"
MODELS = {
    RMSPROP_NAME: RMSpropRegressor(random_state=0),
    "SGDRegressor()": SGDRegressor(random_state=0),
    "LinearRegression()": LinearRegression(),
    "Ridge(solver='cholesky')": Ridge(solver="cholesky"),
}
# The other models would convert sparse features to a dense array, or take too long.
MODELS_FOR_SPARSE = (RMSPROP_NAME, "SGDRegressor()")
STATUS = Path("/proc/self/status")
# The goal for RMSpropRegressor: this fraction of the memory of X, plus a small number of bytes per row for the order of
# the rows and the like. It excludes any copy of X. The last column of the table has the bytes per row.
MAX_FRACTION_OF_X = 0.05


def cases(quick):
    """Return ``{name: function that returns (X, y)}``."""
    n_rows, n_rows_sparse = (200_000, 60_000) if quick else (1_000_000, 300_000)
    return {
        "float64": partial(gaussian, n_rows, 50),
        "float32": partial(gaussian, n_rows, 50, np.float32),
        "CSR": partial(zipf_csr, n_rows_sparse, 50_000, 33),
    }


def peak_memory():
    """Return the largest resident memory of this process so far, in bytes."""
    if STATUS.is_file():
        # On Linux, getrusage may report the memory of the parent process at the time when it started this one.
        line = next(line for line in STATUS.read_text().splitlines() if line.startswith("VmHWM"))
        return int(line.split()[1]) * 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss  # in bytes on macOS


def save(folder, X, y):
    """Write the data in a format that can be read without temporary memory."""
    parts = {"data": X.data, "indices": X.indices, "indptr": X.indptr} if scipy.sparse.issparse(X) else {"X": X}
    for name, array in {"y": y, **parts}.items():
        np.save(folder / f"{name}.npy", array)
    (folder / "shape.txt").write_text(" ".join(map(str, X.shape)))


def is_dense(folder):
    """Tell whether the features saved in a folder are a dense array."""
    return (folder / "X.npy").is_file()


def load(folder):
    """Return the X and y that were saved in a folder."""
    y = np.load(folder / "y.npy")
    if is_dense(folder):
        return np.load(folder / "X.npy"), y
    parts = [np.load(folder / f"{name}.npy") for name in ("data", "indices", "indptr")]
    shape = tuple(map(int, (folder / "shape.txt").read_text().split()))
    return scipy.sparse.csr_matrix(tuple(parts), shape=shape), y


def extra_memory(folder, model):
    """Return by how many bytes a fit raises the peak memory of this process."""
    with one_core():
        rng = np.random.default_rng(0)
        X_small = rng.random((50, 5)) if is_dense(folder) else scipy.sparse.eye_array(50, format="csr")
        model.fit(X_small, rng.random(50))
        X, y = load(folder)
        before = peak_memory()
        model.fit(X, y)
        return peak_memory() - before


def extra_memory_in_fresh_process(folder, name):
    """Return by how many bytes a fit raises the peak memory of a new process."""
    command = [sys.executable, __file__, str(folder), name]
    environment = os.environ | {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
    completed = subprocess.run(command, env=environment, stdout=subprocess.PIPE, check=True, text=True)
    return int(completed.stdout)


def measure(name, X, y, models):
    """Return the record of one data set."""
    n_bytes = bytes_of_features(X)
    record = {"data": label(name, X), "bytes": n_bytes}
    with tempfile.TemporaryDirectory() as folder:
        save(Path(folder), X, y)
        for model in models:
            if model in MODELS_FOR_SPARSE or not scipy.sparse.issparse(X):
                record[model] = extra_memory_in_fresh_process(folder, model)
    extra = record[RMSPROP_NAME]
    return record | {
        "bytes_per_row": extra / X.shape[0],
        "fraction_of_X": extra / n_bytes,
        "bytes_per_row_above_goal": max(0, extra - MAX_FRACTION_OF_X * n_bytes) / X.shape[0],
    }


def make_table(quick, log):
    """Return the table of extra memory."""
    models = [RMSPROP_NAME] if quick else list(MODELS)  # starting a process for each model takes most of the time
    records = []
    for name, build in cases(quick).items():
        log(f"memory: {name}")
        records.append(measure(name, *build(), models))
    columns = {
        "data": text_column("data"),
        "X, MB": lambda record: f"{record['bytes'] / 1e6:.0f}",
        f"{RMSPROP_NAME}, relative to X": number_column("fraction_of_X", format_percent),
        "bytes per row": number_column("bytes_per_row", "{:.0f}".format),
        f"bytes per row above {MAX_FRACTION_OF_X:.0%} of X": number_column("bytes_per_row_above_goal", "{:.0f}".format),
    }
    for model in models[1:]:
        columns[f"{model}, relative to X"] = lambda record, model=model: (
            format_percent(record[model] / record["bytes"]) if model in record else ""
        )
    note = (
        "By how much a fit with the defaults raises the peak resident memory of the process, which already holds X, y "
        "and the libraries. The bytes per row are those of RMSpropRegressor()."
    )
    return Table("Extra memory of a fit", note, columns, records)


if __name__ == "__main__":
    print(extra_memory(Path(sys.argv[1]), MODELS[sys.argv[2]]))
