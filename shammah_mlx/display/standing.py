"""Format how a home stands: the table of `shammah status`. Pure formatting."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path

from rich.table import Table

from shammah_mlx.display.console import one_line
from shammah_mlx.display.dates import about
from shammah_mlx.display.money import in_dollars
from shammah_mlx.display.report import bad_answers, counted, score
from shammah_mlx.display.streams import can_show
from shammah_mlx.events import DraftSource
from shammah_mlx.home.curves import totals
from shammah_mlx.home.ledger import Money
from shammah_mlx.home.overview import JudgeOverview, Overview
from shammah_mlx.home.progress import Borrowing, History

MOST_PAIRS = 3  # of contexts that are shown; `status --json` has all
BARS = "▁▂▃▄▅▆▇█"
NO_SERVICE = (
    "does not run: an answer from memory takes about 0.5 s, with it 0.2 s; `shammah service install` starts it for good"
)
SOONER = "a repeat, or what Claude checked, may be sooner"
KINDS: dict[DraftSource, str] = {
    "repeat": "repeat",
    "recall": "recall (from a similar question)",
    "decoder": "decoder (written here)",
}
"""What the sources of drafts are called beside their thresholds; the others are called by their names."""
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
        ("service", "runs" if overview.service else NO_SERVICE),
        ("state", _state(overview)),
        ("checkpoints", _checkpoints(checkpoints)),
    ):
        table.add_row(name, value)
    return table


def _progress(overview: Overview, encoding: str) -> Iterator[tuple[str, str]]:
    """Yield what was asked and learnt, and what is still missing."""
    yield "questions", _questions(overview)
    if overview.imported_elsewhere:
        count = f"{overview.imported_elsewhere:,} of {counted(overview.imported, 'imported answer')}"
        again = "if that is wrong, import them again with (or without) --base-url"
        yield "not given", f"{count}: another host gave them than the one you ask; {again}"
    if overview.learning_failed:
        yield "learning", f"stopped: {overview.learning_failed}"
    yield from _who_answered(overview.history, encoding)
    yield "new wordings", _new_wordings(overview)
    if overview.accept_threshold is not None:
        yield "sure enough", _sure_enough(overview.accept_threshold, overview.thresholds)
    for pair in overview.borrowing[:MOST_PAIRS]:
        yield "learnt elsewhere", _borrowing(pair)


def _questions(overview: Overview) -> str:
    asked = f"{overview.journalled:,} asked" if overview.journalled else "none asked yet"
    imported = f" and {overview.imported:,} imported" if overview.imported else ""
    if overview.is_learning:
        left = f"{about(overview.pending_s)} left"
        return f"{asked}{imported}; {overview.trained:,} learnt, {overview.pending:,} being learnt, {left}"
    if overview.pending:
        learns = "the next question or `shammah learn` does it"
        return f"{asked}{imported}; {overview.trained:,} learnt, {overview.pending:,} not yet: {learns}"
    return f"{asked}{imported}{', all learnt' if overview.seen else ''}"


def _who_answered(history: History, encoding: str) -> Iterator[tuple[str, str]]:
    """Yield how many questions were answered here, and for how many Claude gave a whole answer; nothing of none."""
    if not history.blocks:
        return
    everything, latest = totals(history.blocks), totals(history.blocks[-2:])
    checks = everything.calls + everything.local - everything.queries  # a local answer that bought a call was audited
    here = f"{everything.local:,} of {counted(everything.queries, 'question')}"
    called = f"for {everything.calls:,} of {counted(everything.queries, 'question')}"
    if everything.local and latest.queries < everything.queries:
        here += f", {latest.local / latest.queries:.0%} of the latest {latest.queries}"
    if checks > 0:
        called += f", {checks:,} of them only to check a local answer"
    yield "answered here", here
    yield "Claude called", called
    if len(history.blocks) > 1 and can_show(BARS, encoding):
        each = f"each bar is {counted(history.block, 'question')}"
        yield "  here", f"{sparkline(block.local / block.queries for block in history.blocks)}  {each}"
        yield "  called", f"{sparkline(block.calls / block.queries for block in history.blocks)}"


def _borrowing(pair: Borrowing) -> str:
    """Say what is missing before answers of another context are given in this one."""
    asked = pair.for_model or "a model"
    learnt_in = (pair.from_model or "another model") if pair.source == "other_model" else "another system prompt"
    if pair.threshold is not None:
        return f"{learnt_in}, for {asked}: p_accept above {score(pair.threshold)}"
    if pair.measured < pair.to_measure:
        return f"{learnt_in}, for {asked}: {pair.measured} of {pair.to_measure} compared with Claude's answers"
    return f"{learnt_in}, for {asked}: {pair.measured} compared with Claude's answers, and no score is enough yet"


def _new_wordings(overview: Overview) -> str:
    """Say what is missing before questions in new words are answered by the score of a draft alone."""
    lacking = overview.lacking
    needed = [counted(lacking.questions, "more question")] if lacking.questions else []
    if (comparisons := lacking.to_measure - lacking.measured) > 0:
        so_far = f"{lacking.measured} of {lacking.to_measure} so far"
        needed.append(f"{counted(comparisons, 'more comparison')} with Claude's answers ({so_far})")
    sooner = f"; {SOONER}" if lacking.to_measure else ""
    if needed:
        return f"answered here after {' and '.join(needed)}{sooner}"
    by_score = {source: found for source, found in overview.thresholds.items() if source != "repeat"}
    if by_score and not any(found is not None for found in by_score.values()):
        return f"no draft of such a question was sure enough so far{sooner}"
    return "answered here if a draft is sure enough"


def _promise(overview: Overview) -> Iterator[tuple[str, str]]:
    """Yield what is known of bad answers, and of those who decide."""
    yield "bad local answers", bad_answers(overview)
    yield "allowed", _allowed(overview)
    yield "audits", _audits(overview)
    yield "Claude's own spread", _spread(overview)
    yield "judge", _judge(overview.judge)
    yield "right decisions", _accuracy(overview.router_accuracy, overview.validator_accuracy)


def _allowed(overview: Overview) -> str:
    if overview.max_bad_rate is None:
        return "any number: nothing is promised with these settings"
    return f"{overview.max_bad_rate:.1%} of them in the long run, and up to {overview.slack:.0f} more outside the proof"


def _audits(overview: Overview) -> str:
    """Say how often Claude checked a local answer at random, and what could not be checked."""
    made = f"{overview.bad_rate.audits:,} made: local answers that Claude checked, drawn at random"
    due, given_up = overview.open_audits, overview.audits_missed - overview.open_audits
    told = [made]
    if given_up > 0 and not overview.pending:  # a late audit that is not learnt yet looks like one
        told.append(f"{given_up:,} {'was' if given_up == 1 else 'were'} given up, which counts as bad")
    if due:
        until = "it is" if due == 1 else "they are"
        so = f", so answers are not covered until {until} made" if overview.covered is False else ""
        told.append(f"{due:,} {'is' if due == 1 else 'are'} due{so}: by the next question that goes to Claude")
    return "; ".join(told if len(told) > 1 else [made, "none due"])


def _money(overview: Overview) -> Iterator[tuple[str, str]]:
    """Yield what was spent and saved; a recorded stream cost nothing, and says what it would have cost."""
    spent, sums = in_dollars(overview.spent_usd), overview.money
    others = overview.unpriced_calls - sums.own_account_calls
    without = [counted(others, "unpriced call")] * bool(others)
    without += [f"{counted(sums.own_account_calls, 'call')} on clients' own accounts"] * bool(sums.own_account_calls)
    unknown = f"; without {' and '.join(without)}" if without else ""
    if sums.recorded:
        yield "would have cost", f"{spent} by list prices; a recorded stream costs nothing{unknown}"
    else:
        passed_on = f", {counted(sums.passed_on, 'request')} passed on among it" if sums.passed_on else ""
        yield "spent", f"{spent}, {in_dollars(sums.this_month_usd)} this month{passed_on}{unknown}"
        yield from _by_month(sums.months)
    if sums.saved_calls:
        would = "would have saved" if sums.recorded else "saved"
        amount = "an unknown amount" if sums.saved_usd is None else f"about {in_dollars(sums.saved_usd)}"
        yield would, f"{amount}, by estimate: {counted(sums.saved_calls, 'answer')} bought no call"
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


def _sure_enough(accept_threshold: float, thresholds: Mapping[DraftSource, float | None]) -> str:
    """Return what p_accept must exceed: both the policy's threshold and the one of the source."""
    if not thresholds:
        return f"p_accept above {accept_threshold}"
    needed = {
        source: "no score is enough yet"
        if threshold is None
        else f"p_accept above {score(max(threshold, accept_threshold))}"
        for source, threshold in thresholds.items()
    }
    return "; ".join(f"{KINDS.get(source, source)}: {needs}" for source, needs in needed.items())


