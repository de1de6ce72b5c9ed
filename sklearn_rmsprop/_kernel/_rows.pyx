"""Rows of X with their targets and weights, and the working copy of the state that acts on them.

A state is any object with the arrays of STATE_ARRAYS, each (n_features + 1, n_targets) with the intercept last;
`average` is float64, the others have the type of X. COORDINATE_ARRAYS must be there; for the others None stands for
zeros. `load` copies a state into the working
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
        Bytes of X that an epoch reads.
    y : (n_rows, n_targets) float64
        Targets in units of the kernel: C-contiguous, or one column that is broadcast to several.
    weight : (n_rows,) float64 or float
        A weight per row, or one for all.
    selected : (n,) uint32
        Numbers of the rows that take part.
    shuffle : bool
        Whether to draw a new order for each epoch.
    certain : (n_certain,) uint32 or None
        Numbers of further rows that are in every batch, weighted so that its gradient stays unbiased.
    """

    def __init__(self, X, Py_ssize_t n_bytes, y, weight, selected, bint shuffle, certain=None):
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
        self.n_drawn = len(selected)
        none = np.empty(0, np.uint32)
        self.certain = none if certain is None or len(certain) == 0 else checked_rows(certain, self.n_rows)
        self.order = Order(selected, n_bytes, shuffle)
        # The cache also holds the rows that pass through it: targets of half its size are worth requesting early, and
        # several targets always (a single column that is broadcast to several is one).
        has_several = self.y.column_stride > 0 and self.n_targets > 1
        self._fetches_targets = has_several or 2 * y.nbytes > CACHED_BYTES
        self._owners = (X, y, weight)

    @property
    def lazy(self):
        """Whether a step leaves out the coordinates that its batch does not visit."""
        return False

    def load(self, state, rate_factors=None):
        """Copy a state into the working memory, unless it is the one stored last.

        Parameters
        ----------
        state : object
        rate_factors : (n_targets,) array or None
            A factor of the step sizes for each target; None: all the same.

        Raises
        ------
        ValueError
            If an array does not have the shape and type of these rows.
        """
        if self._loaded is not None and self._loaded[0] is state and np.array_equal(self._loaded[1], rate_factors):
            return
        shape = (self.n_features + 1, self.n_targets)
        found = np.shape(state.coef)
        if found != shape:
            raise ValueError(
                f"The state must have coefficients of shape {shape} like X and y: a row for each feature and the "
                f"intercept, a column for each target; got {found}."
            )
        self.order.generator = state.generator
        self._load(state, rate_factors)
        self._loaded = state, np.copy(rate_factors)

    def store(self, *, bint moments):
        """What was learned, as a dictionary of new arrays: those of a state, and `generator`.

        `moments`: with "gradient_mean" and "velocity", which change only where there is momentum or `centered`. The
        arrays of the L1 penalty are there if the rows have them.
        """
        result = self._store(moments)
        result["generator"] = self.order.generator
        return result

    def stored_as(self, state, rate_factors=None):
        """Say which state was made of the arrays that `store` returned, so that `load` need not copy it back."""
        self._loaded = state, np.copy(rate_factors)

    def follow(self, Rows other):
        """Go on in the current epoch of other rows, which are the same but for their targets, in the same order.

        Raises
        ------
        ValueError
            If their numbers of rows differ.
        """
        if other.n_rows != self.n_rows or other.n_drawn != self.n_drawn:
            raise ValueError(
                f"the rows to follow must be {self.n_drawn} of {self.n_rows} rows; "
                f"got {other.n_drawn} of {other.n_rows}"
            )
        self.order = other.order.copy()

    def _load(self, state, rate_factors):
        raise NotImplementedError

    def _store(self, moments):
        raise NotImplementedError

    def set_prediction_coef(self, coef):
        """Take these coordinates, (n_features + 1, n_targets) float64, for `predict`."""
        raise NotImplementedError

    cdef void take(
        self, const uint32_t *rows, Py_ssize_t n, Py_ssize_t n_ahead, double *y, double *weight
    ) noexcept nogil:
        """Copy the targets of the first `n` of `n_ahead` rows, and their weights if these differ.

        `forward` and `backward` are then called for the same rows.
        """
        gather(
            rows, n, n_ahead if self._fetches_targets else n, self.n_targets, self.y, self.weight, y, weight
        )

    cdef void forward(
        self, const uint32_t *rows, Py_ssize_t n, Py_ssize_t n_ahead, const Step *step, double *z
    ) noexcept nogil:
        """Predict."""

    cdef void backward(self, const uint32_t *rows, Py_ssize_t n, const double *residual) noexcept nogil:
        """Add residual * features to the gradient."""

    cdef void step(self, const Step *step) noexcept nogil:
        """Update the coordinates, and set the gradient to zero."""

    cdef void start(self, const StepPlan *plan) noexcept nogil:
        """Get ready for the steps of a call."""

    cdef void finish(self, const StepPlan *plan, int64_t i) noexcept nogil:
        """Bring every coordinate to step `i`, the last of a call."""

    cdef void predict(self, const uint32_t *rows, Py_ssize_t n, Py_ssize_t n_ahead, double *z) noexcept nogil:
        """Predict the first `n` of `n_ahead` selected rows with the coordinates set last."""
