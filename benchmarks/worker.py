"""A build of the package, waiting to be timed: what compare.py talks to, a line of JSON at a time.

    python benchmarks/worker.py FOLDER    # where the build is

Reads ``{"case": name, "n_epochs": n}``, fits for so many epochs, answers with the CPU seconds.
"""

import json
import sys
from functools import cache
from pathlib import Path


def choose(folder):
    """Import the package from this folder only."""
    # An editable installation finds the package before any path does.
    sys.meta_path[:] = [finder for finder in sys.meta_path if type(finder).__name__ != "MesonpyMetaFinder"]
    sys.path.insert(0, str(folder))
    import sklearn_rmsprop  # noqa: PLC0415 - only now is it clear which

    if Path(sklearn_rmsprop.__file__).resolve().parents[1] != folder:
        raise ImportError(f"{sklearn_rmsprop.__file__} is not in {folder}")


def serve(requests, answer):
    """Answer each request with the seconds of its fit."""
    from hot_path import CASES  # noqa: PLC0415 - these import the package
    from timing import one_core, seconds  # noqa: PLC0415

    load = cache(lambda name: CASES[name].load())
    with one_core():
        for line in requests:
            request = json.loads(line)
            case = CASES[request["case"]]
            X, y = load(request["case"])
            answer(seconds(lambda case=case, X=X, y=y, n=request["n_epochs"]: case.fit(X, y, n)))


if __name__ == "__main__":
    choose(Path(sys.argv[1]).resolve())
    serve(sys.stdin, lambda taken: print(taken, flush=True))
