"""Format what people and programs read: tables, and JSON with fixed names. Pure formatting."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path

import msgspec
from rich.box import SIMPLE_HEAD
from rich.table import Table

from shammah_mlx.cli.console import one_line
from shammah_mlx.cli.money import in_dollars
from shammah_mlx.events import DraftSource, Outcome
from shammah_mlx.home.overview import BadRate, ExplainedDraft, Explanation, JudgeOverview, Overview
from shammah_mlx.home.prequential import Band, Result

EXPECTED_FORWARD = {0: "100%", 50: "95%", 200: "80%", 500: "60%", 1000: "40%", 2000: "20%", 5000: "5-10%"}
"""The specification's Expected Performance, by the band's first query: a claim, printed beside what is measured."""

OUTCOMES: dict[Outcome, str] = {
    "forwarded": "Claude was asked, and nothing was drafted before",
    "rejected": "a draft was rejected, and Claude was asked",
    "approved": "a draft was served without an audit",
    "audited": "a draft was accepted and audited, by a verdict or by Claude's answer; the better one was served",
    "late": "this is the audit of an earlier answer, made once Claude could be reached again, or given up",
}


def as_json(shown: Overview | Explanation) -> str:
    """Return a struct as one line of JSON, in the style of Python's own encoder."""
    return json.dumps(msgspec.to_builtins(shown))


def status_table(home: Path, overview: Overview, checkpoints: Sequence[int]) -> Table:
    """Return a home's overview as a table."""
    spent = in_dollars(overview.spent_usd)
    if overview.unpriced_calls:
        spent += f", unpriced calls: {overview.unpriced_calls}"
    accuracy = f"Router {_share(overview.router_accuracy)}, Validator {_share(overview.validator_accuracy)}"
    pending = f"{overview.pending} {'being learnt' if overview.is_learning else 'pending'}"
    forwarded = "-" if overview.forward_rate is None else f"{overview.forward_rate:.1%} of all queries"
    table = Table(show_header=False, box=None)
    for name, value in (
        ("home", str(home) if overview.journalled or overview.seen else f"{home} (nothing asked yet)"),
        ("preset", overview.preset),
        ("queries seen", f"{overview.seen} ({overview.trained} learnt, {pending})"),
        *([("learning", f"stopped: {overview.learning_failed}")] if overview.learning_failed else []),
        ("to Claude", forwarded),
        ("local threshold", _threshold(overview.accept_threshold, overview.thresholds)),
        ("bad local answers", _bad_rate(overview.bad_rate, overview.served_local)),
        ("allowed", _allowed(overview)),
        ("audits", f"{overview.bad_rate.audits}, missed: {overview.audits_missed}"),
        ("Claude's own spread", _spread(overview)),
        ("judge", _judge(overview.judge)),
        ("right decisions", accuracy),
        ("spent", spent),
        ("checkpoints", ", ".join(map(str, checkpoints)) or "none yet"),
    ):
        table.add_row(name, value)
    return table


def _threshold(accept_threshold: float | None, thresholds: Mapping[DraftSource, float | None]) -> str:
    """Return what p_accept must exceed: both the policy's threshold and the one of the source."""
    if accept_threshold is None:
        return "nothing is served locally yet"
    if not thresholds:
        return f"p_accept above {accept_threshold}"
    needed = {
        source: "nothing yet" if threshold is None else f"p_accept above {max(threshold, accept_threshold):.3f}"
        for source, threshold in thresholds.items()
    }
    return "; ".join(f"{source}: {needs}" for source, needs in needed.items())


def _allowed(overview: Overview) -> str:
    if overview.max_bad_rate is None:
        return "any number: this preset promises nothing"
    state = "covered" if overview.covered else "not covered: an audit is still due"
    return f"{overview.max_bad_rate:.1%} in the long run, and {overview.slack:.0f} answers beyond that; {state}"


def _bad_rate(rate: BadRate, served: int) -> str:
    if rate.estimate is None:
        return "- (nothing served yet)"
    interval = f"{rate.low:.1%} to {rate.high:.1%} of {served} served (95 % interval, valid whenever you look)"
    if rate.estimate > 1.0:  # one bad audit stands for many answers, and few were served
        return interval
    return f"about {rate.estimate:.1%}; {interval}"


def _spread(overview: Overview) -> str:
    if overview.spread is None:
        return "- (no question was put to Claude twice)"
    return f"{overview.spread:.1%} of {overview.repeats} questions put to Claude again got another answer"


def _judge(judge: JudgeOverview) -> str:
    if not judge.verdicts:
        return "not asked yet"
    compared = "none compared yet"
    if judge.compared:  # what passed is compared only if an audit buys a reply as well
        compared = f"{judge.wrong} of {judge.compared} compared were wrong, mostly on drafts it refused"
    return f"{judge.verdicts} verdicts, {in_dollars(judge.spent_usd)}; {compared}"


def _share(share: float | None) -> str:
    return "-" if share is None else f"{share:.0%}"


