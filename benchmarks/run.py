"""The benchmark of sklearn-rmsprop: one command, Markdown tables and their figures as JSON.

    python benchmarks/run.py                        # the default tables, about twenty minutes
    python benchmarks/run.py --quick                # fewer rows and rounds, under three minutes; ratios are rougher
    python benchmarks/run.py --only epochs fits     # these tables only
    python benchmarks/run.py --only memory_map      # also: scaling; not part of the default
    python benchmarks/run.py --output build/bench   # also write build/bench.md and build/bench.json

epochs         one pass over the rows against SGDRegressor's, and against one sequential read of the data
small_batches  the same with batches of 1 and 8 rows
peer_epochs    one pass against other mini-batch fits
convergence    seconds to within 1e-2, 1e-3 and 1e-4 of the optimum, untuned, beside all peers
fits           whole fits with the defaults, beside SGDRegressor's
streams        one call of partial_fit, beside SGDRegressor's
targets        16 and 64 targets in one pass against as many fits
threads        two Python threads that fit at once against one
memory         peak extra memory of a fit
memory_map     a memory map of 4 GB fitted without holding it (needs the disk space, cleans up)
scaling        cost per row and feature from 1e4 to 1e7 rows (needs 2 GB)

It needs the installed package, plotnine (for the diamonds table) and about 3 GB of memory; the torch and optax peers
appear where those are installed. Everything but the memory figures is measured in this one process, the contenders
taking turns in interleaved rounds: ratios then hold although the machine's speed varies. Times on one core are CPU
seconds; those on several, wall time. `make bench-compare REV=...` (compare.py) measures a change of the package itself.

data.py builds the data sets, peers.py has the contenders, optimum.py the yardstick for accuracy, timing.py the clock,
table.py the output. A new data set is a line in data.py, a new contender a few lines in peers.py.
"""

import argparse
import sys
from pathlib import Path

import convergence
import epochs
import fits
import memory
import memory_map
import peer_epochs
import scaling
import streams
import targets
import threads
from table import as_json
from timing import one_core

TABLES = {
    "epochs": epochs.report,
    "small_batches": epochs.report_small_batches,
    "peer_epochs": peer_epochs.report,
    "convergence": convergence.report,
    "fits": fits.report,
    "streams": streams.report,
    "targets": targets.report,
    "threads": threads.report,
    "memory": memory.report,
    "memory_map": memory_map.report,
    "scaling": scaling.report,
}
# These take long, or much memory or disk space.
BY_REQUEST = ("memory_map", "scaling")


def parse(arguments):
    """Return the options of the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="fewer rows, fewer and shorter rounds")
    parser.add_argument("--only", choices=TABLES, nargs="+", metavar="TABLE", help="some of the tables listed above")
    parser.add_argument("--output", type=Path, help="path without suffix of a Markdown and a JSON file to write")
    return parser.parse_args(arguments)


def main(arguments=None):
    """Print the tables that the command line asks for; progress goes to standard error."""
    options = parse(arguments)

    def progress(message):
        print(message, file=sys.stderr, flush=True)

    tables = {}
    for name in options.only or [name for name in TABLES if name not in BY_REQUEST]:
        with one_core():
            tables[name] = TABLES[name](options.quick, progress)
        print(tables[name].markdown(), flush=True)
    if options.output:
        options.output.parent.mkdir(parents=True, exist_ok=True)
        options.output.with_suffix(".md").write_text("\n".join(table.markdown() for table in tables.values()))
        options.output.with_suffix(".json").write_text(as_json(tables, quick=options.quick))


if __name__ == "__main__":
    main()
