"""The benchmark of sklearn-rmsprop: one command, two Markdown tables.

    python benchmarks/run.py                  # both tables, a few minutes
    python benchmarks/run.py --quick          # fewer rounds, about a minute; ratios are rougher
    python benchmarks/run.py --only epochs    # or: --only fits

It needs the installed package and plotnine (for the diamonds table) and about 2 GB of memory.
Everything runs in this one process, on one core, with the contenders taking turns; times are CPU
seconds.

*Epoch throughput* (`epochs.py`): one pass over the rows with the defaults on and batches of 32,
against a pass of ``SGDRegressor(penalty=None)``. The last columns say how long one sequential read
of the features takes at this machine's bandwidth, and its share of our epoch: 1 would be the limit
of any method that reads the data once, and only data that stay in cache can exceed it.

*Untuned fits* (`fits.py`): whole fits with every default, against the peers' defaults. The missed
fraction of the explainable variance is that of the worst of five seeds, the milliseconds are the
fastest round of each seed and the median of the seeds.

`data.py` builds the data sets, `timing.py` measures, `table.py` formats. A new case is one line in
``CASES`` of `epochs.py` or ``DATA_SETS`` of `fits.py`; a new peer, one in their ``CONTENDERS``.
"""

import argparse
import sys

import epochs
import fits
from timing import one_core

TABLES = {"epochs": epochs.report, "fits": fits.report}


def main():
    """Print the tables that the command line asks for; progress goes to standard error."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="fewer and shorter rounds")
    parser.add_argument("--only", choices=TABLES, help="one of the two tables")
    arguments = parser.parse_args()

    def progress(message):
        print(message, file=sys.stderr, flush=True)

    with one_core():
        for name in [arguments.only] if arguments.only else TABLES:
            print(TABLES[name](arguments.quick, progress), end="\n\n", flush=True)


if __name__ == "__main__":
    main()
