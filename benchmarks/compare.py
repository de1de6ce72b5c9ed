"""Is the hot path slower than it was? Builds two revisions and times them in turns.

    python benchmarks/compare.py REV                # the working tree against this revision
    python benchmarks/compare.py REV --new OTHER    # one revision against another
    python benchmarks/compare.py REV --rounds 5     # rougher

Both are built into a temporary folder with the tools of this environment, and loaded by one process each, which fit in
turns on the same core: the time of an epoch is that of a fit with many epochs less that of a fit with one, as in
epochs.py. The exit status is 1 when in any case the fastest epoch and the median are both more than 15 % slower, so
that a slow spell of the machine does not count as a slower package. The cases are in hot_path.py.
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
from table import markdown, milliseconds

ROOT = Path(__file__).resolve().parents[1]
SLOWER = 1.15
# Seconds that the extra epochs of one measurement are to take.
SPAN = 0.15


def check_out(revision, folder):
    """Write the sources of a revision, or those of the working tree (None), into a folder."""
    if revision is None:
        sources = ("sklearn_rmsprop", "meson.build", "pyproject.toml", "README.md", "LICENSE")
        for name in sources:
            copy = shutil.copytree if (ROOT / name).is_dir() else shutil.copy
            copy(ROOT / name, folder / name)
        return
    archive = subprocess.run(["git", "archive", revision], cwd=ROOT, stdout=subprocess.PIPE, check=True)
    subprocess.run(["tar", "-x", "-C", folder], input=archive.stdout, check=True)


def build(revision, folder):
    """Build a revision; return the folder that holds the package."""
    source, target = folder / "source", folder / "site"
    source.mkdir(parents=True)
    check_out(revision, source)
    command = [sys.executable, "-m", "pip", "install", "--quiet", "--no-build-isolation", "--no-deps"]
    command += ["--disable-pip-version-check", "--target", target, source]
    # Meson needs the programs beside this Python, which are on the PATH only in an activated environment.
    subprocess.run(command, env=activated(), check=True)
    return target


def activated():
    """Return the environment variables with this Python's programs first on the PATH."""
    return os.environ | {"PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"}


class Worker:
    """A process that has loaded one build and fits on request."""

    def __init__(self, site):
        command = [sys.executable, Path(__file__).with_name("worker.py"), site]
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    def __enter__(self):
        return self

    def __exit__(self, *exception):
        self.process.stdin.close()  # the end of its requests
        self.process.wait()
        self.process.stdout.close()

    def seconds(self, case, n_epochs):
        """Return the seconds of a fit for so many epochs."""
        print(json.dumps({"case": case, "n_epochs": n_epochs}), file=self.process.stdin, flush=True)
        line = self.process.stdout.readline()
        if not line:
            raise RuntimeError(f"The build failed at {case!r}; its error is above.")
        return float(line)


def enough_epochs(worker, case):
    """Return how many epochs take about the span."""
    n_extra = 2
    while (taken := worker.seconds(case, 1 + n_extra) - worker.seconds(case, 1)) < SPAN / 2:
        n_extra = math.ceil(n_extra * min(10, max(2, SPAN / max(taken, 1e-9))))
    return n_extra


def measure(workers, case, n_rounds):
    """Return the seconds of an epoch, ``{name: (fastest, median)}``, the workers taking turns."""
    n_extra = max(enough_epochs(worker, case) for worker in workers.values())
    one, many = {name: [] for name in workers}, {name: [] for name in workers}
    for number in range(n_rounds):
        # Each goes first as often as the other.
        for name in sorted(workers, reverse=number % 2 == 1):
            one[name].append(workers[name].seconds(case, 1))
            many[name].append(workers[name].seconds(case, 1 + n_extra))
    return {name: tuple((how(many[name]) - how(one[name])) / n_extra for how in (min, median)) for name in workers}


@dataclass(frozen=True)
class Verdict:
    """How the new build's epoch compares with the old one's: ratios of times, above 1 is slower."""

    case: str
    old: float  # seconds of the fastest
    new: float
    ratio: float
    ratio_of_medians: float

    @classmethod
    def of(cls, case, old, new):
        """Compare two pairs of fastest and median."""
        return cls(case, old[0], new[0], new[0] / old[0], new[1] / old[1])

    @property
    def is_slower(self):
        """Whether both ratios say so: a single one may be noise."""
        return min(self.ratio, self.ratio_of_medians) > SLOWER

    def row(self):
        """Return a row of the table."""
        times = (milliseconds(self.old), milliseconds(self.new), f"{self.ratio:.2f}", f"{self.ratio_of_medians:.2f}")
        return (self.case, *times, "SLOWER" if self.is_slower else "ok")


def conclude(verdicts):
    """Print the table; return the exit status."""
    header = ("case", "old ms", "new ms", "new / old, fastest", "medians", f"at most {SLOWER:g}")
    print(markdown(header, [verdict.row() for verdict in verdicts]))
    slower = [verdict.case for verdict in verdicts if verdict.is_slower]
    if slower:
        print(f"\nMore than {SLOWER - 1:.0%} slower: {', '.join(slower)}")
    return 1 if slower else 0


def main(arguments=None):
    """Compare the two revisions of the command line; return the exit status."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("old", metavar="REV", help="the revision to compare with")
    parser.add_argument("--new", metavar="REV", help="the revision that is judged, instead of the working tree")
    parser.add_argument("--rounds", type=int, default=11, help="of each case (default: 11)")
    parser.add_argument("--only", metavar="CASE", nargs="+", choices=CASES, help=f"some of: {', '.join(CASES)}")
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
    return conclude(verdicts)


if __name__ == "__main__":
    sys.exit(main())
