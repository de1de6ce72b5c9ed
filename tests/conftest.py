"""Set-up for all tests."""

import os

# Before SciPy is imported anywhere: without it scikit-learn skips one of its estimator checks.
os.environ.setdefault("SCIPY_ARRAY_API", "1")
