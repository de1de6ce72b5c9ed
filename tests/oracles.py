"""The best value a linear model can reach, for every loss and penalty, found without RMSprop.

With weights p_i = v_i / sum(v), r = y - X @ w - c and a1, a2 the two parts of alpha, all of

    F(w, c) = sum_i p_i f(r_i) + a1 |w|_1 + a2 |w|^2 / 2

have one shape, because the conjugate of each loss is f*(u) = k u^2 / 2 + e |u| on lo <= u <= hi:

    loss                         k  e      lo      hi
    squared_error                1  0      -inf    inf
    absolute_error               0  0      -1      1
    huber                        1  0      -delta  delta
    quantile                     0  0      q - 1   q
    epsilon_insensitive          0  delta  -1      1
    squared_epsilon_insensitive  1  delta  -inf    inf

So one interior-point method finds all minima, and one formula bounds all of them from below: for any
u inside these limits whose weighted sum is 0,

    F(w, c) >= sum_i p_i (u_i y_i - f*(u_i)) - sum_j (max(|g_j| - a1, 0))^2 / (2 a2),  g = X.T @ (p u)

for all w and c (Fenchel). `minimum` returns nothing that this bound does not confirm: how it was
found need not be trusted. Only `lower_bound` and `objective` have to be right.
"""

import hashlib
from functools import cache

import numpy as np
from scipy import sparse
from scipy.linalg import cho_factor, cho_solve
from sklearn.datasets import load_diabetes

LOSSES = (
    "squared_error",
    "absolute_error",
    "huber",
    "quantile",
    "epsilon_insensitive",
    "squared_epsilon_insensitive",
)
PENALTIES = (None, "l2", "l1", "elasticnet")

# What `minimum` may be above the true minimum, as a fraction of null - minimum.
CERTIFIED = 1e-7

_minima = {}


def losses(r, *, loss, delta=1.0, quantile=0.5):
    """Return the loss of each residual r = y - prediction."""
    beyond = np.maximum(np.abs(r) - delta, 0)
    return {
        "squared_error": r**2 / 2,
        "absolute_error": np.abs(r),
        "huber": np.where(beyond > 0, delta * (np.abs(r) - delta / 2), r**2 / 2),
        "quantile": quantile * np.maximum(r, 0) + (1 - quantile) * np.maximum(-r, 0),
        "epsilon_insensitive": beyond,
        "squared_epsilon_insensitive": beyond**2 / 2,
    }[loss]


def objective(
    X,
    y,
    coef,
    intercept,
    *,
    loss,
    penalty=None,
    alpha=1e-4,
    l1_ratio=0.15,
    delta=1.0,
    quantile=0.5,
    sample_weight=None,
):
    """Return F at a model: weighted mean loss plus penalty."""
    coef = np.ravel(coef)
    each = losses(y - X @ coef - np.squeeze(intercept), loss=loss, delta=delta, quantile=quantile)
    a1, a2 = _penalty_parts(penalty, alpha, l1_ratio)
    return float(np.average(each, weights=sample_weight) + a1 * np.sum(np.abs(coef)) + a2 * np.sum(coef**2) / 2)


def null(y, *, loss, delta=1.0, quantile=0.5, sample_weight=None, **_penalty):
    """Return the smallest objective without columns; options of the penalty make no difference.

    The slope of the weighted mean loss is monotone in the intercept: bisection finds where it
    changes sign, to the last bit, whether or not it is continuous there.
    """
    low, high = np.min(y) - delta, np.max(y) + delta
    while low < (middle := (low + high) / 2) < high:
        slope = _slopes(y - middle, loss, delta, quantile)
        if np.average(slope, weights=sample_weight) > 0:
            low = middle
        else:
            high = middle
    each = losses(y - high, loss=loss, delta=delta, quantile=quantile)
    return float(np.average(each, weights=sample_weight))


def minimum(X, y, **options):
    """Return the smallest objective on dense or CSR data, and a (coef, intercept) that reaches it.

    The options are those of `objective`. The value is confirmed by `lower_bound` to be within
    `CERTIFIED` of the smallest. What was asked before is remembered.
    """
    key = _key(X, y, **options)
    if key not in _minima:
        coef, intercept, u = _solve(X, y, **options)
        coef.setflags(write=False)
        value, without = objective(X, y, coef, intercept, **options), null(y, **options)
        uncertain = value - lower_bound(X, y, u, **options)
        allowed = CERTIFIED * (without - value) + 1e-12 * without
        assert uncertain <= allowed, f"minimum not confirmed: {uncertain} above the bound, {allowed} allowed"
        _minima[key] = value, coef, intercept
    return _minima[key]


def gap(X, y, coef, intercept, **options):
    """Return what a model misses of what there is to gain: 0 for the best, 1 for the best constant."""
    best = minimum(X, y, **options)[0]
    return (objective(X, y, coef, intercept, **options) - best) / (null(y, **options) - best)


