"""The look of the figures: palettes that stay readable with colour-blind eyes, and quiet axes."""

from __future__ import annotations

from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure, SubFigure
from matplotlib.layout_engine import ConstrainedLayoutEngine

# Okabe and Ito's palette for lines.
BLUE, ORANGE, GREEN, RED, GREY = "#0072B2", "#E69F00", "#009E73", "#D55E00", "#666666"
# Paul Tol's muted palette for ten classes; the digits are also drawn as digits, so colour is never the only clue.
CLASSES = [
    "#332288", "#88CCEE", "#44AA99", "#117733", "#999933",
    "#DDAA33", "#CC6677", "#882255", "#AA4499", "#555555",
]  # fmt: skip


def new_figure(width: float, height: float, title: str) -> Figure:
    """An empty figure, drawn without a display."""
    layout = ConstrainedLayoutEngine(w_pad=0.08, h_pad=0.08)
    figure = Figure(figsize=(width, height), layout=layout, facecolor="white")
    figure.suptitle(title, fontsize=14, fontweight="bold")
    return figure


def parts(figure: Figure | SubFigure, rows: int, columns: int, **ratios: Any) -> list[SubFigure]:
    """A figure cut into parts that are laid out each on its own, row by row."""
    return list(figure.subfigures(rows, columns, squeeze=False, **ratios).ravel())


def tidy(axes: Axes, title: str, x: str, y: str, **grid: Any) -> None:
    """Titles, labels and a light grid."""
    axes.set_title(title, fontsize=11)
    axes.set_xlabel(x)
    axes.set_ylabel(y)
    axes.grid(True, color="#dddddd", linewidth=0.6, **grid)
    axes.set_axisbelow(True)
    axes.spines[["top", "right"]].set_visible(False)


def picture(axes: Axes, title: str = "") -> None:
    """Axes that hold nothing but an image."""
    axes.set_xticks([])
    axes.set_yticks([])
    axes.spines[:].set_visible(False)
    if title:
        axes.set_title(title, fontsize=10)
