"""The look that the guide's pictures share."""

import matplotlib.pyplot as plt

# Okabe and Ito's colours, which colour-blind readers can tell apart.
BLUE, RED, ORANGE, GREEN, PINK, SKY = "#0072B2", "#D55E00", "#E69F00", "#009E73", "#CC79A7", "#56B4E9"
GREY = "0.45"

# Inches: as wide as the text of a page, so that letters keep their size.
WIDTH = 8.0

LOOK = {
    "font.size": 10,
    "axes.titlesize": 10.5,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "grid.alpha": 0.25,
    "legend.frameon": False,
    "legend.fontsize": 9,
    "lines.linewidth": 1.8,
}


def panels(message, rows=1, columns=1, *, height=3.4, **options):
    """Return a figure with its one message as the title, and its axes."""
    plt.rcParams.update(LOOK)
    figure, axes = plt.subplots(rows, columns, figsize=(WIDTH, height), layout="constrained", **options)
    figure.suptitle(message, fontsize=11.5, fontweight="bold")
    return figure, axes
