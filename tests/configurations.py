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

# On top of the textbook's: what the defaults change in a step, at a rate that small raw data bears.
LIKE_DEFAULTS = {
    "average": True,
    "bias_correction": True,
    "decay_rate": "auto",
    "schedule": "invsqrt",
    "learning_rate": 0.03,
}

# Parameters of RMSpropRegressor. In each one small standardised data is fitted well, and batches
# hold at least the 27 rows that scikit-learn's checks on sample weights need in one batch. Those
# checks ask for equal fits, and rounding is amplified where steps are long. Without bias correction
# the first step is ten times the rate at 0.99: there they get a short fit. With "auto" m is the mean
# of all gradients from the first steps on, and s - m^2 next to nothing while these are alike: centred
# steps are several times the rate, and with momentum 4 of 30 fits on sparse data were not equal to
# 1e-7 in the end (to 1e-11 after 200 steps). At 0.99 m starts near zero, and all 30 were to 1e-10.
CONFIGURATIONS: dict[str, dict] = {
    "defaults": {},
    "textbook": {**TEXTBOOK, "max_iter": 40, "learning_rate": 0.01, "decay_rate": 0.9},
    "full batch": {"batch_size": None},
    "momentum": {"momentum": 0.9},
    "centered": {"centered": True},
    "centered with momentum": {"centered": True, "momentum": 0.5, "decay_rate": 0.99},
    "no bias correction": {"bias_correction": False, "decay_rate": 0.99, "tol": None, "max_iter": 40},
    "no average": {"average": False},
    "no standardize": {"standardize": False},
    "decay 0.99": {"decay_rate": 0.99},
    # With longer steps one coefficient of the 15 rows that scikit-learn weights and repeats oscillates at first, which
    # amplifies roundings to 1e-8.
    "no intercept": {"fit_intercept": False, "learning_rate": 0.1},
    "no shuffle": {"shuffle": False},
    "absolute error": {"loss": "absolute_error"},
    "huber": {"loss": "huber"},
    "quantile": {"loss": "quantile", "quantile": 0.6},
    "l1": {"penalty": "l1", "alpha": 0.01},
    "elasticnet with momentum": {"penalty": "elasticnet", "alpha": 0.01, "momentum": 0.5},
}

# Every loss, with a value for the parameter that it has.
LOSSES = {
    "squared_error": {},
    "absolute_error": {},
    "huber": {"delta": 1.0},
    "quantile": {"quantile": 0.8},
    "epsilon_insensitive": {"delta": 0.5},
    "squared_epsilon_insensitive": {"delta": 0.5},
}
