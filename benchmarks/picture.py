"""Draw the results of the benchmark: local share and bad share by query bands, with the specification's table."""

from collections.abc import Sequence
from pathlib import Path

import matplotlib as mpl

mpl.use("Agg")  # draws to a file, without a display
import matplotlib.pyplot as plt
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import PercentFormatter

from benchmarks.arms import FIXED, MOST_BAD, ORACLE, RECALL
from benchmarks.scores import Sum, Summary, by_stream
from shammah_mlx.home.prequential import BANDS

SPECIFIED = ((0.0, 0.0), (0.05, 0.05), (0.2, 0.2), (0.4, 0.4), (0.6, 0.6), (0.8, 0.8), (0.9, 0.95))
"""Lowest and highest local share by band: 1 - the forward rate (specification, Expected Performance)."""
COLOURS = {RECALL: "#0072B2", FIXED: "#D55E00", ORACLE: "#009E73"}  # of Okabe and Ito, safe for the colour-blind
WIDTHS = {RECALL: 2.4, FIXED: 1.5, ORACLE: 1.5}
MARKERS = {RECALL: "o", FIXED: "s", ORACLE: "^"}
GREY = "#8a8a8a"
DASHED = (0, (4, 2))
FEWEST = 20  # local answers in all shuffles together; a share of fewer is drawn hollow
COLUMNS = 4  # streams side by side, at most
PANEL_WIDTH, PANELS_HEIGHT, TOP, BOTTOM = 3.5, 4.4, 0.85, 0.85  # inches


def draw(summaries: Sequence[Summary], path: Path) -> None:
    """Draw two panels for each stream. Streams that the plan cuts short are drawn only if there are no others."""
    groups = [group for group in by_stream(summaries).values() if _drawn(group)]
    groups = [group for group in groups if group[0].limit is None] or groups
    if not groups:
        return
    columns = min(len(groups), COLUMNS)
    rows = -(-len(groups) // columns)
    width, height = max(PANEL_WIDTH * columns, 6.0) + 0.6, PANELS_HEIGHT * rows + TOP + BOTTOM
    figure = plt.figure(figsize=(width, height))
    grid = figure.add_gridspec(
        rows,
        columns,
        left=0.75 / width,
        right=1 - 0.25 / width,
        top=1 - TOP / height,
        bottom=BOTTOM / height,
        hspace=0.22,
        wspace=0.2,
    )
    for place, group in enumerate(groups):
        row, column = divmod(place, columns)
        local, bad = grid[row, column].subgridspec(2, 1, height_ratios=[3, 2], hspace=0.1).subplots(sharex=True)
        _draw_local(local, group)
        _draw_bad(bad, group)
        if column == 0:
            local.set_ylabel("answered locally", fontsize=10)
            bad.set_ylabel("wrong among these", fontsize=10)
    _write_around(figure, groups, height)
    figure.savefig(path, dpi=150)
    plt.close(figure)


def _write_around(figure: Figure, groups: Sequence[Sequence[Summary]], height: float) -> None:
    """Write the legend above the panels and the explanation below them."""
    drawn = {summary.arm for group in groups for summary in group}
    handles = [Line2D([], [], color=GREY, linestyle=DASHED, label="the specification's table")]
    handles += [
        Line2D([], [], color=colour, marker=MARKERS[arm], linewidth=WIDTHS[arm], label=arm)
        for arm, colour in COLOURS.items()
        if arm in drawn
    ]
    columns = len(handles) if figure.get_figwidth() > 8 else 2
    middle = 1 - 0.08 / height
    figure.legend(
        handles=handles, loc="upper center", bbox_to_anchor=(0.5, middle), ncols=columns, frameon=False, fontsize=11
    )
    explanation = (
        "queries answered before, in the specification's bands\n"
        f"wrong: by the stream's truth; hollow: fewer than {FEWEST} local answers in all shuffles together"
    )
    figure.text(0.5, 0.1 / height, explanation, ha="center", va="bottom", fontsize=9, color="#444444", linespacing=1.5)


def _draw_local(axes: Axes, group: Sequence[Summary]) -> None:
    """Draw the share of queries answered locally."""
    low, high = zip(*SPECIFIED, strict=True)
    edges = list(range(len(BANDS) + 1))
    axes.fill_between(edges, [*low, low[-1]], [*high, high[-1]], step="post", color=GREY, alpha=0.35, linewidth=0)
    middle = [(least + most) / 2 for least, most in SPECIFIED]
    axes.step(edges, [*middle, middle[-1]], where="post", color=GREY, linestyle=DASHED)
    for summary in _drawn(group):
        _curve(axes, summary, summary.bands, [band.local_share for band in summary.bands])
    axes.set_ylim(-0.03, 1.03)
    _finish(axes)
    axes.tick_params(axis="x", labelbottom=False)
    first, runs = group[0], max(len(summary.shuffles) for summary in group)
    times = f", {runs} shuffles" if runs > 1 else ""
    axes.set_title(first.stream, fontsize=11, loc="left", fontweight="bold")
    cut = "first " if first.limit else ""
    axes.set_title(f"{cut}{first.total.queries:,} queries{times}", fontsize=9, loc="right", color="#444444")


def _draw_bad(axes: Axes, group: Sequence[Summary]) -> None:
    """Draw the share of wrong answers among the local ones."""
    axes.axhline(MOST_BAD, color=GREY, linewidth=1.2, linestyle=(0, (1, 1)))
    end, above = (len(BANDS), MOST_BAD), (-2, 2)
    axes.annotate("5 %", end, above, textcoords="offset points", ha="right", color="#666666", fontsize=8)
    most = 0.2
    for summary in _drawn(group):
        bands = [band for band in summary.bands if band.bad is not None]
        shares = [band.bad for band in bands if band.bad is not None]
        most = max([most, *shares])
        _curve(axes, summary, bands, shares)
    if not any(summary.total.local for summary in _drawn(group)):
        middle = (0.5, 0.6)
        axes.text(*middle, "nothing answered locally", ha="center", color="#666666", transform=axes.transAxes)
    axes.set_ylim(-0.06 * most, 1.08 * most)
    _finish(axes)


def _drawn(group: Sequence[Summary]) -> list[Summary]:
    """Return the arms to draw, the program last so that it is on top."""
    order = [ORACLE, FIXED, RECALL]
    return sorted((summary for summary in group if summary.arm in COLOURS), key=lambda one: order.index(one.arm))


def _curve(axes: Axes, summary: Summary, bands: Sequence[Sum], shares: Sequence[float]) -> None:
    """Draw the curve of one arm, with a marker at the middle of each band."""
    colour = COLOURS[summary.arm]
    at = [BANDS.index(band.start) + 0.5 for band in bands]
    axes.plot(at, shares, color=colour, linewidth=WIDTHS[summary.arm])
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


def _finish(axes: Axes) -> None:
    """Label the bands at their edges, and format the axes."""
    names = [f"{start:,}" if start < 1000 else f"{start // 1000}k" for start in BANDS]
    axes.set_xticks(range(len(BANDS)), names, fontsize=8)
    axes.set_xlim(0, len(BANDS))
    axes.yaxis.set_major_formatter(PercentFormatter(1.0, decimals=0))
    axes.tick_params(axis="y", labelsize=8)
    axes.grid(axis="y", color="#e6e6e6", linewidth=0.8)
    axes.set_axisbelow(True)
    axes.spines[["top", "right"]].set_visible(False)
