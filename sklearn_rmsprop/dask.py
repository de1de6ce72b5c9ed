"""`DaskRMSpropRegressor`: the regressor for data that lies on the workers of a Dask cluster."""

import inspect
from collections.abc import Callable, Sequence
from numbers import Integral
from typing import Any, ClassVar, Self

import numpy as np
from numpy.typing import ArrayLike
from sklearn.utils import check_random_state
from sklearn.utils.validation import check_is_fitted

from sklearn_rmsprop._compat import Interval, with_callbacks
from sklearn_rmsprop._data import REALS
from sklearn_rmsprop._parameters import CONSTRAINTS
from sklearn_rmsprop._partitions import Partition, measure_errors, predict_block, r2_of, validate_partition
from sklearn_rmsprop._regressor import RMSpropRegressor
from sklearn_rmsprop._rounds import check_for_rounds, describe_partitions, make_blocks_problem
from sklearn_rmsprop._settings import Settings
from sklearn_rmsprop._state import seed_generator
from sklearn_rmsprop._typing import LossName

try:
    import dask
    import dask.array as da
    from dask.delayed import Delayed, delayed
    from distributed import Client, Future, get_client
except ImportError as error:
    raise ImportError(
        'sklearn_rmsprop.dask needs dask and distributed. Install them: pip install "sklearn-rmsprop[dask]"'
    ) from error


def _with_parameters(parent: Callable[..., None], own: Callable[..., None]) -> inspect.Signature:
    """The signature of a constructor that passes the parameters which it does not name to its parent."""
    parameters = dict(inspect.signature(own).parameters)
    del parameters["parameters"]
    return inspect.Signature([*(dict(inspect.signature(parent).parameters) | parameters).values()])


