"""How the gallery shows figures, thumbnails of them, and warnings."""

import textwrap
import warnings
from pathlib import Path

import matplotlib as mpl
from PIL import Image

COLUMNS = 88  # of code and output, as many as a page has room for
# Of a figure with several panels the thumbnail shows the part that is recognised when small: left, upper, right and
# lower edge, as fractions of the first figure.
PARTS = {
    "plot_diamonds": (0.5, 0, 1, 1),
    "plot_drifting_stream": (0, 0, 0.58, 1),
    "plot_optimizers_compared": (0.56, 0.025, 1, 0.5),
    "plot_quantile_band": (0, 0, 0.58, 1),
    "plot_robust_losses": (0, 0, 0.565, 1),
    "plot_sparse_text": (0, 0, 0.545, 1),
    "plot_x_over_log_x": (0.5, 0, 1, 1),
}


def short_warning(message, category, filename, lineno, line=None):
    """Return the text of a warning without the path of the file that gave it."""
    return textwrap.fill(f"{category.__name__}: {message}", COLUMNS) + "\n"


def reset(gallery_conf, fname):
    """Set what is ours before each example, after matplotlib's own defaults."""
    # site.css adapts transparent figures to the dark theme
    mpl.rcParams["savefig.transparent"] = True
    warnings.formatwarning = short_warning


def make_thumbnails(app):
    """Replace the gallery's thumbnails, which have margins and show the whole figure."""
    for thumbnail in Path(app.srcdir, "gallery/images/thumb").glob("*_thumb.png"):
        name = thumbnail.stem.removesuffix("_thumb")
        figure = Image.open(thumbnail.parents[1] / f"{name}_001.png")
        part = PARTS.get(name.removeprefix("sphx_glr_"), (0, 0, 1, 1))
        figure.crop(
            [
                round(share * side)
                for share, side in zip(part, figure.size * 2, strict=True)
            ]
        ).save(thumbnail)


def setup(app):
    """Make the thumbnails when the gallery has been made."""
    app.connect("builder-inited", make_thumbnails, priority=900)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
