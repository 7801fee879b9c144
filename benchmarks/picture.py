"""Draw what the benchmark found: local share and bad share by query bands, beside the specification's table."""

from collections.abc import Sequence
from pathlib import Path

import matplotlib as mpl

mpl.use("Agg")  # no window
import matplotlib.pyplot as plt
from matplotlib.axes import Axes

from benchmarks.arms import FIXED, MOST_BAD, ORACLE, RECALL
from benchmarks.scores import Sum, Summary, by_stream
from shammah_mlx.replay import BANDS

SPECIFIED = ((0.0, 0.0), (0.05, 0.05), (0.2, 0.2), (0.4, 0.4), (0.6, 0.6), (0.8, 0.8), (0.9, 0.95))
"""Local share by band, least and most: 1 - the forward rate of the specification's Expected Performance."""
COLOURS = {RECALL: "#0072B2", FIXED: "#D55E00", ORACLE: "#009E73"}  # Okabe and Ito's, safe for the colour-blind
MARKERS = {RECALL: "o", FIXED: "s", ORACLE: "^"}
GREY = "#8a8a8a"
FEWEST = 20  # local answers of all shuffles together: a share of fewer is drawn hollow
ACROSS = 4  # streams side by side


def draw(summaries: Sequence[Summary], path: Path) -> None:
    """Draw a column of two panels a stream, where it was run in full."""
    groups = {name: group for name, group in by_stream(summaries).items() if any(s.arm in COLOURS for s in group)}
    whole = {name: group for name, group in groups.items() if len(groups) == 1 or ", first " not in name} or groups
    columns = min(len(whole), ACROSS)
    rows = -(-len(whole) // columns)
    figure, axes = plt.subplots(
        2 * rows,
        columns,
        figsize=(max(3.6 * columns, 6.4) + 0.6, 4.9 * rows + 1.1),
        squeeze=False,
        layout="constrained",
        gridspec_kw={"height_ratios": [3, 2] * rows},
    )
    for place, (name, group) in enumerate(whole.items()):
        row, column = divmod(place, columns)
        _draw_local(axes[2 * row][column], name, group, is_first=column == 0)
        _draw_bad(axes[2 * row + 1][column], group, is_first=column == 0)
    for place in range(len(whole), rows * columns):
        row, column = divmod(place, columns)
        axes[2 * row][column].set_axis_off()
        axes[2 * row + 1][column].set_axis_off()
    handles, labels = axes[0][0].get_legend_handles_labels()
    figure.legend(
        handles, labels, loc="outside upper center", ncols=4 if columns > 2 else 2, frameon=False, fontsize=10
    )
    hollow = f"hollow: fewer than {FEWEST} local answers in all shuffles together"
    figure.supxlabel(f"queries handled before, in the specification's bands\n{hollow}", fontsize=9)
    figure.savefig(path, dpi=150)
    plt.close(figure)


def _draw_local(axes: Axes, name: str, group: Sequence[Summary], *, is_first: bool) -> None:
    """Draw the share of queries answered locally."""
    low, high = zip(*SPECIFIED, strict=True)
    edges = list(range(len(BANDS) + 1))
    axes.fill_between(edges, [*low, low[-1]], [*high, high[-1]], step="post", color=GREY, alpha=0.35, linewidth=0)
    middle = [(a + b) / 2 for a, b in SPECIFIED]
    axes.step(
        edges, [*middle, middle[-1]], where="post", color=GREY, linestyle=(0, (4, 2)), label="specification hopes"
    )
    for summary in _drawn(group):
        shares = [band.local_share for band in summary.bands]
        _curve(axes, summary, summary.bands, shares)
    axes.set_title(f"{name} ({group[0].total.queries:,})", fontsize=11, loc="left", fontweight="bold")
    axes.set_ylim(-0.03, 1.03)
    _finish(axes, "answered locally" if is_first else "")


def _draw_bad(axes: Axes, group: Sequence[Summary], *, is_first: bool) -> None:
    """Draw the share of wrong answers among these."""
    axes.axhline(MOST_BAD, color=GREY, linewidth=1.2, linestyle=(0, (1, 1)))
    axes.annotate(
        "5 %", (len(BANDS), MOST_BAD), (-2, 2), textcoords="offset points", ha="right", color=GREY, fontsize=8
    )
    most = 0.2
    for summary in _drawn(group):
        bands = [band for band in summary.bands if band.bad is not None]
        shares = [band.bad for band in bands if band.bad is not None]
        most = max([most, *shares])
        _curve(axes, summary, bands, shares)
    axes.set_ylim(-0.04 * most, 1.08 * most)
    _finish(axes, "of these wrong" if is_first else "")


def _drawn(group: Sequence[Summary]) -> list[Summary]:
    """Return the arms to draw, the program last, so that it lies on top."""
    order = [ORACLE, FIXED, RECALL]
    return sorted((summary for summary in group if summary.arm in COLOURS), key=lambda one: order.index(one.arm))


def _curve(axes: Axes, summary: Summary, bands: Sequence[Sum], shares: Sequence[float]) -> None:
    """Draw one arm, a marker at the middle of each band."""
    colour = COLOURS[summary.arm]
    at = [BANDS.index(band.start) + 0.5 for band in bands]
    axes.plot(at, shares, color=colour, linewidth=2.2 if summary.arm == RECALL else 1.5)
    for hollow in (False, True):
        points = [(x, y) for x, y, band in zip(at, shares, bands, strict=True) if (0 < band.local < FEWEST) is hollow]
        axes.plot(
            [x for x, _ in points],
            [y for _, y in points],
            linestyle="none",
            marker=MARKERS[summary.arm],
            markersize=6,
            color=colour,
            markerfacecolor="white" if hollow else colour,
            clip_on=False,
            zorder=3,
        )
    axes.plot([], [], color=colour, marker=MARKERS[summary.arm], label=summary.arm)


def _finish(axes: Axes, label: str) -> None:
    names = [f"{start:,}" if start < 1000 else f"{start // 1000}k" for start in BANDS]
    axes.set_xticks(range(len(BANDS)), names, fontsize=8)
    axes.set_xlim(0, len(BANDS))
    axes.yaxis.set_major_formatter(mpl.ticker.PercentFormatter(1.0, decimals=0))
    axes.tick_params(axis="y", labelsize=8)
    axes.set_ylabel(label, fontsize=10)
    axes.grid(axis="y", color="#e6e6e6", linewidth=0.8)
    axes.set_axisbelow(True)
    axes.spines[["top", "right"]].set_visible(False)
