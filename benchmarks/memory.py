"""Peak extra memory of a fit, each measured in a fresh process.

    python benchmarks/memory.py FOLDER MODEL    # what the benchmark starts: prints the peak in bytes

The peak is that of the resident memory, so that what C and BLAS allocate counts, as a tracer of Python's allocations
would not. Loading the data and a small fit come before: data, libraries and their buffers are not extra memory.
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
from epochs import size_in_bytes
from sklearn.linear_model import LinearRegression, Ridge, SGDRegressor
from table import Table, figure, percent, text
from timing import one_core

from sklearn_rmsprop import RMSpropRegressor

OURS = "RMSpropRegressor()"
# The last two would take a sparse X for a dense one, or very long.
SPARSE = (OURS, "SGDRegressor()")
MODELS = {
    OURS: RMSpropRegressor(random_state=0),
    "SGDRegressor()": SGDRegressor(random_state=0),
    "LinearRegression()": LinearRegression(),
    "Ridge(solver='cholesky')": Ridge(solver="cholesky"),
}
STATUS = Path("/proc/self/status")
TARGET = 0.05  # of X; and some bytes a row


def cases(quick):
    """Return ``{name: builder}``."""
    n_rows, n_sparse = (200_000, 60_000) if quick else (1_000_000, 300_000)
    return {
        "float64": partial(gaussian, n_rows, 50),
        "float32": partial(gaussian, n_rows, 50, np.float32),
        "CSR": partial(zipf_csr, n_sparse, 50_000, 33),
    }


def peak_memory():
    """Return the largest resident memory of this process so far, in bytes."""
    if STATUS.is_file():
        # The system's resource usage would include what the parent held when it started this process.
        line = next(line for line in STATUS.read_text().splitlines() if line.startswith("VmHWM"))
        return int(line.split()[1]) * 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss  # macOS counts in bytes


def save(folder, X, y):
    """Write the data so that reading them takes no more memory than they do."""
    parts = {"data": X.data, "indices": X.indices, "indptr": X.indptr} if scipy.sparse.issparse(X) else {"X": X}
    for name, array in {"y": y, **parts}.items():
        np.save(folder / f"{name}.npy", array)
    (folder / "shape.txt").write_text(" ".join(map(str, X.shape)))


def load(folder):
    """Return X and y as they were saved."""
    y = np.load(folder / "y.npy")
    if (folder / "X.npy").is_file():
        return np.load(folder / "X.npy"), y
    parts = [np.load(folder / f"{name}.npy") for name in ("data", "indices", "indptr")]
    shape = tuple(map(int, (folder / "shape.txt").read_text().split()))
    return scipy.sparse.csr_matrix(tuple(parts), shape=shape), y


def extra_memory(folder, model):
    """Return the bytes by which a fit raises the peak."""
    with one_core():
        rng = np.random.default_rng(0)
        small = scipy.sparse.eye_array(50, format="csr") if not (folder / "X.npy").is_file() else rng.random((50, 5))
        model.fit(small, rng.random(50))
        X, y = load(folder)
        before = peak_memory()
        model.fit(X, y)
        return peak_memory() - before


def in_fresh_process(folder, name):
    """Return the bytes by which a fit in a process of its own raises the peak."""
    command = [sys.executable, __file__, str(folder), name]
    environment = os.environ | {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
    done = subprocess.run(command, env=environment, stdout=subprocess.PIPE, check=True, text=True)
    return int(done.stdout)


def report(quick, progress):
    """Return the table of peak extra memory."""
    records = []
    models = [OURS] if quick else list(MODELS)  # a process each, most of whose time is its start
    for name, build in cases(quick).items():
        progress(f"memory: {name}")
        X, y = build()
        record = {"data": label(name, X), "bytes": size_in_bytes(X)}
        with tempfile.TemporaryDirectory() as folder:
            save(Path(folder), X, y)
            for model in models:
                if model in SPARSE or not scipy.sparse.issparse(X):
                    record[model] = in_fresh_process(folder, model)
        record["bytes_a_row"] = record[OURS] / X.shape[0]
        record["of_X"] = record[OURS] / record["bytes"]
        record["beyond"] = max(0, record[OURS] - TARGET * record["bytes"]) / X.shape[0]
        records.append(record)
    columns = {
        "data": text("data"),
        "X, MB": lambda record: f"{record['bytes'] / 1e6:.0f}",
        "ours, of X": figure("of_X", percent),
        "bytes a row": figure("bytes_a_row", "{:.0f}".format),
        f"bytes a row beyond {TARGET:.0%}": figure("beyond", "{:.0f}".format),
    }
    for model in models[1:]:
        columns[f"{model}, of X"] = lambda record, model=model: (
            percent(record[model] / record["bytes"]) if model in record else ""
        )
    note = (
        "How much a fit with the defaults raises the peak of the process's resident memory above what X, y and the "
        "libraries take."
    )
    return Table("Peak extra memory", note, columns, records)


if __name__ == "__main__":
    print(extra_memory(Path(sys.argv[1]), MODELS[sys.argv[2]]))
