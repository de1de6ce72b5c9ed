"""Whitened coordinates: a basis in which the columns of X are uncorrelated.

RMSprop scales each coordinate separately and does not take correlation into account: in a narrow valley at an angle to
the axes it needs very many steps. In the eigenbasis of the columns' correlation matrix, with directions scaled to
variance 1, there is no such valley. (SOAP, Vyas et al. 2024, does the same to the layers of neural networks.)
"""

from dataclasses import replace

import numpy as np

from sklearn_rmsprop._coordinates import ROUNDINGS, Coordinates
from sklearn_rmsprop._data import TrainingData
from sklearn_rmsprop._statistics import Statistics, sample_evenly, shares_of

# Beyond this many columns, the 4 d^2 operations a batch cost more than they gain (docs/kernel_notes.md).
MOST_COLUMNS = 512

# The basis needs at least so many rows for each column (in `fit`, with "auto"): with fewer than two, the smallest
# eigenvalues of the correlation are far too small, whatever the columns are.
ROWS_PER_COLUMN = 3

# Of more than MEASURED_AT_ONCE columns, the correlation is first measured on LOOKED_AT rows for each column. Twice as
# many rows as columns have a condition number of some 30 where columns are independent, and one that is rather too
# large where they are not. This saves well-conditioned fits up to half of their time (docs/kernel_notes.md).
MEASURED_AT_ONCE, LOOKED_AT = 64, 2

# Where columns cannot be whitened, whether they should be is seen on so many rows.
CORRELATED_ROWS = 4096

# "auto" whitens when the largest eigenvalue of the correlation exceeds this multiple of the smallest: below, fits
# without it are as fast.
LEAST_CONDITION = 200

# An eigenvalue below this share of the largest one counts as zero. (1e-8 would already lose directions of a table X
# with a condition number of 1e5; the eigenvalues of its correlation differ by 1e10.)
NULL_SHARE = 1e-10

# This multiple of the smallest eigenvalue is added to each: rare outliers make the smallest directions heavy-tailed,
# and with their own variance as unit the fit takes longer (docs/kernel_notes.md).
RIDGE = 2


def may_be_correlated(data: TrainingData, *, centred: bool) -> bool:
    """Whether "auto" may whiten these dense rows, as far as a few of them tell. Only False is certain.

    `centred`: whether the fit centres the columns.
    """
    n_features = data.X.shape[1]
    if n_features <= MEASURED_AT_ONCE:
        return True
    rows = sample_evenly(data.rows, LOOKED_AT * n_features)
    share = shares_of(data.weight, rows)
    columns, _, size = standardised(data.X[rows].astype(np.float64), share, centred=centred)
    return bool((size == 0).any()) or is_ill_conditioned(columns)


def are_correlated(data: TrainingData, *, centred: bool) -> bool:
    """Whether dense columns are so correlated that they should be whitened, by a sample of the rows."""
    rows = sample_evenly(data.rows, CORRELATED_ROWS)
    columns, *_ = standardised(data.X[rows].astype(np.float64), shares_of(data.weight, rows), centred=centred)
    return is_ill_conditioned(columns)


def standardised(columns: np.ndarray, share: np.ndarray, *, centred: bool) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Columns less their mean and over their size, times the root of each row's share of the weight; mean and size.

    Their products are the correlation. The size is the standard deviation; if the columns are not `centred`, the mean
    is zero, and the size the root mean square. A column of zeros stays one.
    """
    with np.errstate(over="ignore", invalid="ignore"):
        mean = share @ columns if centred else np.zeros(columns.shape[1])
        columns = (columns - mean) * np.sqrt(share)[:, np.newaxis]
        size = np.linalg.norm(columns, axis=0)
        return columns / np.where(size > 0, size, 1), mean, size


def is_ill_conditioned(columns: np.ndarray) -> bool:
    """Whether the condition number of the columns' correlation is so large that they should be whitened."""
    if columns.shape[1] < 2:
        return False
    if not np.isfinite(columns).all():  # out of range
        return True
    columns = columns.astype(np.float32)  # enough digits for this condition number, in half the time
    eigenvalues = np.linalg.eigvalsh(columns.T @ columns)
    return bool(eigenvalues[-1] >= LEAST_CONDITION * eigenvalues[0])


def whitened(
    coordinates: Coordinates, statistics: Statistics, *, dtype: np.dtype, always: bool, l2: np.ndarray
) -> Coordinates:
    """The coordinates with a basis in which the columns are uncorrelated.

    No direction is left out: where the rows do not vary, the scale is that of a standardised column. The correlation
    may be that of a sample, which may lack rare rows.

    Parameters
    ----------
    coordinates : Coordinates
        Without a basis.
    statistics : Statistics
        With `x_correlation`.
    dtype : dtype
        The type of X.
    always : bool
        Whether to whiten even if the condition number is small.
    l2 : array
        Strengths of the L2 penalty. The Hessian of the weakest is added to the correlation. If there are stronger ones,
        the directions are those of which each is curved by itself, whatever the strength.
    """
    weakest = float(l2.min())
    unit = coordinates.x_unit
    relative_sd = statistics.x_sd / unit
    moments = statistics.x_correlation * relative_sd[:, np.newaxis] * relative_sd
    if coordinates.x_mean is None:
        mean = statistics.x_mean / unit
        moments = moments + mean[:, np.newaxis] * mean
    if weakest > 0:
        with np.errstate(over="ignore", divide="ignore", invalid="ignore"):
            moments[np.diag_indices_from(moments)] += weakest / unit**2
    if not np.isfinite(moments).all():
        return coordinates
    eigenvalues, vectors = np.linalg.eigh(moments)
    varies = eigenvalues > NULL_SHARE * eigenvalues[-1]
    if not varies.any():
        return coordinates
    smallest = eigenvalues[varies][0]
    if not always and eigenvalues[-1] < LEAST_CONDITION * smallest:
        return coordinates
    root = np.sqrt(np.where(varies, eigenvalues + RIDGE * smallest, 1))
    inverse_basis = (vectors * root).T * unit
    with np.errstate(over="ignore", invalid="ignore"):
        basis = vectors / root / unit[:, np.newaxis]
        if l2.max() > weakest and np.isfinite(curvature_of_penalty := basis.T @ basis).all():
            # in this basis the squares curve all directions alike, so it may be turned: to the axes of the penalty
            _, turn = np.linalg.eigh(curvature_of_penalty)
            basis, inverse_basis = basis @ turn, turn.T @ inverse_basis
    if np.abs(basis).max() > np.finfo(dtype).max:  # of tiny columns: one unit each is all that they can have
        return coordinates
    # a prediction is the sum of so many terms as large as the elements of the basis, in units of the columns
    magnitude = coordinates.magnitude + float(len(root) ** 0.5 / root.min())
    magnitude += ROUNDINGS * float(coordinates.distance_in(basis).max())
    return replace(
        coordinates,
        magnitude=magnitude,
        basis=np.ascontiguousarray(basis),
        inverse_basis=np.ascontiguousarray(inverse_basis),
        l2_in_units=weakest,
    )
