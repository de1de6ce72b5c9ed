"""The process that compare.py starts for each build: it loads that build, then times fits on request.

    python benchmarks/worker.py FOLDER    # FOLDER contains the built package

Each request is a line of JSON on standard input, ``{"case": name, "n_epochs": n}`` with a name from hot_path.py. The
answer is a line on standard output: the CPU seconds of the fit.
"""

import json
import sys
from functools import cache
from pathlib import Path


def import_package_from(folder):
    """Import sklearn_rmsprop from this folder, and fail if another installation was imported instead."""
    # The import hook of an editable installation takes precedence over sys.path, so it has to be removed.
    sys.meta_path[:] = [finder for finder in sys.meta_path if type(finder).__name__ != "MesonpyMetaFinder"]
    sys.path.insert(0, str(folder))
    import sklearn_rmsprop  # noqa: PLC0415 - after the path has been set

    if Path(sklearn_rmsprop.__file__).resolve().parents[1] != folder:
        raise ImportError(
            f"The package was imported from {sklearn_rmsprop.__file__}, which is not in {folder}, the folder of the "
            "build to be timed. Check that the build has put sklearn_rmsprop there."
        )


def answer_requests(requests, answer):
    """Answer each request with the seconds of its fit."""
    from hot_path import CASES  # noqa: PLC0415 - imports sklearn_rmsprop, which has to come from the given folder
    from timing import one_core, time_call  # noqa: PLC0415

    load = cache(lambda name: CASES[name].load())
    with one_core():
        for line in requests:
            request = json.loads(line)
            case = CASES[request["case"]]
            X, y = load(request["case"])
            answer(time_call(lambda case=case, X=X, y=y, n=request["n_epochs"]: case.fit(X, y, n)))


if __name__ == "__main__":
    import_package_from(Path(sys.argv[1]).resolve())
    answer_requests(sys.stdin, lambda seconds: print(seconds, flush=True))
