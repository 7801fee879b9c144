"""Draw charts as SVG that can stand in a page: lines, bands and bars, readable without colour and without seeing.

Pure: numbers in, markup out. Colours come from the page's style, by class.
"""

import math
import re
from collections.abc import Callable, Sequence
from html import escape

import msgspec

Show = Callable[[float], str]
"""Returns a value as an axis or a table shows it."""
Point = tuple[float, float]
Across = Callable[[float], float]
"""Returns the place of a value on the horizontal axis."""

WIDTH, HEIGHT = 440.0, 250.0  # of the drawing; the page scales it, and letters of 14 stay readable on a phone
LEFT, RIGHT, TOP, BOTTOM = 56.0, 12.0, 12.0, 40.0  # margins, for the axes' letters; LEFT is the least
LABEL_GAP, LETTER = 6.0, 9.8  # between a label and its axis; width of a digit of 16, as on a phone
MARKS = ("circle", "square", "triangle")  # of the series, in their order; lines differ by dashes too
FEW_POINTS = 14  # a mark on each of more would hide the line


class Series(msgspec.Struct, frozen=True):
    """A named line, or a row of bars."""

    name: str
    points: Sequence[Point]
    style: int  # 0, 1, 2: colour, dash and mark; 3: a line to compare with, without marks
    is_stepped: bool = False  # each value holds until the next point


class Band(msgspec.Struct, frozen=True):
    """An area between two lines."""

    name: str
    points: Sequence[tuple[float, float, float]]  # x, low, high


class Chart(msgspec.Struct, frozen=True, kw_only=True):
    """What is drawn on one pair of axes that begin at 0."""

    name: str  # for those who cannot see it, with `says`
    says: str
    series: Sequence[Series]
    x_label: str = "questions"
    show: Show  # a value
    highest: float  # end of the vertical axis; what is above is cut off
    furthest: float  # end of the horizontal axis
    band: Band | None = None


def line_chart(chart: Chart) -> str:
    """Return a chart of lines."""
    across = _across(chart)
    axes = _axes(chart, across, [(tick, f"{tick:,.0f}") for tick in ticks(chart.furthest)])
    band = "" if chart.band is None else _band(chart.band, chart, across)
    return _svg(chart, axes + band + "".join(_line(series, chart, across) for series in chart.series))


def bar_chart(chart: Chart, labels: Sequence[str]) -> str:
    """Return a chart of bars: a group for each label, in it a bar for each series, whose x is the label's place."""
    shown = [(place + 0.5, label) for place, label in enumerate(labels)]
    thinned = shown[:: math.ceil(len(shown) / 6)]  # more labels would overlap
    across = _across(chart)
    bars = "".join(_bars(series, place, chart, across) for place, series in enumerate(chart.series))
    return _svg(chart, _axes(chart, across, thinned) + bars)


def key(series: Sequence[Series], band: Band | None = None) -> str:
    """Return the legend: a sample of each line beside its name."""
    samples = []
    for one in series:
        mark = _mark(one.style, 20.0, 8.0)
        samples.append((f'<path class="line s{one.style}" d="M2 8H38"/>{mark}', one.name))
    if band is not None:
        samples.append(('<rect class="band" x="2" y="2" width="36" height="12"/>', band.name))
    items = (
        f'<li><svg viewBox="0 0 40 16" width="40" height="16" aria-hidden="true">{drawn}</svg>{escape(name)}</li>'
        for drawn, name in samples
    )
    return f'<ul class="key">{"".join(items)}</ul>'


def ticks(highest: float, most: int = 5) -> list[float]:
    """Return round values from 0 up to `highest`, at most `most` beside 0."""
    if highest <= 0.0:
        return [0.0]
    power = 10.0 ** math.floor(math.log10(highest / most))
    step = next(factor * power for factor in (1.0, 2.0, 5.0, 10.0) if highest <= most * factor * power * (1.0 + 1e-9))
    return [step * place for place in range(int(highest / step + 1e-9) + 1)]


def round_up(value: float) -> float:
    """Return a round number that is not below this value."""
    if value <= 0.0:
        return 1.0
    power = 10.0 ** math.floor(math.log10(value))
    return next(
        factor * power
        for factor in (1.0, 1.2, 1.5, 2.0, 2.5, 3.0, 4.0, 5.0, 6.0, 8.0, 10.0)
        if value <= factor * power * (1.0 + 1e-9)
    )


