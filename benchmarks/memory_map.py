"""Extra memory and time of a fit to a read-only memory map of a large file.

    python benchmarks/memory_map.py FOLDER    # run by the benchmark in a process of its own; prints the record as JSON

Only anonymous memory is measured. Pages of the file that the operating system caches are not counted, because it can
discard them at any time. A second Python thread samples the memory during the fit, which is possible because the kernel
releases the global interpreter lock.
"""

import json
import subprocess
import sys
import tempfile
import threading
from pathlib import Path

import numpy as np
from table import Table, format_count, format_percent, number_column, text_column
from timing import one_core, time_call, wall_clock

from sklearn_rmsprop import RMSpropRegressor

N_BYTES = 4 * 2**30
N_COLUMNS = 50
STATUS = Path("/proc/self/status")
SAMPLING_INTERVAL = 0.01  # seconds


def write(folder, n_bytes):
    """Write features of this size block by block, and a target, so that the features are never in memory as a whole."""
    n_rows = n_bytes // 8 // N_COLUMNS
    rng = np.random.default_rng(0)
    X = np.lib.format.open_memmap(folder / "X.npy", "w+", np.float64, (n_rows, N_COLUMNS))
    y = rng.standard_normal(n_rows)
    coef = rng.standard_normal(N_COLUMNS) / N_COLUMNS**0.5
    for first in range(0, n_rows, 100_000):
        block = rng.standard_normal((min(100_000, n_rows - first), N_COLUMNS))
        y[first : first + len(block)] += block @ coef
        X[first : first + len(block)] = block
    X.flush()
    np.save(folder / "y.npy", y)


def anonymous_memory():
    """Return the anonymous resident memory of this process in bytes."""
    line = next(line for line in STATUS.read_text().splitlines() if line.startswith("RssAnon"))
    return int(line.split()[1]) * 1024


def extra_memory_of_call(function):
    """Return by how many bytes a call raises the anonymous memory at most; the memory is sampled during the call."""
    finished = threading.Event()
    samples = [anonymous_memory()]

    def sample_memory():
        while not finished.wait(SAMPLING_INTERVAL):
            samples.append(anonymous_memory())

    thread = threading.Thread(target=sample_memory)
    thread.start()
    try:
        function()
    finally:
        finished.set()
        thread.join()
    return max(samples) - samples[0]


def measure(folder):
    """Fit RMSpropRegressor with its defaults to the memory map; return the record."""
    rng = np.random.default_rng(0)
    # A small fit first, so that memory of the libraries does not count.
    RMSpropRegressor().fit(rng.random((100, 2)), rng.random(100))
    X, y = np.load(folder / "X.npy", mmap_mode="r"), np.load(folder / "y.npy")
    model = RMSpropRegressor(random_state=0)
    seconds = []
    with one_core():
        extra = extra_memory_of_call(lambda: seconds.append(time_call(lambda: model.fit(X, y), wall_clock)))
    return {
        "n_rows": len(X),
        "bytes": X.nbytes,
        "extra_bytes": extra,
        "seconds": seconds[0],
        "epochs": model.n_iter_,
    }


def make_table(quick, log):
    """Return the table of the fit to a memory map; its files are removed, also after an error."""
    n_bytes = N_BYTES // 16 if quick else N_BYTES
    with tempfile.TemporaryDirectory() as folder:
        log(f"memory_map: writing {n_bytes / 2**30:g} GiB")
        write(Path(folder), n_bytes)
        log("memory_map: fitting")
        command = [sys.executable, __file__, folder]
        record = json.loads(subprocess.run(command, stdout=subprocess.PIPE, check=True, text=True).stdout)
    columns = {
        "rows": lambda record: format_count(record["n_rows"]),
        "X, GiB": lambda record: f"{record['bytes'] / 2**30:.2g}",
        "extra memory, relative to X": lambda record: format_percent(record["extra_bytes"] / record["bytes"]),
        "bytes per row": lambda record: f"{record['extra_bytes'] / record['n_rows']:.0f}",
        "epochs": text_column("epochs"),
        "seconds": number_column("seconds", "{:.1f}".format),
    }
    note = (
        f"A fit with the defaults to a read-only memory map with {N_COLUMNS} float64 columns on one core: wall time, "
        "and by how much the fit raises the memory of the process, without cached pages of the file."
    )
    return Table("Memory map", note, columns, [record])


if __name__ == "__main__":
    print(json.dumps(measure(Path(sys.argv[1]))))