def lower_bound(
    X,
    y,
    u,
    *,
    loss,
    penalty=None,
    alpha=1e-4,
    l1_ratio=0.15,
    delta=1.0,
    quantile=0.5,
    sample_weight=None,
):
    """Return a lower bound of the objective from any `u`: the closer to the slopes at the minimum, the better.

    `u` is first made feasible: by the smallest change that keeps the limits on g, and then by shrinking it
    until all limits hold (0 keeps them all, and f*(0) = 0).
    """
    p = _shares(y, sample_weight)
    a1, a2 = _penalty_parts(penalty, alpha, l1_ratio)
    k, e, lo, hi = _conjugate(loss, delta, quantile)

    # A shift of the columns or of y is a change of intercept, which must not matter to u: so use one
    # that keeps the rounding errors small.
    y = y - p @ y
    ones = np.ones((len(y), 1))
    if not sparse.issparse(X):
        X = X - p @ X
    # Without a2, all columns limit u: |g_j| <= a1. The intercept's column always does, with limit 0.
    columns = _side_by_side(X, ones) if a2 == 0 else ones
    limit = np.append(np.full(columns.shape[1] - 1, a1), 0.0)
    gram = _gram(columns, p)
    unit = np.sqrt(np.where(gram.diagonal() > 0, gram.diagonal(), 1.0))
    inverse = np.linalg.pinv(gram / np.outer(unit, unit), rcond=1e-12, hermitian=True) / np.outer(unit, unit)
    for _ in range(3):  # again for the rounding errors of the first time
        g = columns.T @ (p * u)
        u = u - columns @ (inverse @ (g - np.clip(g, -limit, limit)))
    u = u / max(1.0, u.max() / hi, u.min() / lo)
    if a1 > 0 and a2 == 0:
        u = u / max(1.0, np.max(np.abs(X.T @ (p * u))) / a1)

    bound = p @ (u * y - k * u**2 / 2 - e * np.abs(u))
    if a2 > 0:
        bound -= np.sum(np.maximum(np.abs(X.T @ (p * u)) - a1, 0) ** 2) / (2 * a2)
    return float(bound)


def _penalty_parts(penalty, alpha, l1_ratio):
    """Return the factors of |w|_1 and of |w|^2 / 2."""
    share = {None: 0.0, "l2": 0.0, "l1": 1.0, "elasticnet": l1_ratio}[penalty]
    return (0.0, 0.0) if penalty is None else (alpha * share, alpha * (1 - share))


def _conjugate(loss, delta, quantile):
    """Return k, e, lo, hi of the table above."""
    return {
        "squared_error": (1.0, 0.0, -np.inf, np.inf),
        "absolute_error": (0.0, 0.0, -1.0, 1.0),
        "huber": (1.0, 0.0, -delta, delta),
        "quantile": (0.0, 0.0, quantile - 1, quantile),
        "epsilon_insensitive": (0.0, delta, -1.0, 1.0),
        "squared_epsilon_insensitive": (1.0, delta, -np.inf, np.inf),
    }[loss]


def _slopes(r, loss, delta, quantile):
    """Return the derivative of each loss, or one of its subgradients."""
    k, e, lo, hi = _conjugate(loss, delta, quantile)
    beyond = np.sign(r) * np.maximum(np.abs(r) - e, 0)
    if k > 0:
        return np.clip(beyond, lo, hi)
    return np.where(beyond > 0, hi, np.where(beyond < 0, lo, 0.0))


def _solve(X, y, *, loss, penalty=None, alpha=1e-4, l1_ratio=0.15, delta=1.0, quantile=0.5, sample_weight=None):
    """Return coef, intercept and u of the minimum, by `_interior_point` in columns of unit size."""
    p = _shares(y, sample_weight)
    a1, a2 = _penalty_parts(penalty, alpha, l1_ratio)
    k, e, lo, hi = _conjugate(loss, delta, quantile)

    kept = p > 0
    n_rows, p, X, y_mean = np.count_nonzero(kept), p[kept], X[kept], p @ y
    y = y[kept] - y_mean
    if sparse.issparse(X):
        mean = np.zeros(X.shape[1])
        unit = np.sqrt(p @ X.power(2))
    else:
        mean = p @ X
        unit = np.sqrt(p @ (X - mean) ** 2)
    unit = np.where(unit > 0, unit, 1.0)
    columns = X @ sparse.diags(1 / unit) if sparse.issparse(X) else (X - mean) / unit
    columns = _side_by_side(columns, np.ones((n_rows, 1)))

    # With e > 0 the loss is a sum of two, each with a kink at one end of the zone without loss.
    pieces = [(y, lo, hi)] if e == 0 else [(y - e, 0.0, hi), (y + e, lo, 0.0)]
    solution, dual = _interior_point(
        columns,
        targets=[target for target, _, _ in pieces],
        bounds=[(p * low, p * high) for _, low, high in pieces],
        curvature=k / p,
        box=np.append(a1 / unit, 0.0),
        ridge=np.append(a2 / unit**2, 0.0),
        scale=null(y, loss=loss, delta=delta, quantile=quantile, sample_weight=p),
    )
    coef = solution[:-1] / unit
    u = np.zeros(len(kept))
    u[kept] = dual / p
    return coef, float(y_mean + solution[-1] - coef @ mean), u


