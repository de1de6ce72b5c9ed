"""Run the benchmark of sklearn-rmsprop: print Markdown tables, and write them and their numbers (as JSON) to files.

    python benchmarks/run.py                        # the default tables, about twenty minutes
    python benchmarks/run.py --quick                # less data and fewer rounds, under three minutes, less accurate
    python benchmarks/run.py --only epochs fits     # only these tables
    python benchmarks/run.py --only search          # robust, search and the last five are made only if selected
    python benchmarks/run.py --output build/bench   # also write build/bench.md and build/bench.json

The tables:

epochs         time of an epoch of RMSpropRegressor and SGDRegressor, and of one sequential read of the data
small_batches  the same without the read, for batches of 1 and 8 rows
peer_epochs    time of an epoch of other implementations of mini-batch RMSprop
convergence    time to an excess loss of 1e-2, 1e-3 and 1e-4, of RMSpropRegressor and all peers
fits           time and excess loss of whole fits with the defaults, of RMSpropRegressor and scikit-learn's estimators
robust         time and loss of quantile and Huber fits, of RMSpropRegressor, scikit-learn, statsmodels and LightGBM
streams        time of one call of partial_fit of RMSpropRegressor and SGDRegressor
targets        time of one fit to 16 and 64 targets, and of separate fits
search         time of searches over alpha, and of grid searches over the same settings (several minutes)
threads        time of two fits in two Python threads
memory         extra memory of a fit
memory_map     extra memory of a fit to a memory map of 4 GiB (needs the disk space; removes its files)
scaling        time of an epoch per row and column, from 1e4 to 1e7 rows (needs 2 GB of memory)
blocks         excess loss and rounds of fits of rows in blocks, as on a cluster
out_of_core    passes of partial_fit over a parquet file of 2 GB (needs pyarrow and the disk space; removes the file)
dask           processor time of fits on a Dask cluster of two processes (needs the extra dask and 3 GB of memory)

The benchmark needs the installed package, plotnine (for the diamonds data) and about 3 GB of memory. The optimizers of
PyTorch and optax, and the models of statsmodels and LightGBM, are included if those packages are installed. Everything
except memory and robust is measured in this process.
The solvers that are compared run in interleaved rounds, so the ratios of their times are meaningful even if the speed
of the machine varies. Times on one core are CPU seconds, times on several cores are wall time. To compare two revisions
of the package, use `make bench-compare REV=...` (compare.py).

data.py has the data sets, peers.py the solvers, optimum.py the excess loss, timing.py the clocks, table.py the output.
A new data set is added to a list in data.py, a new solver to the lists in peers.py.
"""

import argparse
import sys
from pathlib import Path

import blocks
import convergence
import epochs
import fits
import memory
import memory_map
import out_of_core
import peer_epochs
import robust
import scaling
import search
import streams
import targets
import threads
from table import as_json
from timing import one_core

TABLES = {
    "epochs": epochs.make_table,
    "small_batches": epochs.make_small_batches_table,
    "peer_epochs": peer_epochs.make_table,
    "convergence": convergence.make_table,
    "fits": fits.make_table,
    "robust": robust.make_table,
    "streams": streams.make_table,
    "targets": targets.make_table,
    "search": search.make_table,
    "threads": threads.make_table,
    "memory": memory.make_table,
    "memory_map": memory_map.make_table,
    "scaling": scaling.make_table,
    "blocks": blocks.make_excess_table,
    "dask": blocks.make_cost_table,
    "out_of_core": out_of_core.make_table,
}
# Made only if selected by --only, because they need much time, memory or disk space.
NOT_BY_DEFAULT = ("robust", "search", "memory_map", "scaling", "blocks", "dask", "out_of_core")


def parse(arguments):
    """Return the options of the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="use less data, and fewer and shorter rounds")
    parser.add_argument("--only", choices=TABLES, nargs="+", metavar="TABLE", help="make only these tables")
    parser.add_argument("--output", type=Path, help="path, without suffix, of a Markdown and a JSON file to write")
    return parser.parse_args(arguments)


def main(arguments=None):
    """Print the tables that the command line selects; progress goes to standard error."""
    options = parse(arguments)

    def log(message):
        print(message, file=sys.stderr, flush=True)

    tables = {}
    for name in options.only or [name for name in TABLES if name not in NOT_BY_DEFAULT]:
        with one_core():
            tables[name] = TABLES[name](options.quick, log)
        print(tables[name].markdown(), flush=True)
    if options.output:
        options.output.parent.mkdir(parents=True, exist_ok=True)
        options.output.with_suffix(".md").write_text("\n".join(table.markdown() for table in tables.values()))
        options.output.with_suffix(".json").write_text(as_json(tables, quick=options.quick))


if __name__ == "__main__":
    main()