class DaskRMSpropRegressor(RMSpropRegressor):
    """`RMSpropRegressor` for data on the workers of a Dask cluster, which need not fit into the memory of one machine.

    The rows are dealt at random to a few blocks, one for each worker. In rounds, each block is trained on from the same
    state, and the states are averaged. Stopping rule, losses, penalties, weights and the attributes of the fitted model
    are those of `RMSpropRegressor`, and what it converges to is the same.

    Parameters
    ----------
    loss : str, default="squared_error"
        This and all other parameters but the two that follow are those of `RMSpropRegressor`. `schedule` must not be
        "linear" or "cosine", and `early_stopping` must be False, for data on a cluster.

    n_blocks : int or None, default=None
        Number of blocks, at least 1; None: one for each worker. More blocks than workers only add work to each round.
        The coefficients depend on it, so set it where they must not depend on how many workers there are.

    exchange : bool, default=True
        Deal the rows at random to the blocks first, which sends nearly all of them once over the network. False leaves
        each partition where it is: only if all rows are in a random order already. Otherwise the fit ends far from the
        optimum, because blocks with other rows have other optima, whose mean is none.

    **parameters
        See `loss`.

    Attributes
    ----------
    client : distributed.Client or None
        The cluster to fit on; None: the current client. May be set. It belongs neither to the parameters nor to a copy
        or pickle of the estimator.

    See Also
    --------
    sklearn_rmsprop.RMSpropRegressor : All other parameters and attributes; `partial_fit` for data in chunks on one
        machine, which is faster while a pass over them is affordable.

    Notes
    -----
    `fit` takes dask arrays (whose blocks are dense, or sparse matrices of SciPy), dask data frames with a series or
    frame of targets, or lists of delayed blocks. The partitions of X, y and sample_weight must hold the same rows;
    arrays whose chunks are known are rechunked accordingly. Empty partitions are dropped. Other data, such as NumPy
    arrays, is fitted in this process, as by `RMSpropRegressor`.

    `predict` is lazy for dask collections: it returns a dask array. `score` then computes on the workers.
    `partial_fit` is that of `RMSpropRegressor`: the rows of a call are loaded into the memory of this process.

    While rows are exchanged, a worker needs memory for 2.1 times its rows, or 2.3 times besides the partitions of a
    collection that you have persisted; afterwards for its rows once.

    The result depends on the parameters, the partitions and `n_blocks`, not on the order in which tasks end. When a
    worker is lost, Dask computes its blocks again, and the model is the same. It cannot do so with data that you have
    scattered to that worker only.

    Examples
    --------
    >>> import dask.array as da
    >>> from distributed import Client
    >>> from sklearn_rmsprop.dask import DaskRMSpropRegressor
    >>> client = Client(
    ...     n_workers=1, threads_per_worker=2, processes=False, dashboard_address=":0"
    ... )
    >>> X = da.random.default_rng(0).normal(size=(10_000, 3), chunks=(2_000, 3))
    >>> y = X @ [1.0, 2.0, 3.0] + 4.0
    >>> model = DaskRMSpropRegressor(n_blocks=2, random_state=0).fit(X, y)
    >>> model.coef_.round(1)
    array([1., 2., 3.])
    >>> model.predict(X).chunks
    ((2000, 2000, 2000, 2000, 2000),)
    >>> round(model.score(X, y), 3)
    1.0
    >>> type(model.to_local()).__name__
    'RMSpropRegressor'
    >>> client.close()
    """

    _parameter_constraints: ClassVar[dict[str, list[Any]]] = {
        **CONSTRAINTS,
        "n_blocks": [Interval(Integral, 1, None, closed="left"), None],
        "exchange": ["boolean"],
    }

    client: Client | None = None

    def __init__(
        self, loss: LossName = "squared_error", *, n_blocks: int | None = None, exchange: bool = True, **parameters: Any
    ):
        super().__init__(loss, **parameters)
        self.n_blocks = n_blocks
        self.exchange = exchange

    # Names and defaults of the parameters, which scikit-learn reads here, are written down once: in the parent.
    __init__.__signature__ = _with_parameters(RMSpropRegressor.__init__, __init__)  # type: ignore[attr-defined]

    def partial_fit(self, X: Any, y: Any, sample_weight: Any = None) -> Self:
        """Train on these rows in one pass, in this process, and continue from the state after the last call.

        Parameters
        ----------
        X : array-like, or dask array or data frame, of shape (n_samples, n_features)
            Training rows, which are loaded into the memory of this process.

        y : array-like or dask array of shape (n_samples,) or (n_samples, n_targets)
            Target values.

        sample_weight : array-like or dask array of shape (n_samples,), default=None
            Weights of the rows.

        Returns
        -------
        self : DaskRMSpropRegressor
            The estimator, having learned these rows.
        """
        for name, data in (("X", X), ("y", y), ("sample_weight", sample_weight)):
            if isinstance(data, list | tuple) and is_distributed(data):
                raise TypeError(
                    f"{name} must be an array in partial_fit; got a list of {len(data)} delayed blocks. Call it with "
                    "one block at a time, computed: dask.compute(*blocks)."
                )
        return super().partial_fit(X, y, sample_weight)

    def predict(self, X: Any) -> Any:
        """Predict the target.

        Parameters
        ----------
        X : dask array or data frame, list of delayed blocks, or array-like of shape (n_samples, n_features)
            Rows to predict.

        Returns
        -------
        dask array or ndarray of shape (n_samples,) or (n_samples, n_targets)
            A dask array, which is computed when it is needed, for data in partitions.
        """
        if not is_distributed(X):
            return super().predict(X)
        check_is_fitted(self)
        model, dtype = self.to_local(), self.coef_.dtype
        shape = np.shape(self._to_predict_with()[1])
        if isinstance(X, da.Array):
            self._check_width(X)
            dtype = np.result_type(dtype, X.dtype if X.dtype in REALS else np.float64)
            X = X.rechunk({1: -1})
            axes = {"drop_axis": 1} if shape == () else {"chunks": (X.chunks[0], shape)}
            return X.map_blocks(
                predict_block, model, dtype=dtype, meta=np.empty((0,) * (1 + len(shape)), dtype), **axes
            )
        predict = delayed(predict_block, pure=True)
        blocks = [da.from_delayed(predict(block, model), (np.nan, *shape), dtype) for block in delayed_blocks("X", X)]
        return da.concatenate(blocks, allow_unknown_chunksizes=True)

    def score(self, X: Any, y: Any, sample_weight: Any = None) -> float:
        """Return R2, the coefficient of determination: 1 less the share of the target's variance that is not explained.

        Parameters
        ----------
        X : dask array or data frame, list of delayed blocks, or array-like of shape (n_samples, n_features)
            Rows to predict.

        y : dask array, data frame or series, list of delayed blocks, or array-like
            True targets.

        sample_weight : dask array or series, list of delayed blocks, array-like or None, default=None
            Weights of the rows.

        Returns
        -------
        float
            R2; with several targets the mean over these.
        """
        if not any(is_distributed(data) for data in (X, y, sample_weight)):
            return super().score(X, y, sample_weight)
        check_is_fitted(self)
        model = self.to_local()
        errors = delayed(measure_errors, pure=True)
        parts = [errors(model, *part) for part in partitions_of(X, y, sample_weight)]
        return r2_of([part for part in dask.compute(*parts) if part is not None])

    def to_local(self) -> RMSpropRegressor:
        """Return the same model as an `RMSpropRegressor`, which needs no Dask.

        Returns
        -------
        RMSpropRegressor
            With the same parameters and the same fitted attributes, if there are any.
        """
        local = RMSpropRegressor.__new__(RMSpropRegressor)
        stored = self.__getstate__()
        local.__setstate__({name: stored[name] for name in stored if name not in ("n_blocks", "exchange")})
        return local

    def __getstate__(self) -> dict[str, Any]:
        stored = super().__getstate__()
        stored.pop("client", None)  # a connection is not part of a model
        return stored

    def _check_width(self, X: da.Array) -> None:
        if X.ndim != 2 or X.shape[1] != self.n_features_in_:
            raise ValueError(
                f"X must have shape (n_samples, {self.n_features_in_}), as in fit; got {X.shape} in a dask array."
            )

    def _fit(
        self,
        X: Any,
        y: Any,
        sample_weight: Any,
        coef_init: ArrayLike | None,
        intercept_init: ArrayLike | None,
        *,
        validation: tuple[Any, Any, Any],
    ) -> list[tuple[str, type[Warning]]]:
        if any(is_distributed(data) for data in (X, y, sample_weight)):
            for name, data in zip(("X_val", "y_val", "sample_weight_val"), validation, strict=True):
                if data is not None:
                    raise ValueError(
                        f"{name} must be None if X is in partitions, because no validation data is used there; got "
                        f"{type(data).__name__}."
                    )
            return self._fit_blocks(X, y, sample_weight, coef_init, intercept_init)
        return super()._fit(X, y, sample_weight, coef_init, intercept_init, validation=validation)

    @with_callbacks
    def _fit_blocks(
        self, X: Any, y: Any, sample_weight: Any, coef_init: ArrayLike | None, intercept_init: ArrayLike | None
    ) -> list[tuple[str, type[Warning]]]:
        """`_fit` on the workers."""
        check_for_rounds(self.schedule, early_stopping=self.early_stopping)
        self._statistics = None
        self.__dict__.pop("validation_scores_", None)  # of an earlier fit
        settings, random_state = Settings.of(vars(self)), check_random_state(self.random_state)
        cluster = DaskCluster(self.client)
        validate = delayed(validate_partition, pure=False)
        parts = enumerate(partitions_of(X, y, sample_weight))
        validated = cluster.compute([validate(number, *part) for number, part in parts])
        handles, partitions = describe_partitions(cluster, validated, settings)
        generator, seed = seed_generator(random_state), int(random_state.randint(np.iinfo(np.int32).max))
        problem = make_blocks_problem(
            cluster,
            handles,
            partitions,
            settings,
            n_blocks=self.n_blocks or cluster.n_workers,
            exchange=self.exchange,
            seed=seed,
        )
        self._set_names(partitions[0])
        state = self._start(
            problem.sample,
            problem.coordinates,
            settings,
            generator,
            coef_init=coef_init,
            intercept_init=intercept_init,
        )
        reason = self._train(problem, state, settings, None, (X, y, sample_weight))
        return self._diagnose(problem.sample, settings, reason, n_rows=problem.n_rows)

    def _set_names(self, partition: Partition) -> None:
        self.n_features_in_ = partition.none.X.shape[1]
        self.__dict__.pop("feature_names_in_", None)
        if partition.names is not None:
            self.feature_names_in_ = partition.names