def _interior_point(columns, *, targets, bounds, curvature, box, ridge, scale, max_iter=100):
    """Minimise over b: sum of g_i(target_i - columns_i @ b) + box @ |b| + ridge @ b^2 / 2.

    The conjugate of g_i is curvature_i u^2 / 2 between its bounds. That of box_j |.| is 0 between -box_j
    and box_j, so every coefficient that has a box is one more row. With a multiplier z for each finite
    limit of u, of sign 1 at upper and -1 at lower limits, the minimum is where, for mu -> 0,

        rows @ b + k u + sum of sign z = target,  ridge b = rows.T @ u,  z room = mu

    (k is the curvature, room the distance to the limit). This is Mehrotra's predictor-corrector method
    for these equations. Returned are b, and u summed over the targets of a row.
    """
    rows = _Rows(columns, len(targets), np.flatnonzero(box))
    lo = np.concatenate([low for low, _ in bounds] + [-box[rows.boxed]])
    hi = np.concatenate([high for _, high in bounds] + [box[rows.boxed]])
    k = np.concatenate([curvature] * len(targets) + [np.zeros(len(rows.boxed))])
    d = np.concatenate([*targets, np.zeros(len(rows.boxed))])
    size = np.sqrt(np.mean(d**2))
    upper, lower = np.flatnonzero(np.isfinite(hi)), np.flatnonzero(np.isfinite(lo))
    at, sign = np.append(upper, lower), np.repeat([1.0, -1.0], [len(upper), len(lower)])

    b = np.zeros(columns.shape[1])
    u = _between(lo, hi, d / np.where(k > 0, k, 1.0), size / np.where(k > 0, k, 1.0))
    room = sign * (np.append(hi[upper], lo[lower]) - u[at])
    z = np.full(len(at), size)
    best_error, best, n_worse = np.inf, (b, u), 0
    for _ in range(max_iter):
        off = d - rows.times(b) - k * u - np.bincount(at, sign * z, len(d))
        off_b = ridge * b - rows.transposed_times(u)
        # All in units of the objective. At the end rounding errors take over.
        error = z @ room + np.abs(off) @ np.abs(u) + np.abs(off_b) @ (np.abs(b) + size)
        if error < best_error:
            best_error, best, n_worse = error, (b, u), 0
        else:
            n_worse += 1
        if error <= 1e-11 * scale or n_worse == 3:
            break

        direction = _linearise(rows, k=k, ridge=ridge, at=at, sign=sign, off=off, off_b=off_b, room=room, z=z)
        *_, droom, dz = direction(np.zeros(len(z)))
        step = min(_longest_step(room, droom), _longest_step(z, dz))
        product = -droom * dz
        if len(z):
            left = (room + step * droom) @ (z + step * dz) / (room @ z)
            product += left**3 * (room @ z) / len(z)
        db, du, droom, dz = direction(product)
        step = min(_longest_step(room, droom), _longest_step(z, dz))
        b, u, room, z = b + step * db, u + step * du, room + step * droom, z + step * dz
    b, u = best
    return b, sum(np.split(u, rows.ends)[:-1])


def _linearise(rows, *, k, ridge, at, sign, off, off_b, room, z):
    """Return the function from what z room is to be to the Newton step: of b, u, room and z."""
    weight = 1 / (k + np.bincount(at, z / room, len(k)))
    matrix = rows.gram(weight)
    diagonal = matrix.diagonal() + ridge
    # A trifle makes the matrix regular where columns depend on each other.
    np.fill_diagonal(matrix, diagonal * (1 + 1e-13) + 1e-16 * diagonal.max())
    factors = cho_factor(matrix, check_finite=False)

    def direction(product):
        right = off - np.bincount(at, sign * (product / room - z), len(k))
        db, du = np.zeros(len(ridge)), weight * right
        for _ in range(2):  # the second time against the rounding errors of the first
            db = db + cho_solve(factors, rows.transposed_times(du) - off_b - ridge * db, check_finite=False)
            du = weight * (right - rows.times(db))
        droom = -sign * du[at]
        return db, du, droom, (product - z * droom) / room - z

    return direction


