"""Compare the epoch times of two revisions of the package, to find out whether a change has made it slower.

    python benchmarks/compare.py REV                # compare the working tree with this revision
    python benchmarks/compare.py REV --new OTHER    # compare the revision OTHER with the revision REV
    python benchmarks/compare.py REV --rounds 5     # faster and less accurate

Both revisions are built in a temporary folder with the build tools of this Python environment. Each build is loaded by
a process of its own (worker.py), and the two processes fit alternately on the same core. The time of an epoch is the
difference between a fit with many epochs and a fit with one, divided by the number of extra epochs. The exit status is
1 if, in any of the cases of hot_path.py, both the fastest and the median epoch are more than 15 % slower. Both have to
be slower, because other load on the machine may affect either of them alone.
"""

import argparse
import json
import math
import os
import shutil
import subprocess
import sys
import tempfile
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from statistics import median

from hot_path import CASES
from table import format_milliseconds, markdown_table

ROOT = Path(__file__).resolve().parents[1]
# The largest ratio of new to old epoch time that passes: a tolerance for the noise of a shared machine.
MAX_RATIO = 1.15
# The seconds that the extra epochs of one measurement should take: long compared with the resolution of the clock, and
# short enough for many rounds.
EXTRA_SECONDS = 0.15


def write_sources(revision, folder):
    """Write the sources of a revision into a folder; None is the working tree."""
    if revision is None:
        for name in ("sklearn_rmsprop", "meson.build", "pyproject.toml", "README.md", "LICENSE"):
            copy = shutil.copytree if (ROOT / name).is_dir() else shutil.copy
            copy(ROOT / name, folder / name)
        return
    archive = subprocess.run(["git", "archive", revision], cwd=ROOT, stdout=subprocess.PIPE, check=True)
    subprocess.run(["tar", "-x", "-C", folder], input=archive.stdout, check=True)


def build(revision, folder):
    """Build a revision in a folder; return the subfolder that contains the package."""
    source, target = folder / "source", folder / "site"
    source.mkdir(parents=True)
    write_sources(revision, source)
    command = [sys.executable, "-m", "pip", "install", "--quiet", "--no-build-isolation", "--no-deps"]
    command += ["--disable-pip-version-check", "--target", target, source]
    subprocess.run(command, env=environment_with_build_tools(), check=True)
    return target


def environment_with_build_tools():
    """Return the environment variables with the programs beside this Python first on the PATH.

    Meson looks for its tools on the PATH, and the programs beside this Python are there only if its environment is
    activated.
    """
    return os.environ | {"PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"}


class Worker:
    """A process that has loaded one build and times fits on request."""

    def __init__(self, package_folder):
        command = [sys.executable, Path(__file__).with_name("worker.py"), package_folder]
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    def __enter__(self):
        return self

    def __exit__(self, *exception):
        self.process.stdin.close()  # the worker ends when its input does
        self.process.wait()
        self.process.stdout.close()

    def time_fit(self, case, n_epochs):
        """Return the seconds of a fit with this number of epochs."""
        print(json.dumps({"case": case, "n_epochs": n_epochs}), file=self.process.stdin, flush=True)
        line = self.process.stdout.readline()
        if not line:
            raise RuntimeError(
                f"The worker process ended during case {case!r} without returning a time. Its error message is above."
            )
        return float(line)


def count_extra_epochs(worker, case):
    """Return how many epochs after the first take about EXTRA_SECONDS."""
    n_extra = 2
    while (taken := worker.time_fit(case, 1 + n_extra) - worker.time_fit(case, 1)) < EXTRA_SECONDS / 2:
        n_extra = math.ceil(n_extra * min(10, max(2, EXTRA_SECONDS / max(taken, 1e-9))))
    return n_extra


def measure(workers, case, n_rounds):
    """Return ``{name: (fastest, median)}``, the seconds of an epoch, for ``{name: worker}``; the workers alternate."""
    n_extra = max(count_extra_epochs(worker, case) for worker in workers.values())
    one, many = {name: [] for name in workers}, {name: [] for name in workers}
    for n_done in range(n_rounds):
        # The order is reversed in every second round, so that neither worker always runs first.
        for name in sorted(workers, reverse=n_done % 2 == 1):
            one[name].append(workers[name].time_fit(case, 1))
            many[name].append(workers[name].time_fit(case, 1 + n_extra))
    return {
        name: tuple((summarise(many[name]) - summarise(one[name])) / n_extra for summarise in (min, median))
        for name in workers
    }


@dataclass(frozen=True)
class Verdict:
    """The epoch times of both builds in one case. Ratios are new / old: above 1, the new build is slower."""

    case: str
    old: float  # seconds of the fastest epoch
    new: float
    ratio: float
    ratio_of_medians: float

    @classmethod
    def of(cls, case, old, new):
        """Compare two pairs ``(fastest, median)``."""
        return cls(case, old[0], new[0], new[0] / old[0], new[1] / old[1])

    @property
    def is_slower(self):
        """Whether both ratios exceed the limit; a single one may do so by chance."""
        return min(self.ratio, self.ratio_of_medians) > MAX_RATIO

    def row(self):
        """Return the cells of a row of the table."""
        times = (format_milliseconds(self.old), format_milliseconds(self.new))
        ratios = (f"{self.ratio:.2f}", f"{self.ratio_of_medians:.2f}")
        return (self.case, *times, *ratios, "SLOWER" if self.is_slower else "ok")


def print_verdicts(verdicts):
    """Print the table; return the exit status."""
    header = ("case", "old, ms", "new, ms", "new / old", "new / old, medians", f"at most {MAX_RATIO:g}")
    print(markdown_table(header, [verdict.row() for verdict in verdicts]))
    slower = [verdict.case for verdict in verdicts if verdict.is_slower]
    if slower:
        print(f"\nMore than {MAX_RATIO - 1:.0%} slower: {', '.join(slower)}")
    return 1 if slower else 0


def main(arguments=None):
    """Compare the two revisions of the command line; return the exit status."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("old", metavar="REV", help="the revision to compare with")
    parser.add_argument("--new", metavar="REV", help="the revision to be tested (default: the working tree)")
    parser.add_argument("--rounds", type=int, default=11, help="number of rounds of each case (default: 11)")
    parser.add_argument("--only", metavar="CASE", nargs="+", choices=CASES, help=f"cases to time: {', '.join(CASES)}")
    options = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory() as folder, ExitStack() as stack:
        workers = {}
        for name, revision in {"old": options.old, "new": options.new}.items():
            print(f"building {revision or 'the working tree'}", file=sys.stderr, flush=True)
            workers[name] = stack.enter_context(Worker(build(revision, Path(folder) / name)))
        verdicts = []
        for case in options.only or CASES:
            print(f"measuring {case}", file=sys.stderr, flush=True)
            verdicts.append(Verdict.of(case, **measure(workers, case, options.rounds)))
    return print_verdicts(verdicts)


if __name__ == "__main__":
    sys.exit(main())
