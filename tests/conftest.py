"""Set-up for all tests."""

import os

# Before SciPy is imported anywhere: without it scikit-learn skips one of its estimator checks.
os.environ.setdefault("SCIPY_ARRAY_API", "1")

# No tests: record_*.py make data for tests, with packages that the tests do not need; typed_*.py is for type checkers.
collect_ignore_glob = ["record_*.py", "typed_*.py"]
