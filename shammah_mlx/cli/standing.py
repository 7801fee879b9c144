"""Format how a home stands: the table of `shammah status`. Pure formatting."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path

from rich.table import Table

from shammah_mlx.cli.console import one_line
from shammah_mlx.cli.money import in_dollars
from shammah_mlx.cli.report import NOT_BY_SCORE, TELLING, score
from shammah_mlx.cli.streams import can_show
from shammah_mlx.events import DraftSource
from shammah_mlx.home.ledger import Money
from shammah_mlx.home.overview import JudgeOverview, Overview
from shammah_mlx.home.progress import Borrowing

MOST_PAIRS = 3  # of contexts that are shown; `status --json` has all
BARS = "▁▂▃▄▅▆▇█"
MONTHS = 3  # the latest, whose money is listed by model; the page of `report` has all


def status_table(home: Path, overview: Overview, checkpoints: Sequence[int], encoding: str) -> Table:
    """Return a home's overview as a table for a terminal of this encoding."""
    table = Table(show_header=False, box=None)
    for name, value in (
        ("home", str(home) if overview.journalled or overview.seen else f"{home} (nothing asked yet)"),
        ("preset", overview.preset),
        *_progress(overview, encoding),
        *_promise(overview),
        *_money(overview),
        ("service", "runs" if overview.service else "does not run; `shammah service install` starts it for good"),
        ("state", _state(overview)),
        ("checkpoints", ", ".join(map(str, checkpoints)) or "none yet"),
    ):
        table.add_row(name, value)
    return table


def _progress(overview: Overview, encoding: str) -> Iterator[tuple[str, str]]:
    """Yield what was asked and learnt, and what is still missing."""
    pending = f"{overview.pending} {'being learnt' if overview.is_learning else 'pending'}"
    yield "queries seen", f"{overview.seen} ({overview.trained} learnt, {pending})"
    if overview.learning_failed:
        yield "learning", f"stopped: {overview.learning_failed}"
    yield "memory", _memory(overview)
    forwarded = "-" if overview.forward_rate is None else f"{overview.forward_rate:.1%} of all queries"
    yield "to Claude", forwarded
    if len(overview.history.blocks) > 1 and can_show(BARS, encoding):
        each = f"of each {overview.history.block} questions"
        yield "Claude called", f"{sparkline(block.calls / block.queries for block in overview.history.blocks)}  {each}"
        yield "answered here", f"{sparkline(block.local / block.queries for block in overview.history.blocks)}  {each}"
    yield "local threshold", _threshold(overview.accept_threshold, overview.thresholds)
    for pair in overview.borrowing[:MOST_PAIRS]:
        yield "learnt elsewhere", _borrowing(pair)


def _borrowing(pair: Borrowing) -> str:
    """Say what is missing before answers of another context are given in this one."""
    asked = pair.for_model or "a model"
    learnt_in = (pair.from_model or "another model") if pair.source == "other_model" else "another system prompt"
    if pair.threshold is not None:
        return f"{learnt_in}, for {asked}: p_accept above {score(pair.threshold)}"
    if pair.measured < pair.to_measure:
        return f"{learnt_in}, for {asked}: {pair.measured} of {pair.to_measure} measured"
    return f"{learnt_in}, for {asked}: {pair.measured} measured, and no score is enough yet"


def _memory(overview: Overview) -> str:
    """Say what is missing before memory answers new wordings, or what it does."""
    lacking = overview.lacking
    measured = f"{lacking.measured} of {lacking.to_measure} measured"
    if lacking.questions:
        to_go = f"{lacking.questions} more question{'s' * (lacking.questions > 1)} before memory answers"
        return f"{to_go}; {measured}" if lacking.to_measure else to_go
    is_measuring = lacking.measured < lacking.to_measure
    if is_measuring and not overview.served_local:
        return f"{measured} before memory answers: each question that goes to Claude may measure one"
    if is_measuring:
        return f"{overview.served_local} answers so far; {measured} before a score alone is enough"
    if not overview.served_local:
        return "no past answer has been sure enough yet"
    last = overview.history.blocks[-2:]
    recent = sum(block.local for block in last) / max(1, sum(block.queries for block in last))
    return f"answers: {overview.served_local} served, {recent:.0%} of the latest questions"


def _promise(overview: Overview) -> Iterator[tuple[str, str]]:
    """Yield what is known of bad answers, and of those who decide."""
    yield "bad local answers", _bad_rate(overview)
    yield "allowed", _allowed(overview)
    yield "audits", f"{overview.bad_rate.audits} made, {overview.audits_missed} still due"
    yield "Claude's own spread", _spread(overview)
    yield "judge", _judge(overview.judge)
    accuracy = f"Router {_share(overview.router_accuracy)}, Validator {_share(overview.validator_accuracy)}"
    yield "right decisions", accuracy


