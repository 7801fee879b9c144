"""Choose what the page of `shammah report` draws, and say each figure in words. Pure."""

import math
from collections.abc import Iterator, Mapping, Sequence

import msgspec

from shammah_mlx.config import Config
from shammah_mlx.display.charts import Band, Chart, Series, bar_chart, key, line_chart, round_up
from shammah_mlx.display.money import in_dollars
from shammah_mlx.display.report import EXPECTED_FORWARD, TELLING, bad_answers, counted
from shammah_mlx.events import Role
from shammah_mlx.home.curves import Curves, Point, totals
from shammah_mlx.home.ledger import Money
from shammah_mlx.home.overview import Overview

HEADROOM = 1.1  # of the axis above the highest value
LEAST_SHARE = 0.01  # end of that axis where all is known to be good
MOST_SHOWN = 4.0  # times the allowed share of bad answers that the axis shows at least
EXPECTED_SHARE = dict(zip(EXPECTED_FORWARD, (1.0, 0.95, 0.8, 0.6, 0.4, 0.2, 0.075), strict=True))
"""The middle of each of the specification's expectations, for the drawing."""


LOSSES = (
    "How far each role is from what it learns, as a mean of its steps: lower is better. New subjects raise it."
    " The Router says whether to try a question here, the Generator drafts, the Validator says whether a draft is good."
)
RATES = "How large each role's steps are. They follow a schedule, so no height is better than another."


class Figure(msgspec.Struct, frozen=True):
    """One drawing with its words and numbers."""

    name: str
    says: str
    drawn: str | None = None  # None: there is nothing to draw yet
    key: str = ""
    columns: tuple[str, ...] = ()
    rows: Sequence[Sequence[str]] = ()
    instead: str = ""  # what to say where nothing is drawn


def all_figures(overview: Overview, curves: Curves, config: Config) -> Iterator[Figure]:
    """Yield the figures of the page."""
    yield _who_answered(curves)
    yield _bad_answers(overview, curves)
    yield _money(overview)
    yield _divergence(curves, config)
    yield _by_role("Losses", LOSSES, curves.losses)
    yield _by_role("Learning rates", RATES, curves.rates)


def _who_answered(curves: Curves) -> Figure:
    name = "Who answered"
    if not curves.history:
        return Figure(name, "Claude or this machine.", instead="No question is stored.")
    ends = [min(curves.block * (place + 1), _asked(curves)) for place in range(len(curves.history))]
    by_claude = [(float(end), 1.0 - one.local / one.queries) for end, one in zip(ends, curves.history, strict=True)]
    called = [(float(end), one.calls / one.queries) for end, one in zip(ends, curves.history, strict=True)]
    furthest = float(ends[-1])
    expected = [(float(start), share) for start, share in EXPECTED_SHARE.items() if start < furthest]
    expected.append((furthest, expected[-1][1]))
    series = (
        Series("answered by Claude", by_claude, 0),
        Series("Claude was called", called, 1),
        Series("by Claude, as the specification expects", expected, 3, is_stepped=True),
    )
    last = curves.history[-2:]
    recent = totals(last)
    says = (
        f"Shares of each {curves.block} questions: lower is better. Of the latest {recent.queries},"
        f" {recent.local / recent.queries:.0%} were answered here. Claude may be called more often than he answers,"
        " since audits check local answers."
    )
    drawn = line_chart(Chart(name=name, says=says, series=series, show=_share, highest=1.0, furthest=furthest))
    rows = [
        (
            f"to {end:,}",
            str(one.queries),
            str(one.calls),
            str(one.local),
            _share(1.0 - one.local / one.queries),
            _expected(end),
        )
        for end, one in zip(ends, curves.history, strict=True)
    ]
    columns = ("questions", "in block", "called Claude", "answered here", "by Claude", "specified")
    return Figure(name, says, drawn, key(series), columns, rows)


def _asked(curves: Curves) -> int:
    return sum(block.queries for block in curves.history)


def _expected(end: int) -> str:
    """Return what the specification expects of the last question of a block."""
    return next(share for start, share in reversed(EXPECTED_FORWARD.items()) if start < end)


def _bad_answers(overview: Overview, curves: Curves) -> Figure:
    name = "Bad answers among those served here"
    about = (
        "A local answer is bad if it does not mean what Claude says. Audits, random checks by Claude, estimate how many"
        " are: good is below what is allowed."
    )
    now = f"So far: {bad_answers(overview)}."
    if not curves.bad or curves.bad[-1].high > TELLING or overview.open_audits:  # what is due counts as bad
        return Figure(name, about, instead=now)
    allowed, last = overview.max_bad_rate, curves.bad[-1]
    highest = round_up(min(1.0, max(last.high * 1.5, MOST_SHOWN * (allowed or 0.0), LEAST_SHARE)))
    furthest = float(_asked(curves))
    series = [Series("estimate", [(float(one.queries), one.estimate) for one in curves.bad], 0)]
    if allowed is not None:
        series.append(Series(f"allowed in the long run: {allowed:.1%}", [(0.0, allowed), (furthest, allowed)], 3))
    band = Band("interval (95%)", [(float(one.queries), one.low, one.high) for one in curves.bad])
    cut = " It began above what is drawn." if any(one.high > highest for one in curves.bad) else ""
    says = f"{about} {now}{cut}"
    drawn = line_chart(
        Chart(name=name, says=says, series=series, show=_share, highest=highest, furthest=furthest, band=band)
    )
    rows = [(f"{one.queries:,}", f"{one.estimate:.1%}", f"{one.low:.1%}", f"{one.high:.1%}") for one in curves.bad]
    return Figure(name, says, drawn, key(series, band), ("questions", "estimate", "at least", "at most"), rows)