def _svg(chart: Chart, drawn: str) -> str:
    name = re.sub(r"\W+", "-", chart.name.lower())
    return (
        f'<svg class="chart" viewBox="0 0 {WIDTH:g} {HEIGHT:g}" role="img" aria-labelledby="{name}-t {name}-d">'
        f'<title id="{name}-t">{escape(chart.name)}</title><desc id="{name}-d">{escape(chart.says)}</desc>{drawn}</svg>'
    )


def _across(chart: Chart) -> Across:
    """Return what places a value; the longest label of the vertical axis fits into the left margin."""
    longest = max(len(chart.show(tick)) for tick in ticks(chart.highest))
    left = max(LEFT, LABEL_GAP + LETTER * longest)
    return lambda value: left + (WIDTH - left - RIGHT) * value / chart.furthest


def _y(value: float, chart: Chart) -> float:
    inside = min(max(value, 0.0), chart.highest)
    return HEIGHT - BOTTOM - (HEIGHT - TOP - BOTTOM) * inside / chart.highest


def _axes(chart: Chart, across: Across, columns: Sequence[tuple[float, str]]) -> str:
    rows, left = [], across(0.0)
    for tick in ticks(chart.highest):
        y = _y(tick, chart)
        rows.append(f'<path class="grid" d="M{left:g} {y:.1f}H{WIDTH - RIGHT:g}"/>')
        rows.append(
            f'<text x="{left - LABEL_GAP:g}" y="{y + 5:.1f}" text-anchor="end">{escape(chart.show(tick))}</text>'
        )
    for value, label in columns:
        x = across(value)
        anchor = "end" if x > WIDTH - RIGHT - 20.0 else "middle"
        rows.append(f'<text x="{x:.1f}" y="{HEIGHT - BOTTOM + 17:g}" text-anchor="{anchor}">{escape(label)}</text>')
    middle = (left + WIDTH - RIGHT) / 2.0
    rows.append(f'<text x="{middle:g}" y="{HEIGHT - 4:g}" text-anchor="middle">{escape(chart.x_label)}</text>')
    return "".join(rows)


def _line(series: Series, chart: Chart, across: Across) -> str:
    places = [(across(x), _y(y, chart)) for x, y in series.points]
    if not places:
        return ""
    steps = [f"M{places[0][0]:.1f} {places[0][1]:.1f}"]
    for x, y in places[1:]:
        steps.append(f"H{x:.1f}V{y:.1f}" if series.is_stepped else f"L{x:.1f} {y:.1f}")
    every = math.ceil(len(places) / FEW_POINTS)
    marks = "".join(_mark(series.style, x, y) for x, y in places[::-every])
    return f'<path class="line s{series.style}" d="{"".join(steps)}"/>{marks}'


def _mark(style: int, x: float, y: float) -> str:
    if style >= len(MARKS):
        return ""
    drawn = {
        "circle": f'<circle class="mark s{style}" cx="{x:.1f}" cy="{y:.1f}" r="3.5"/>',
        "square": f'<rect class="mark s{style}" x="{x - 3.2:.1f}" y="{y - 3.2:.1f}" width="6.4" height="6.4"/>',
        "triangle": f'<path class="mark s{style}" d="M{x:.1f} {y - 4.5:.1f}l4.2 7.4h-8.4z"/>',
    }
    return drawn[MARKS[style]]


def _band(band: Band, chart: Chart, across: Across) -> str:
    if not band.points:
        return ""
    above = [f"{across(x):.1f} {_y(high, chart):.1f}" for x, _, high in band.points]
    below = [f"{across(x):.1f} {_y(low, chart):.1f}" for x, low, _ in reversed(band.points)]
    return f'<path class="band" d="M{"L".join(above + below)}z"/>'


def _bars(series: Series, place: int, chart: Chart, across: Across) -> str:
    width = min(0.8 / len(chart.series), 0.25 * chart.furthest)
    start = 0.5 - width * len(chart.series) / 2.0 + width * place
    drawn = []
    for group, value in series.points:
        left, right = across(group + start), across(group + start + width)
        top, bottom = _y(value, chart), _y(0.0, chart)
        drawn.append(
            f'<rect class="bar s{series.style}" x="{left + 1:.1f}" y="{top:.1f}" width="{right - left - 2:.1f}"'
            f' height="{bottom - top:.1f}"/>'
        )
    return "".join(drawn)