def _bad_rate(overview: Overview) -> str:
    """Say how many local answers were bad, if that can be said: an interval up to 74 % tells nobody anything."""
    rate, served = overview.bad_rate, overview.served_local
    if rate.estimate is None or rate.low is None or rate.high is None:
        return "- (nothing served yet)"
    if overview.audits_missed:
        due = "1 audit is" if overview.audits_missed == 1 else f"{overview.audits_missed} audits are"
        return f"not known while {due} due: until then it counts as bad, for itself and for those it stands for"
    if rate.high > TELLING:
        return f"too early to tell: {rate.audits} of {served} local answers were audited"
    interval = f"{rate.low:.1%} to {rate.high:.1%} of {served} served (95 % interval, valid whenever you look)"
    return f"about {rate.estimate:.1%}; {interval}"


def _allowed(overview: Overview) -> str:
    if overview.max_bad_rate is None:
        return "any number: this preset promises nothing"
    state = "no audit is due" if overview.covered else "an audit is due, so answers are not covered until it is made"
    return f"{overview.max_bad_rate:.1%} in the long run, and {overview.slack:.0f} answers beyond that; {state}"


def _money(overview: Overview) -> Iterator[tuple[str, str]]:
    """Yield what was spent and saved; a recorded stream cost nothing, and says what it would have cost."""
    spent, sums = in_dollars(overview.spent_usd), overview.money
    others = overview.unpriced_calls - sums.own_account_calls
    without = [f"{others} unpriced calls"] * bool(others)
    without += [f"{sums.own_account_calls} on clients' own accounts"] * bool(sums.own_account_calls)
    unknown = f"; without {' and '.join(without)}" if without else ""
    if sums.recorded:
        yield "would have cost", f"{spent} by list prices; a recorded stream costs nothing{unknown}"
    else:
        passed_on = f", {sums.passed_on} requests passed on among it" if sums.passed_on else ""
        yield "spent", f"{spent}, {in_dollars(sums.this_month_usd)} this month{passed_on}{unknown}"
        yield from _by_month(sums.months)
    if sums.saved_calls:
        would = "would have saved" if sums.recorded else "saved"
        amount = "an unknown amount" if sums.saved_usd is None else f"about {in_dollars(sums.saved_usd)}"
        answers = "1 answer" if sums.saved_calls == 1 else f"{sums.saved_calls:,} answers"
        yield would, f"{amount}, by estimate: {answers} bought no call"
    if sums.budget_usd is not None and not sums.recorded:
        state = "spent: Claude is not asked until next month" if sums.is_budget_spent else "not reached"
        yield "budget", f"{in_dollars(sums.budget_usd)} a month (UTC), {state}"


def _by_month(months: Sequence[Money]) -> Iterator[tuple[str, str]]:
    """Yield what was spent and saved by month and model, of the latest months; nothing where there is but one line."""
    if len(months) < 2:
        return
    latest = sorted({line.month for line in months})[-MONTHS:]
    for line in months:
        if line.month in latest:
            spent = in_dollars(line.spent_usd) if line.spent_usd or not line.unpriced else "unpriced"
            saved = f", saved about {in_dollars(line.saved_usd)}" if line.saved_usd else ""
            yield f"  {line.month}", f"{spent}{saved}: {one_line(line.model) or 'model not known'}"
    if latest[0] > months[0].month:
        yield "  before", "see `shammah report`"


def _state(overview: Overview) -> str:
    if overview.missing_files:
        return f"damaged: {', '.join(overview.missing_files)} missing; `shammah rebuild` makes the models again"
    if not overview.journalled:
        return "nothing stored yet"
    return "sound: journal readable, models complete; `shammah doctor` checks every byte"


def _threshold(accept_threshold: float | None, thresholds: Mapping[DraftSource, float | None]) -> str:
    """Return what p_accept must exceed: both the policy's threshold and the one of the source."""
    if accept_threshold is None:
        return NOT_BY_SCORE
    if not thresholds:
        return f"p_accept above {accept_threshold}"
    needed = {
        source: "no score is enough yet"
        if threshold is None
        else f"p_accept above {score(max(threshold, accept_threshold))}"
        for source, threshold in thresholds.items()
    }
    return "; ".join(f"{source}: {needs}" for source, needs in needed.items())


def _spread(overview: Overview) -> str:
    if overview.spread is None:
        return "- (no question was put to Claude twice)"
    return f"{overview.spread:.1%} of {overview.repeats} questions put to Claude again got another answer"


def _judge(judge: JudgeOverview) -> str:
    if not judge.verdicts and not judge.unreadable:
        return "not asked yet"
    compared = "none compared yet"
    if judge.compared:  # what passed is compared only if an audit buys a reply as well
        compared = f"{judge.wrong} of {judge.compared} compared were wrong, mostly on drafts it refused"
    calls = "1 more call" if judge.unreadable == 1 else f"{judge.unreadable} more calls"
    without = f" with {calls} that brought none" if judge.unreadable else ""
    return f"{judge.verdicts} verdicts, {in_dollars(judge.spent_usd)}{without}; {compared}"


def _share(share: float | None) -> str:
    return "-" if share is None else f"{share:.0%}"


def sparkline(shares: Iterable[float]) -> str:
    """Return shares from 0 to 1 as a row of bars."""
    return "".join(BARS[min(int(share * len(BARS)), len(BARS) - 1)] for share in shares)