class DaskCluster:
    """Runs the functions of a fit on the workers (see `_rounds.Cluster`); a handle is a future.

    What tasks share is the result of a task itself. Scattered to the workers it would be lost with one of them.
    """

    def __init__(self, client: Client | None):
        if client is None:
            try:
                client = get_client()
            except ValueError:
                raise ValueError(
                    "X, y and sample_weight in partitions need a Dask client, and there is none. Start one, such as\n"
                    "    from distributed import Client; client = Client()\n"
                    "or set the attribute `client` of the estimator."
                ) from None
        self._client = client
        self._workers = sorted(client.nthreads())

    @property
    def n_workers(self) -> int:
        """Number of workers, 1 while none has come yet."""
        return max(1, len(self._workers))

    def submit(self, function: Callable[..., Any], *arguments: Any, home: int | None = None) -> Future:
        place: dict[str, Any] = {}
        if home is not None and self._workers:
            place = {"workers": [self._workers[home % len(self._workers)]], "allow_other_workers": True}
        with dask.config.set({"distributed.admin.large-graph-warning-threshold": "1TB"}):  # models may be large
            return self._client.submit(function, *arguments, pure=False, **place)

    def map(self, function: Callable[..., Any], *arguments: Sequence[Any]) -> list[Future]:
        return self._client.map(function, *arguments, pure=False)

    def gather(self, handles: Sequence[Future]) -> list[Any]:
        return self._client.gather(list(handles))

    def compute(self, blocks: Sequence[Delayed]) -> list[Future]:
        """Start to compute delayed values, and return their handles."""
        return self._client.compute(list(blocks))


