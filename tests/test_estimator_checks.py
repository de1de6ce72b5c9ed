"""scikit-learn's own checks, with nothing excused, and those that it keeps for its own estimators."""

import os

import pytest
import sklearn
from configurations import CONFIGURATIONS
from sklearn.utils import estimator_checks
from sklearn.utils.estimator_checks import parametrize_with_checks
from sklearn.utils.fixes import parse_version

from sklearn_rmsprop import RMSpropRegressor, RMSpropRegressorCV

# The checks fit with max_iter=5 and the like, where a warning is right.
pytestmark = [
    pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning"),
    pytest.mark.filterwarnings("ignore:The best alpha"),
    pytest.mark.filterwarnings("ignore:X has more columns"),  # with few rows that is so, and does not matter here
]


def test_array_api_dispatch_is_checked():
    assert os.environ["SCIPY_ARRAY_API"] == "1"


# Two folds of the least settings: what is checked is the interface, and each check fits several times.
SEARCHES = [
    RMSpropRegressorCV(alphas=2, cv=2),
    RMSpropRegressorCV("huber", penalty="l1", alphas=2, cv=2, discard=True),
]

# What each of these changes is also changed in another configuration: in "textbook", or in "centered with momentum".
# On all configurations, test_invariants.py and test_weights.py check what scikit-learn's checks ask of the numbers.
CHANGED_ELSEWHERE = {"momentum", "centered", "decay 0.99", "no average", "no shuffle"}
# Of dense data only, unlike those on which invariants are run.
DENSE_CONFIGURATIONS = [{"whiten": True}, {"whiten": True, "penalty": "l2", "alpha": 0.1}]
CHECKED = [parameters for name, parameters in CONFIGURATIONS.items() if name not in CHANGED_ELSEWHERE]


@parametrize_with_checks([RMSpropRegressor(**parameters) for parameters in CHECKED + DENSE_CONFIGURATIONS] + SEARCHES)
def test_scikit_learns_checks(estimator, check):
    # before scikit-learn 1.7 this check does not ask the tags whether sparse data is accepted
    if (
        estimator.whiten is True
        and "equivalence_on_sparse_data" in str(check)
        and parse_version(sklearn.__version__) < parse_version("1.7")
    ):
        pytest.skip("whiten=True is for dense data")
    check(estimator)


@pytest.mark.parametrize(
    "check",
    [
        estimator_checks.check_dataframe_column_names_consistency,
        estimator_checks.check_inplace_ensure_writeable,
        estimator_checks.check_param_validation,
    ],
)
@pytest.mark.parametrize("estimator", [RMSpropRegressor(max_iter=10), SEARCHES[0]], ids=lambda e: type(e).__name__)
def test_checks_that_are_run_on_scikit_learn_itself_only(check, estimator):
    check(type(estimator).__name__, estimator)
