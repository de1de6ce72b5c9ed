"""Set-up for all tests."""

import os

# Before SciPy is imported anywhere: without it scikit-learn skips one of its estimator checks.
os.environ.setdefault("SCIPY_ARRAY_API", "1")

# Before NumPy is imported anywhere: the tests run in as many processes as there are cores. More threads of BLAS than
# cores spend most of their time waiting for each other, in loops that keep the cores busy.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
os.environ.setdefault("OMP_NUM_THREADS", "1")

# No tests: record_*.py make data for tests, with packages that the tests do not need; typed_*.py is for type checkers.
collect_ignore_glob = ["record_*.py", "typed_*.py"]
