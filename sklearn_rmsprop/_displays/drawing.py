"""What the displays have in common. matplotlib is imported when something is drawn."""

from typing import TYPE_CHECKING, Any

from sklearn_rmsprop._compat import check_matplotlib_support

if TYPE_CHECKING:
    from matplotlib.axes import Axes


def new_axes(display: object, ax: "Axes | None") -> "Axes":
    """The axes to draw on: the given ones, or those of a new figure."""
    check_matplotlib_support(f"{type(display).__name__}.plot")
    from matplotlib import pyplot as plt  # noqa: PLC0415

    return plt.subplots(layout="constrained")[1] if ax is None else ax


def styled(line_kw: dict[str, Any] | None, **default: Any) -> dict[str, Any]:
    """Keyword arguments for a line: the defaults, and before them the user's, which may be short (c for color)."""
    from matplotlib.cbook import normalize_kwargs  # noqa: PLC0415
    from matplotlib.lines import Line2D  # noqa: PLC0415

    return default | normalize_kwargs(line_kw or {}, Line2D)