# Collections and their partitions


def is_distributed(data: Any) -> bool:
    """Whether data is in partitions: a dask collection, or a list of delayed values or futures."""
    if isinstance(data, list | tuple):
        return bool(data) and all(isinstance(block, Delayed | Future) for block in data)
    return dask.is_dask_collection(data)


def partitions_of(X: Any, y: Any, sample_weight: Any) -> list[tuple[Any, ...]]:
    """The partitions of X, y and the weights, None without any, as delayed values."""
    if isinstance(X, da.Array):
        X = X.rechunk({1: -1}) if X.ndim == 2 else X
        y, sample_weight = (_with_chunks_of(X, data) for data in (y, sample_weight))
    named = {"X": X, "y": y} | ({} if sample_weight is None else {"sample_weight": sample_weight})
    blocks = {name: delayed_blocks(name, data) for name, data in named.items()}
    counts = {name: len(of_name) for name, of_name in blocks.items()}
    if len(set(counts.values())) > 1:
        raise ValueError(
            f"{', '.join(counts)} must have the same number of partitions, with the same rows; got "
            f"{', '.join(str(n) for n in counts.values())}. Rechunk or repartition them in the same way."
        )
    return list(zip(*blocks.values(), strict=True))


def _with_chunks_of(X: da.Array, data: Any) -> Any:
    """An array with the same chunks of rows, where chunks are known."""
    if not isinstance(data, da.Array):
        return data
    chunks = dict.fromkeys(range(1, data.ndim), -1)
    known = not np.isnan(np.concatenate([X.chunks[0], data.chunks[0]])).any() and data.shape[0] == X.shape[0]
    return data.rechunk(chunks | ({0: X.chunks[0]} if known else {}))


def delayed_blocks(name: str, data: Any) -> list[Any]:
    """The partitions as delayed values."""
    if not is_distributed(data):
        raise TypeError(
            f"{name} must be a dask array, a dask data frame or series, or a list of delayed blocks, as the other "
            f"arguments are; got {type(data).__name__}. Convert it, for example with dask.array.from_array."
        )
    if isinstance(data, list | tuple):
        return [delayed(block) for block in data]
    if isinstance(data, da.Array) and data.ndim == 2 and data.numblocks[1] > 1:
        data = data.rechunk({1: -1})
    return np.ravel(data.to_delayed()).tolist()
