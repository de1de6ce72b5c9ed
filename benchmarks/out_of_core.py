"""Memory, speed and excess loss of passes of partial_fit over a parquet file that is sorted by the target.

    python benchmarks/out_of_core.py FILE    # run by the benchmark in a process of its own; prints the records as JSON

The rows are those of examples/plot_out_of_core.py. The excess loss is that on the distribution they are drawn from.
"""

import json
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
from memory_map import anonymous_memory, extra_memory_of_call
from scipy.special import ndtri
from table import Table, format_count, format_excess_loss, number_column, text_column
from timing import cpu_clock, one_core, time_call, wall_clock

from sklearn_rmsprop import RMSpropRegressor

N_COLUMNS = 20
N_ROWS, QUICK_N_ROWS = 23_000_000, 400_000
ROWS_PER_GROUP, GROUPS_PER_POOL = 12_500, 20
N_PASSES = 3
# Statistics of row groups take memory when the file is opened.
FORMAT = {"compression": "none", "use_dictionary": False, "write_statistics": False}
NAMES = [f"x{j}" for j in range(N_COLUMNS)]
SLOPES, NOISE = np.linspace(-1, 1, N_COLUMNS), 2.0


def write(path, n_rows):
    """Write rows in the order of the target, row group by row group."""
    import pyarrow as pa  # noqa: PLC0415 (it is not needed for the other tables)
    import pyarrow.parquet as pq  # noqa: PLC0415

    rng, variance = np.random.default_rng(0), SLOPES @ SLOPES + NOISE**2
    schema = pa.schema([(name, pa.float32()) for name in NAMES] + [("y", pa.float64())])
    with pq.ParquetWriter(path, schema, **FORMAT) as writer:
        for first in range(0, n_rows, ROWS_PER_GROUP):
            y = variance**0.5 * ndtri((np.arange(first, first + ROWS_PER_GROUP) + 0.5) / n_rows)
            X = rng.standard_normal((len(y), N_COLUMNS), dtype=np.float32)
            X -= np.outer((X @ SLOPES + NOISE * rng.normal(size=len(y)) - y) / variance, SLOPES).astype(np.float32)
            writer.write_table(pa.table([*X.T, y], schema=schema), row_group_size=ROWS_PER_GROUP)


def measure(path):
    """Make passes over pools of row groups; return a record for each pass."""
    import pyarrow.parquet as pq  # noqa: PLC0415

    file = pq.ParquetFile(path)
    model, records = RMSpropRegressor(random_state=0), []

    def make_pass(seed):
        stretches = np.arange(file.num_row_groups).reshape(GROUPS_PER_POOL, -1)
        for groups in np.random.default_rng(seed).permuted(stretches, axis=1).T:
            table = file.read_row_groups(groups.tolist(), use_threads=False)
            X = np.empty((table.num_rows, N_COLUMNS), np.float32)
            for j in range(N_COLUMNS):
                X[:, j] = table.column(j).to_numpy()
            model.partial_fit(X, table.column(N_COLUMNS).to_numpy())

    for i in range(N_PASSES):
        seconds, cpu_seconds = [], []

        def timed(i=i, seconds=seconds, cpu_seconds=cpu_seconds):
            cpu_seconds.append(
                time_call(lambda: seconds.append(time_call(lambda: make_pass(i), wall_clock)), cpu_clock)
            )

        base = anonymous_memory()
        extra = extra_memory_of_call(timed)
        excess = (np.sum((model.coef_ - SLOPES) ** 2) + model.intercept_**2) / (SLOPES @ SLOPES)
        records.append(
            {
                "pass": i + 1,
                "excess": float(excess),
                "rows_per_second": file.metadata.num_rows / seconds[0],
                "rows_per_cpu_second": file.metadata.num_rows / cpu_seconds[0],
                "resident": base + extra,
            }
        )
    return records


def make_table(quick, log):
    """Return the table of passes over the file; it is removed, also after an error."""
    n_pools = (QUICK_N_ROWS if quick else N_ROWS) // (ROWS_PER_GROUP * GROUPS_PER_POOL)
    n_rows = max(1, n_pools) * ROWS_PER_GROUP * GROUPS_PER_POOL
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "rows.parquet"
        log("out_of_core: writing")
        write(path, n_rows)
        size = path.stat().st_size
        log("out_of_core: reading")
        with one_core():
            output = subprocess.run([sys.executable, __file__, str(path)], stdout=subprocess.PIPE, check=True).stdout
    columns = {
        "pass": text_column("pass"),
        "excess loss": number_column("excess", format_excess_loss),
        "million rows a second": number_column("rows_per_second", lambda rate: f"{rate / 1e6:.1f}"),
        "and a CPU second": number_column("rows_per_cpu_second", lambda rate: f"{rate / 1e6:.1f}"),
        "memory of the process, MB": number_column("resident", lambda n_bytes: f"{n_bytes / 1e6:.0f}"),
    }
    note = (
        f"partial_fit on pools of {GROUPS_PER_POOL} row groups, one from each stretch of a parquet file of "
        f"{size / 1e9:.1f} GB: {format_count(n_rows)} rows of {N_COLUMNS} float32 columns, in the order of the target."
    )
    return Table("A file larger than memory", note, columns, json.loads(output))


if __name__ == "__main__":
    print(json.dumps(measure(sys.argv[1])))