def _checkpoints(checkpoints: Sequence[int]) -> str:
    if not checkpoints:
        return "none yet; `shammah rollback` returns to one"
    return f"after {', '.join(map(str, checkpoints))} questions; `shammah rollback` returns to one"


def _spread(overview: Overview) -> str:
    if overview.spread is None:
        return f"not known yet: too few of his answers to one question were compared ({overview.repeats})"
    return f"{overview.spread:.1%} of his answers to {counted(overview.repeats, 'repeated question')} were other ones"


def _judge(judge: JudgeOverview) -> str:
    if not judge.verdicts and not judge.unreadable:
        return "a cheap Claude model that checks drafts; not asked yet"
    compared = "none compared with a whole answer yet"
    if judge.compared:
        compared = f"{judge.wrong} of {judge.compared} that a whole answer of Claude's stood beside were wrong"
    without = f" with {counted(judge.unreadable, 'more call')} that brought none" if judge.unreadable else ""
    return f"{counted(judge.verdicts, 'verdict')}, {in_dollars(judge.spent_usd)}{without}; {compared}"


def _accuracy(router: float | None, validator: float | None) -> str:
    if router is None and validator is None:
        return "none measured yet"
    return (
        f"Router, whether to try here: {_share(router)}; Validator, whether a draft is good: {_share(validator)}"
        " (before the judge; a good draft held back counts as wrong)"
    )


def _share(share: float | None) -> str:
    return "not measured yet" if share is None else f"{share:.0%}"


def sparkline(shares: Iterable[float]) -> str:
    """Return shares from 0 to 1 as a row of bars."""
    return "".join(BARS[min(int(share * len(BARS)), len(BARS) - 1)] for share in shares)
