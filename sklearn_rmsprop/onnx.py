"""Conversion to ONNX by skl2onnx, which is imported when the converter is registered."""

from typing import Any

import numpy as np

from sklearn_rmsprop._regressor import RMSpropRegressor
from sklearn_rmsprop._search import RMSpropRegressorCV

__all__ = ["register_converter"]


def register_converter() -> None:
    """Let `skl2onnx` convert `RMSpropRegressor` and `RMSpropRegressorCV`, alone or in a pipeline.

    Once in a process is enough.

    Needs skl2onnx: ``pip install "sklearn-rmsprop[onnx]"``. The converted model takes float32, float64, int64 or
    Boolean rows. It computes as `predict` does, in float64 unless both the rows and the coefficients are float32, and
    returns an array of shape (n_samples, n_targets), as all regressors in ONNX: of the type of the rows, or float32
    where these are no floating-point numbers.

    Raises
    ------
    ImportError
        If skl2onnx is not installed.

    Examples
    --------
    >>> from skl2onnx import to_onnx  # doctest: +SKIP
    >>> from sklearn_rmsprop.onnx import register_converter
    >>> register_converter()  # doctest: +SKIP
    >>> converted = to_onnx(model, X[:1])  # doctest: +SKIP
    """
    try:
        from skl2onnx import update_registered_converter  # noqa: PLC0415
        from skl2onnx.common.shape_calculator import calculate_linear_regressor_output_shapes  # noqa: PLC0415
    except ImportError as error:
        raise ImportError(
            'Conversion to ONNX needs skl2onnx. Install it with: pip install "sklearn-rmsprop[onnx]"'
        ) from error

    for estimator in (RMSpropRegressor, RMSpropRegressorCV):
        update_registered_converter(
            estimator, f"Sklearn{estimator.__name__}", calculate_linear_regressor_output_shapes, _convert
        )


def _convert(scope: Any, operator: Any, container: Any) -> None:
    """Add the nodes of a prediction to the graph that skl2onnx builds: rows @ coef + intercept."""
    from onnx import TensorProto  # noqa: PLC0415
    from skl2onnx.algebra.onnx_ops import OnnxAdd, OnnxCast, OnnxMatMul  # noqa: PLC0415
    from skl2onnx.common.data_types import guess_numpy_type, guess_proto_type  # noqa: PLC0415

    rows, result = operator.inputs[0], operator.outputs[0]
    coef, intercept = operator.raw_operator._to_predict_with()
    single = coef.dtype == np.float32 and guess_numpy_type(rows.type) == np.float32
    dtype, proto_type = (np.float32, TensorProto.FLOAT) if single else (np.float64, TensorProto.DOUBLE)
    coef, intercept = np.atleast_2d(coef).astype(dtype).T, np.atleast_1d(intercept).astype(dtype)
    opset = {"op_version": container.target_opset}
    product = OnnxMatMul(OnnxCast(rows, to=proto_type, **opset), np.ascontiguousarray(coef), **opset)
    prediction = OnnxAdd(product, intercept, **opset)
    last = OnnxCast(prediction, to=guess_proto_type(result.type), output_names=[result], **opset)
    last.add_to(scope, container)