def _money(overview: Overview) -> Figure:
    name = "Money"
    months = sorted({line.month for line in overview.money.months})
    if not months:
        return Figure(name, "Spent and saved.", instead="Nothing was spent yet.")
    spent = [sum(line.spent_usd for line in overview.money.months if line.month == month) for month in months]
    saved = [sum(line.saved_usd or 0.0 for line in overview.money.months if line.month == month) for month in months]
    words = ("would have cost", "would have saved") if overview.money.recorded else ("spent", "saved, by estimate")
    series = (
        Series(words[0], [(float(place), usd) for place, usd in enumerate(spent)], 0),
        Series(words[1], [(float(place), usd) for place, usd in enumerate(saved)], 1),
    )
    unpriced = f" Not in it: {counted(overview.unpriced_calls, 'unpriced call')}." if overview.unpriced_calls else ""
    says = (
        f"US dollars a month (UTC), by list prices: good is much saved beside little spent. In all: {words[0]}"
        f" {in_dollars(sum(spent))}; {words[1]} {in_dollars(sum(saved))}, which is what the answers that bought no call"
        f" would have cost by this home's own replies.{unpriced}"
    )
    drawn = bar_chart(
        Chart(
            name=name,
            says=says,
            series=series,
            x_label="month",
            show=_dollars,
            highest=round_up(max(*spent, *saved)),
            furthest=float(len(months)),
        ),
        months,
    )
    columns = (
        "month",
        "model",
        "calls",
        "verdicts",
        "passed on",
        words[0],
        "unpriced",
        "answers saved",
        "saved, about",
    )
    return Figure(name, says, drawn, _bar_key(words), columns, [_money_row(line) for line in overview.money.months])


def _money_row(line: Money) -> tuple[str, ...]:
    counts = tuple(str(count) for count in (line.calls, line.verdicts, line.passed_on))
    saved = "-" if line.saved_usd is None else in_dollars(line.saved_usd)
    return (
        line.month,
        line.model,
        *counts,
        in_dollars(line.spent_usd),
        str(line.unpriced),
        str(line.saved_calls),
        saved,
    )


def _bar_key(names: Sequence[str]) -> str:
    items = "".join(
        f'<li><svg viewBox="0 0 20 16" width="20" height="16" aria-hidden="true"><rect class="bar s{style}" x="2" y="2"'
        f' width="16" height="12"/></svg>{name}</li>'
        for style, name in enumerate(names)
    )
    return f'<ul class="key">{items}</ul>'


def _divergence(curves: Curves, config: Config) -> Figure:
    name, threshold = "Divergence", config.divergence.threshold
    about = (
        "How far in meaning this machine's drafts were from Claude's answers, also drafts that nobody was shown: 0 is"
        f" the same, 1 unrelated. Lower is better; below {threshold:g} a draft is good."
    )
    if not curves.divergence:
        return Figure(name, about, instead="No draft was compared with an answer of Claude's yet.")
    furthest = curves.divergence[-1][0]
    first, last = curves.divergence[0][1], curves.divergence[-1][1]
    says = f"{about} The mean of a block was {first:.2f} at first and {last:.2f} at last."
    series = (
        Series("mean of the drafts that were compared", curves.divergence, 0),
        Series(f"good below {threshold:g}", [(0.0, threshold), (float(furthest), threshold)], 3),
    )
    drawn = line_chart(Chart(name=name, says=says, series=series, show=_number, highest=1.0, furthest=furthest))
    rows = [(f"{query:,}", f"{mean:.3f}") for query, mean in curves.divergence]
    return Figure(name, says, drawn, key(series), ("questions", "mean divergence"), rows)


def _by_role(name: str, about: str, found: Mapping[Role, Sequence[Point]]) -> Figure:
    """Return a figure with a line for each role."""
    if not found:
        return Figure(name, about, instead="Nothing was learnt in steps yet.")
    series = [Series(role, points, place) for place, (role, points) in enumerate(found.items())]
    furthest = max(points[-1][0] for points in found.values())
    highest = round_up(HEADROOM * max(value for points in found.values() for _, value in points))
    ends = "; ".join(
        f"{role} {points[0][1]:.3g} at first, {points[-1][1]:.3g} at last" for role, points in found.items()
    )
    says = f"{about} {ends[0].upper()}{ends[1:]}."
    drawn = line_chart(
        Chart(name=name, says=says, series=series, show=_number, highest=highest, furthest=float(furthest))
    )
    queries = sorted({query for points in found.values() for query, _ in points})
    values = {role: dict(points) for role, points in found.items()}
    rows = [
        (f"{query:,}", *(f"{values[role][query]:.4g}" if query in values[role] else "-" for role in found))
        for query in queries
    ]
    return Figure(name, says, drawn, key(series), ("questions", *found), rows)


def _share(value: float) -> str:
    return f"{value:.0%}" if value >= 0.1 or not value else f"{100.0 * value:.3g}%"


def _number(value: float) -> str:
    return f"{value:.3g}"


def _dollars(value: float) -> str:
    """Return an amount on an axis, without an exponent: a day of checks costs less than a hundredth of a cent."""
    decimals = max(0, 2 - math.floor(math.log10(value))) if value else 0
    shown = f"{value:,.{decimals}f}"
    return f"${shown.rstrip('0').rstrip('.') if decimals else shown}"
