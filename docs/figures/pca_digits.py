"""Handwritten digits in the plane of their two main axes."""

import numpy as np
from matplotlib.figure import Figure
from sklearn.datasets import load_digits

import lapack_py as lap
from lapack_py.demo import style


def draw() -> Figure:
    """The plane on the left, the explained variance on the right."""
    data, labels = load_digits(return_X_y=True)
    result = lap.pca(data)
    plane = result.transform(data)[:, :2]
    figure = style.new_figure(10, 4.8, "1797 handwritten digits of 8 x 8 pixels")
    scatter, curve = figure.subplots(1, 2)
    for digit in range(10):
        chosen = labels == digit
        scatter.plot(*plane[chosen].T, "o", markersize=3, alpha=0.3, color=style.CLASSES[digit], markeredgewidth=0)
        scatter.annotate(str(digit), np.median(plane[chosen], axis=0), fontsize=15, weight="bold", ha="center")
    style.tidy(scatter, "two of 64 dimensions", "first component", "second component")
    share = 100 * np.cumsum(result.explained_variance_ratio)
    curve.plot(np.arange(1, len(share) + 1), share, color=style.BLUE)
    style.tidy(curve, "how much the first components hold", "components", "share of the variance (%)")
    return figure
