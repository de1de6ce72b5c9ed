"""Rows of X with their targets and weights, and the working copy of the state that acts on them.

A state is any object with the arrays of STATE_ARRAYS, each (n_features + 1, n_targets) with the intercept last;
`average` is float64, the others have the type of X, and None stands for zeros. `load` copies a state into the working
memory, `store` copies what was learned out again; the state itself is never written to. The subclasses are DenseRows
and CSRRows.
"""

import numpy as np

from sklearn_rmsprop._kernel._memory cimport address

from sklearn_rmsprop._kernel._order import CACHED_BYTES, checked_rows

COORDINATE_ARRAYS = ("coef", "average", "square")
MOMENT_ARRAYS = ("gradient_mean", "velocity")
PENALTY_ARRAYS = ("threshold", "offset", "active")
STATE_ARRAYS = COORDINATE_ARRAYS + MOMENT_ARRAYS + PENALTY_ARRAYS


cdef Targets targets_of(y) except *:
    """A C view of targets (n_rows, n_targets), float64: C-contiguous, or one column that is broadcast to several."""
    cdef Targets result
    if y.ndim == 2 and y.shape[1] > 1 and y.strides[1] == 0:
        column = y[:, 0]
        result.row_stride, result.column_stride = 1, 0
        result.data = <const double *>address("y", column, np.float64, (y.shape[0],))
    else:
        result.row_stride, result.column_stride = y.shape[1], 1
        result.data = <const double *>address("y", y, np.float64, (y.shape[0], y.shape[1]))
    return result


cdef class Rows:
    """The selected rows in the order of an epoch, and what the training loop needs of them: predictions, gradient,
    update.

    Parameters
    ----------
    X : array or CSR matrix of shape (n_rows, n_features)
    n_bytes : int
        What an epoch reads of it.
    y : (n_rows, n_targets) float64
        Targets in units of the kernel: C-contiguous, or one column that is broadcast to several.
    weight : (n_rows,) float64 or float
        A weight per row, or one for all.
    selected : (n,) uint32
        Numbers of the rows that take part.
    shuffle : bool
        Whether to draw a new order for each epoch.
    """

    def __init__(self, X, Py_ssize_t n_bytes, y, weight, selected, bint shuffle):
        self.n_rows, self.n_features = X.shape
        if y.shape[0] != self.n_rows:
            raise ValueError(f"y must have {self.n_rows} rows like X; got {y.shape[0]}.")
        self.y = targets_of(y)
        self.n_targets = y.shape[1]
        if isinstance(weight, np.ndarray):
            self.weight = <const double *>address("weight", weight, np.float64, (self.n_rows,))
        else:
            self.weight, self.common_weight = NULL, weight
        selected = checked_rows(selected, self.n_rows)
        self.n_selected = len(selected)
        self.order = Order(selected, n_bytes, shuffle)
        # The cache also holds the rows that pass through it: targets of half its size are worth requesting early.
        self._fetches_targets = 2 * y.nbytes > CACHED_BYTES
        self._owners = (X, y, weight)

    @property
    def lazy(self):
        """Whether a step leaves out the coordinates that its batch does not visit."""
        return False

    def load(self, state, rate_factors=None):
        """Copy a state into the working memory, unless it is the one stored or loaded last.

        Parameters
        ----------
        state : object
        rate_factors : (n_targets,) array or None
            A factor of the step sizes for each target; None: all the same.

        Raises
        ------
        ValueError
            If one of its arrays has not the shape and type that belong to these rows.
        """
        if self._loaded is not None and self._loaded[0] is state and self._loaded[1] is rate_factors:
            return
        if state.coef.shape != (self.n_features + 1, self.n_targets):
            raise ValueError(
                f"The state to go on from has {state.coef.shape[0] - 1} features and {state.coef.shape[1]} targets, "
                f"X and y have {self.n_features} and {self.n_targets}."
            )
        self._loaded = None
        self.order.generator = state.generator
        self._load(state, rate_factors)
        self._loaded = state, rate_factors

    def store(self, *, bint moments):
        """What was learned, as a dictionary of new arrays: those of a state, and `generator`.

        `moments`: with "gradient_mean" and "velocity", which change only where there is momentum or `centered`. The
        arrays of the L1 penalty are there if the rows have penalties.
        """
        result = self._store(moments)
        result["generator"] = self.order.generator
        return result

    def stored_as(self, state, rate_factors=None):
        """Say which state was made of the arrays that `store` returned, so that `load` need not copy it back."""
        self._loaded = state, rate_factors

    def _load(self, state, rate_factors):
        raise NotImplementedError

    def _store(self, moments):
        raise NotImplementedError

    def set_prediction_coef(self, coef):
        """Take these coordinates, (n_features + 1, n_targets) float64, for `predict`."""
        raise NotImplementedError

    cdef void take(self, Py_ssize_t place, Py_ssize_t n, double *y, double *weight) noexcept nogil:
        """Copy the targets of the `n` rows from this place of the epoch on, and their weights if these differ.

        The methods below are called for the rows taken last.
        """
        cdef Py_ssize_t n_ahead = self.order.n_ahead(place, n) if self._fetches_targets else n
        gather(self.order.rows_from(place), n, n_ahead, self.n_targets, self.y, self.weight, y, weight)

    cdef void forward(self, Py_ssize_t place, Py_ssize_t n, const Step *step, double *z) noexcept nogil:
        """Predict."""

    cdef void backward(self, Py_ssize_t place, Py_ssize_t n, const double *residual) noexcept nogil:
        """Add residual * features to the gradient."""

    cdef void step(self, const Step *step) noexcept nogil:
        """Update the coordinates, and set the gradient to zero."""

    cdef void start(self, const StepPlan *plan) noexcept nogil:
        """Get ready for the steps of a call."""

    cdef void finish(self, const StepPlan *plan, int64_t i) noexcept nogil:
        """Bring every coordinate to step `i`, the last of a call."""

    cdef void predict(self, const uint32_t *rows, Py_ssize_t n, Py_ssize_t n_ahead, double *z) noexcept nogil:
        """Predict the first `n` of `n_ahead` selected rows with the coordinates set last."""