def why_table(question: str, explanation: Explanation) -> Table:
    """Return an explanation as a table, under the question."""
    title = f"#{explanation.query_id}: {one_line(question)}"
    table = Table(show_header=False, box=None, title=title, title_justify="left")
    table.add_row("answered by", f"{explanation.source}: {OUTCOMES[explanation.outcome]}")
    if explanation.forced_source:
        table.add_row("asked for", explanation.forced_source)
    for near in explanation.nearest:
        text = one_line(near.query or "") or "(erased)"
        table.add_row("nearest", f"{near.similarity:.2f}  #{near.query_id}: {text}")
    routed = ", ".join(f"{source} {p:.2f}" for source, p in explanation.p_locals.items()) or "-"
    needed = "nothing was served locally yet"
    if explanation.threshold is not None:
        needed = f"a local answer is tried above {explanation.threshold}"
    table.add_row("Router", f"{routed} ({needed})")
    for draft in explanation.drafts:
        table.add_row("draft", _draft(draft, is_forced=explanation.forced_source == "local"))
    if explanation.audit_probability is not None:
        due = "so it was due" if explanation.audit else "so none was made"
        drawn = f"the number drawn was {explanation.audit_draw:.3f}, {due}"
        table.add_row("audit", f"with probability {explanation.audit_probability:.3f}; {drawn}")
    if explanation.covered is not None:
        table.add_row("covered", "yes" if explanation.covered else "no")
    table.add_row("learnt", explanation.learnt)
    return table


def _draft(draft: ExplainedDraft, *, is_forced: bool) -> str:
    origin = f" from #{draft.entry}" if draft.entry else ""
    needs = _why_it_stood(draft, is_forced=is_forced) if draft.stood else _needs(draft)
    if draft.bad_rate is not None:
        needs += f"; {draft.bad_rate:.0%} of drafts with this score are bad, by what is known in this home"
    divergence = "not measured" if draft.divergence is None else f"divergence {draft.divergence:.3f}"
    judged = {None: "", True: ", the judge let it pass", False: ", the judge refused it"}[draft.verdict]
    return f"{draft.source}{origin}: p_accept {draft.p_accept:.2f} ({needs}), {divergence}{judged}"


def _needs(draft: ExplainedDraft) -> str:
    """Say what a draft that was not accepted needs, or why no score is enough."""
    if draft.other_answer > draft.max_other_answer:
        return f"held back: {_other_answer(draft)}"
    is_closed = draft.threshold is None or draft.threshold >= 1.0  # no score is above 1
    return "nothing may be served yet" if is_closed else f"needs more than {draft.threshold:.3f}"


def _why_it_stood(draft: ExplainedDraft, *, is_forced: bool) -> str:
    """Say what a draft that stood needs by today's settings, and why it stood if it does not reach that."""
    minimum = "no score is enough yet" if draft.minimum is None else f"needs more than {draft.minimum:.3f}"
    is_held_back = draft.other_answer > draft.max_other_answer
    if is_held_back:
        minimum += f"; {_other_answer(draft)}"
    if draft.minimum is not None and draft.p_accept > draft.minimum and not is_held_back:
        return minimum
    reason = "the settings were others then"
    if is_forced:
        reason = "a local answer was asked for"
    elif draft.verdict:
        reason = "the judge let it pass"
    return f"{minimum}; accepted because {reason}"


def _other_answer(draft: ExplainedDraft) -> str:
    likely, allowed = 100.0 * draft.other_answer, 100.0 * draft.max_other_answer
    return f"its words make another answer {likely:.0f} % likely (allowed {allowed:.0f} %, max_other_answer)"


def replay_json(stream: str, preset: str, shuffle: int | None, result: Result) -> bytes:
    """Return the object `replay --json` writes."""
    run = {"stream": stream, "preset": preset, "shuffle": shuffle, "queries": result.total.queries}
    return msgspec.json.format(msgspec.json.encode({**run, **msgspec.to_builtins(result)})) + b"\n"


def band_table(result: Result) -> Table:
    """Return the run by the specification's query bands, with its expected forward rate beside the measured one."""
    moved = ", ".join(f"{role} {distance:.3g}" for role, distance in result.moved.items())
    table = Table(caption=f"moved: {moved}", box=SIMPLE_HEAD, padding=0)  # 80 columns wide
    for name in ("queries", "calls", "checks", "local", "bad local", "divergence", "cost", "forwarded", "specified"):
        table.add_column(name, justify="right", no_wrap=True)
    for band in result.bands:
        table.add_row(*_band_cells(band, f"{band.start}-{band.to}"), EXPECTED_FORWARD[band.start])
    table.add_section()
    table.add_row(*_band_cells(result.total, "total"), "")
    return table


def _band_cells(band: Band, name: str) -> tuple[str, ...]:
    divergence = "-" if band.mean_divergence is None else f"{band.mean_divergence:.3f}"
    forwarded = f"{1 - band.local / band.queries:.0%}"
    cost = f"{band.cost_usd / band.cost_all_usd:.0%}" if band.cost_all_usd else "-"  # of forwarding everything
    return (
        name,
        str(band.calls),
        str(band.checks),
        str(band.local),
        str(band.bad_local),
        divergence,
        cost,
        forwarded,
    )