class _Rows:
    """The matrix of `n_pieces` times the same columns, and below it a unit row for each boxed coefficient."""

    def __init__(self, columns, n_pieces, boxed):
        self.columns, self.n_pieces, self.boxed = columns, n_pieces, boxed
        self.ends = columns.shape[0] * np.arange(1, n_pieces + 1)

    def times(self, b):
        return np.concatenate([self.columns @ b] * self.n_pieces + [b[self.boxed]])

    def transposed_times(self, u):
        *pieces, of_boxed = np.split(u, self.ends)
        product = self.columns.T @ sum(pieces)
        product[self.boxed] += of_boxed
        return product

    def gram(self, weight):
        *pieces, of_boxed = np.split(weight, self.ends)
        matrix = _gram(self.columns, sum(pieces))
        matrix[self.boxed, self.boxed] += of_boxed
        return matrix


def _between(lo, hi, without, away):
    """Return the middle of each interval, a point `away` from its only end, or `without` if it has none."""
    upper, lower = np.isfinite(hi), np.isfinite(lo)
    u = np.where(lower, lo + away, np.where(upper, hi - away, without))
    u[upper & lower] = (lo[upper & lower] + hi[upper & lower]) / 2
    return u


def _longest_step(values, change):
    """Return how far positive values can go in a direction, at most 1, and not quite until one is 0."""
    shrinking = change < 0
    return min(1.0, 0.995 * np.min(-values[shrinking] / change[shrinking], initial=np.inf))


def _gram(columns, weight):
    """Return columns.T @ diag(weight) @ columns as an array."""
    if sparse.issparse(columns):
        return (columns.T @ columns.multiply(weight[:, np.newaxis])).toarray()
    return columns.T @ (columns * weight[:, np.newaxis])


def _side_by_side(X, more):
    return sparse.hstack([X, more], format="csr") if sparse.issparse(X) else np.hstack([X, more])


def _shares(y, sample_weight):
    return np.full(len(y), 1 / len(y)) if sample_weight is None else sample_weight / np.sum(sample_weight)


def _key(X, y, sample_weight=None, **options):
    """Return what tells this problem from others; the digest spares comparing, and keeping, the arrays."""
    arrays = [X.data, X.indices, X.indptr] if sparse.issparse(X) else [X]
    arrays += [y] if sample_weight is None else [y, sample_weight]
    digest = hashlib.sha256(repr([(np.shape(a), np.asarray(a).dtype) for a in arrays]).encode())
    for array in arrays:
        digest.update(np.ascontiguousarray(array).tobytes())
    return X.shape, digest.digest(), frozenset(options.items())


# The data sets


@cache
def diabetes_standardised():
    """Return the 442 x 10 diabetes table with columns of mean 0 and standard deviation 1."""
    X, y = load_diabetes(return_X_y=True)
    return _read_only((X - X.mean(axis=0)) / X.std(axis=0), y)


@cache
def heavy_tailed(seed, *, n_rows=5000, n_features=10):
    """Draw columns of scales 0.1 to 10 off the origin, and a target around 500 with t(3) noise.

    The target's standard deviation is about 30, half of its variance is noise.
    """
    rng = np.random.default_rng(seed)
    Z = rng.normal(size=(n_rows, n_features))
    scale = np.logspace(-1, 1, n_features)
    X = scale * (Z + rng.uniform(-3, 3, size=n_features))
    signal = Z @ rng.normal(size=n_features)
    noise = rng.standard_t(3, size=n_rows) / np.sqrt(3)
    return _read_only(X, 500 + 30 * np.sqrt(0.5) * (signal / signal.std() + noise))


@cache
def text_like(seed, *, n_rows=1500, n_features=400):
    """Draw CSR rows as of tf-idf: about 30 positive entries of Zipf's frequencies, of norm 1.

    A tenth of the columns matters. Half of the target's variance is noise.
    """
    rng = np.random.default_rng(seed)
    frequency = 1 / (np.arange(n_features) + 10.0)
    words = rng.choice(n_features, size=(n_rows, 40), p=frequency / frequency.sum())
    count = sparse.csr_array((np.ones(words.size), (np.repeat(np.arange(n_rows), 40), words.ravel())))
    count.resize(n_rows, n_features)
    rarity = 1 + np.log(n_rows / (1 + (count > 0).sum(axis=0)))
    tfidf = count @ sparse.diags_array(rarity)
    tfidf = sparse.csr_matrix(sparse.diags_array(1 / np.sqrt(tfidf.power(2).sum(axis=1))) @ tfidf)
    coef = np.where(rng.random(n_features) < 0.1, rng.normal(size=n_features), 0.0)
    signal = tfidf @ coef
    return tfidf, _read_only(signal / signal.std() + rng.normal(size=n_rows))[0]


def _read_only(*arrays):
    for array in arrays:
        array.setflags(write=False)
    return arrays
