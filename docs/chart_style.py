"""The style that the charts share: colours, fonts, and the bars and names of their rows.

A name stands beside what it names, so that nobody must tell two colours apart.
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from figure_tables import number

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

# Okabe and Ito's colours, which people who see few colours can tell apart.
OURS, PEER, MLLIB, INK, GREY, PALE = "#0072B2", "#C04F00", "#007A5A", "#222222", "#707070", "#56B4E9"
WIDTH = 7.2  # inches of 72 points: some 690 pixels of a page
STYLE = {
    "svg.fonttype": "none",
    "svg.hashsalt": "w2vspark",
    "font.family": "sans-serif",
    "font.sans-serif": ["DejaVu Sans"],
    "font.size": 9.5,
    "axes.titlesize": 10,
    "axes.titleweight": "bold",
    "axes.labelsize": 9.5,
    "xtick.labelsize": 9,
    "ytick.labelsize": 9,
    "text.color": INK,
    "axes.labelcolor": INK,
    "axes.edgecolor": GREY,
    "xtick.color": INK,
    "ytick.color": INK,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "lines.linewidth": 2,
    "savefig.facecolor": "white",
}


def new_figure(title: str, height: float, **options: Any) -> tuple["Figure", Any]:
    """A figure with the finding as its title, and its axes. options: of plt.subplots, or of plt.subplot_mosaic."""
    import matplotlib.pyplot as plt

    make = plt.subplot_mosaic if "mosaic" in options else plt.subplots
    figure, axes = make(figsize=(WIDTH, height), layout="constrained", **options)
    figure.get_layout_engine().set(w_pad=0.1, h_pad=0.1)
    figure.suptitle(title, x=0.016, ha="left", fontsize=11.5, fontweight="bold")
    return figure, axes


def bars(axes: "Axes", rows: Sequence[tuple[str, float, str, str]], limit: float) -> None:
    """Horizontal bars from top to bottom: name, value, label behind the bar, colour. limit: where the axis ends."""
    for at, (_, value, label, colour) in enumerate(rows):
        axes.barh(at, value, height=0.7, color=colour)
        axes.text(value + 0.012 * limit, at, label, va="center", color=colour, fontweight="bold")
    rows_of(axes, [name for name, *_ in rows])
    axes.set_xlim(0, limit)


def rows_of(axes: "Axes", names: Sequence[str]) -> None:
    """Name the rows of a chart from top to bottom."""
    axes.set_yticks(range(len(names)), names)
    axes.tick_params(axis="y", length=0)
    axes.set_ylim(len(names) - 0.4, -0.6)


def pairs_of_bars(axes: "Axes", pairs: Sequence[tuple[str, str, str, str]], limit: float) -> None:
    """Ours above the peer's: the row's name, our figure, the peer's figure, the peer's name."""
    for at, (_, us, them, peer) in enumerate(pairs):
        for place, cell, name, colour in ((at - 0.2, us, "w2vspark", OURS), (at + 0.2, them, peer, PEER)):
            axes.barh(place, number(cell), height=0.38, color=colour)
            axes.text(
                number(cell) + 0.01 * limit, place, f"{name} {cell}", va="center", color=colour, fontweight="bold"
            )
    rows_of(axes, [name for name, *_ in pairs])
    axes.set_xlim(0, limit)


def times(ratio: float) -> str:
    """14 for 14.02, 5.4 for 5.36."""
    return f"{ratio:.0f}" if ratio >= 10 else f"{ratio:.1f}"
