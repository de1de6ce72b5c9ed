"""A fit to a read-only memory map that is larger than the memory it may hold.

    python benchmarks/memory_map.py FOLDER    # what the benchmark starts: fits, prints seconds and bytes

Pages of the file that the system keeps in its cache are not the process's own memory, and can be dropped at any time:
what is measured is the anonymous memory, every hundredth of a second, which the kernel allows by running without the
lock.
"""

import json
import subprocess
import sys
import tempfile
import threading
from pathlib import Path

import numpy as np
from table import Table, count, figure, percent, text
from timing import one_core, seconds, wall_clock

from sklearn_rmsprop import RMSpropRegressor

N_BYTES = 4 * 2**30
N_COLUMNS = 50
STATUS = Path("/proc/self/status")
SECONDS_BETWEEN_LOOKS = 0.01


def write(folder, n_bytes):
    """Write rows of that size, a block at a time, and their targets."""
    n_rows = n_bytes // 8 // N_COLUMNS
    rng = np.random.default_rng(0)
    array = np.lib.format.open_memmap(folder / "X.npy", "w+", np.float64, (n_rows, N_COLUMNS))
    y = rng.standard_normal(n_rows)
    coef = rng.standard_normal(N_COLUMNS) / N_COLUMNS**0.5
    for first in range(0, n_rows, 100_000):
        block = rng.standard_normal((min(100_000, n_rows - first), N_COLUMNS))
        y[first : first + len(block)] += block @ coef
        array[first : first + len(block)] = block
    array.flush()
    np.save(folder / "y.npy", y)


def own_memory():
    """Return the anonymous resident memory of this process in bytes."""
    line = next(line for line in STATUS.read_text().splitlines() if line.startswith("RssAnon"))
    return int(line.split()[1]) * 1024


def largest_while(function):
    """Return by how much a call raises the anonymous memory at most, looking often."""
    done = threading.Event()
    looks = [own_memory()]

    def look():
        while not done.wait(SECONDS_BETWEEN_LOOKS):
            looks.append(own_memory())

    thread = threading.Thread(target=look)
    thread.start()
    try:
        function()
    finally:
        done.set()
        thread.join()
    return max(looks) - looks[0]


def fit(folder):
    """Fit the map with the defaults; return the record."""
    rng = np.random.default_rng(0)
    RMSpropRegressor().fit(rng.random((100, 2)), rng.random(100))
    X, y = np.load(folder / "X.npy", mmap_mode="r"), np.load(folder / "y.npy")
    model = RMSpropRegressor(random_state=0)
    taken = []
    with one_core():
        extra = largest_while(lambda: taken.append(seconds(lambda: model.fit(X, y), wall_clock)))
    return {"n_rows": len(X), "bytes": X.nbytes, "extra": extra, "seconds": taken[0], "epochs": model.n_iter_}


def report(quick, progress):
    """Return the table of the memory map; the files are removed again, whatever happens."""
    n_bytes = N_BYTES // 16 if quick else N_BYTES
    with tempfile.TemporaryDirectory() as folder:
        progress(f"memory map: writing {n_bytes / 2**30:g} GB")
        write(Path(folder), n_bytes)
        progress("memory map: fitting")
        command = [sys.executable, __file__, folder]
        record = json.loads(subprocess.run(command, stdout=subprocess.PIPE, check=True, text=True).stdout)
    columns = {
        "rows": lambda record: count(record["n_rows"]),
        "GB": lambda record: f"{record['bytes'] / 2**30:.2g}",
        "extra memory, of X": lambda record: percent(record["extra"] / record["bytes"]),
        "bytes a row": lambda record: f"{record['extra'] / record['n_rows']:.0f}",
        "epochs": text("epochs"),
        "seconds": figure("seconds", "{:.1f}".format),
    }
    note = f"A default fit to a read-only memory map of {N_COLUMNS} columns of float64, read from disk as needed."
    return Table("Memory map", note, columns, [record])


if __name__ == "__main__":
    print(json.dumps(fit(Path(sys.argv[1]))))
