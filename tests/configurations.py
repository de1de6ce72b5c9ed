"""The one list of named configurations on which invariants are run."""

# The algorithm as textbooks (and PyTorch) have it; what remains to be chosen is the learning rate,
# the decay rate, epsilon, momentum, centered, the batch size and the number of epochs.
TEXTBOOK = {
    "standardize": False,
    "average": False,
    "bias_correction": False,
    "schedule": "constant",
    "tol": None,
    "shuffle": False,
}

# RMSprop multiplies rounding differences in every step after the approach, the faster the less its
# steps shrink. Runs that must be equal, as those of scikit-learn's checks on sample weights, are
# equal in these configurations only if they are short.
SHORT = {"tol": None, "max_iter": 40}

# Parameters of RMSpropRegressor. In each one small standardised data is fitted well, and batches
# hold at least the 27 rows that scikit-learn's checks on sample weights need in one batch.
CONFIGURATIONS: dict[str, dict] = {
    "defaults": {},
    "textbook": {**TEXTBOOK, **SHORT, "learning_rate": 0.01, "decay_rate": 0.9},
    "full batch": {"batch_size": None},
    "momentum": {**SHORT, "momentum": 0.9, "learning_rate": 0.01},
    "centered": {"centered": True},
    "centered with momentum": {**SHORT, "centered": True, "momentum": 0.5, "learning_rate": 0.02},
    "no bias correction": {**SHORT, "bias_correction": False, "learning_rate": 0.03},
    "no average": {**SHORT, "average": False},
    "no standardize": {"standardize": False},
    "auto decay": {**SHORT, "decay_rate": "auto"},
    "no intercept": {"fit_intercept": False},
    "no shuffle": {"shuffle": False},
}
