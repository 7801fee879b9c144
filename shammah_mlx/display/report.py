"""Format what people and programs read of answers and runs: money, tables, JSON with fixed names. Pure formatting."""

import json

import msgspec
from rich.box import SIMPLE_HEAD
from rich.table import Table

from shammah_mlx.display.console import one_line
from shammah_mlx.display.dates import local_time
from shammah_mlx.display.provenance import learnt_elsewhere
from shammah_mlx.events import ClaudeOnly, Outcome
from shammah_mlx.home.explanation import ExplainedDraft, Explanation
from shammah_mlx.home.overview import Overview
from shammah_mlx.home.prequential import Band, Result

EXPECTED_FORWARD = {0: "100%", 50: "95%", 200: "80%", 500: "60%", 1000: "40%", 2000: "20%", 5000: "5-10%"}
"""The specification's Expected Performance, by the band's first query: a claim, printed beside what is measured."""

TELLING = 0.25  # highest upper end of an interval on bad answers that says something; wider ones only worry
NOT_BY_SCORE = "too little is measured yet to serve by score; a repeat, or what Claude checked, may be served"
"""What `status` and `why` say of a home in its first questions."""

OUTCOMES: dict[Outcome, str] = {
    "forwarded": "Claude was asked, and nothing was drafted before",
    "rejected": "a draft was rejected, and Claude was asked",
    "approved": "a draft was served without an audit",
    "audited": "a draft was accepted and audited, by a verdict or by Claude's answer; the better one was served",
    "late": "this is the audit of an earlier answer, made once Claude could be reached again, or given up",
}

CLAUDE_ONLY: dict[ClaudeOnly, str] = {
    "files": "questions with images or PDFs",
    "length": "questions this long",
}


def as_json(shown: Overview | Explanation) -> str:
    """Return a struct as one line of JSON, in the style of Python's own encoder."""
    return json.dumps(msgspec.to_builtins(shown))


def score(value: float) -> str:
    """Return a score below 1 with as many digits as it takes not to round it to 1."""
    return next((shown for digits in (3, 4, 6, 9) if (shown := f"{value:.{digits}f}") < "1"), f"{value}")


def counted(number: int, noun: str) -> str:
    """Return a number of things, such as "1 answer" or "2,000 answers"."""
    return f"{number:,} {noun}{'' if number == 1 else 's'}"


def bad_answers(overview: Overview) -> str:
    """Say how many local answers were bad, if that can be said: an interval up to 74 % tells nobody anything."""
    rate, served = overview.bad_rate, overview.served_local
    if rate.estimate is None or rate.low is None or rate.high is None:
        return "none: nothing was answered here yet"
    if overview.open_audits:
        due = f"{counted(overview.open_audits, 'audit')} {'is' if overview.open_audits == 1 else 'are'}"
        return f"not known while {due} due: until then it counts as bad, for itself and for those it stands for"
    if rate.high > TELLING:
        return f"too early to tell: {counted(rate.audits, 'audit')} for {counted(served, 'local answer')}"
    if rate.audits >= served and f"{rate.low:.1%}" == f"{rate.high:.1%}":
        return f"{round(rate.estimate * served) or 'none'} of {served}: each was audited"
    interval = f"{rate.low:.1%} to {rate.high:.1%} of {served} served (95 % interval, valid whenever you look)"
    return f"about {rate.estimate:.1%}; {interval}"


def why_table(question: str, explanation: Explanation) -> Table:
    """Return an explanation as a table, under the question."""
    title = f"#{explanation.query_id}: {one_line(question)}"
    table = Table(show_header=False, box=None, title=title, title_justify="left")
    if explanation.later:
        table.add_row("note", "a later question was not kept, or is not answered yet")
    table.add_row("asked", local_time(explanation.at))
    if explanation.imported_from:
        table.add_row("imported", f"from {explanation.imported_from}: another program had Claude answer it")
    table.add_row("answered by", f"{explanation.source}: {OUTCOMES[explanation.outcome]}")
    if explanation.feedback:
        table.add_row(
            "you said", explanation.feedback + (", and gave your own answer" if explanation.own_answer else "")
        )
    if explanation.known_elsewhere:
        text = "is the same question, answered by another host than the one asked, so it is not given"
        table.add_row("known", f"#{explanation.known_elsewhere} {text}")
    if explanation.forced_source:
        table.add_row("asked for", explanation.forced_source)
    if explanation.unhelpful:
        table.add_row("asked again", f"since the answer to #{explanation.unhelpful} did not help")
    for name in explanation.files:
        table.add_row("file", f"{one_line(name)} (not kept)")
    if explanation.conversation != explanation.query_id:
        table.add_row("conversation", f"#{explanation.conversation}{_left_out(explanation)}")
    for near in explanation.nearest:
        text = one_line(near.query or "") or "(erased)"
        table.add_row("nearest", f"{near.similarity:.2f}  #{near.query_id} ({local_time(near.at)}): {text}")
    routed = ", ".join(f"{source} {p:.2f}" for source, p in explanation.p_locals.items()) or "-"
    needed = NOT_BY_SCORE
    if explanation.claude_only:
        needed = "only Claude answers " + CLAUDE_ONLY[explanation.claude_only]
    elif explanation.threshold is not None:
        needed = f"a local answer is tried above {explanation.threshold}"
    table.add_row("Router", f"{routed} ({needed})")
    for draft in explanation.drafts:
        is_shadow = explanation.outcome == "forwarded"  # made after Claude had answered, to learn from
        name = "drafted later" if is_shadow else "draft"
        table.add_row(name, _draft(draft, is_forced=explanation.forced_source == "local"))
    if explanation.audit_probability is not None:
        due = "so it was due" if explanation.audit else "so none was made"
        drawn = f"the number drawn was {explanation.audit_draw:.3f}, {due}"
        table.add_row("audit", f"with probability {explanation.audit_probability:.3f}; {drawn}")
    if explanation.covered is not None:
        is_promised = "yes: it is" if explanation.covered else "no: it is not"
        table.add_row("covered", f"{is_promised} among the answers that max_bad_rate is promised for")
    table.add_row("learnt", explanation.learnt)
    return table


def _left_out(explanation: Explanation) -> str:
    """Say that drafts were made without the conversation, if they were."""
    if not explanation.alone:
        return ""
    told = "; the question stands alone, so drafts were made without it"
    return told if explanation.covered is None else f"{told}, and only the judge could let one pass"


def _draft(draft: ExplainedDraft, *, is_forced: bool) -> str:
    origin = f" from #{draft.entry}" if draft.entry else ""
    origin += f" of {local_time(draft.from_at)}" if draft.from_at else ""
    origin += learnt_elsewhere(draft.source, draft.from_model)
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
    return _minimum(draft.threshold)


def _minimum(threshold: float | None) -> str:
    if threshold is None:
        return NOT_BY_SCORE
    return "no score is enough yet" if threshold >= 1.0 else f"needs more than {score(threshold)}"  # none is above 1


def _why_it_stood(draft: ExplainedDraft, *, is_forced: bool) -> str:
    """Say what a draft that stood needs by today's settings, and why it stood if it does not reach that."""
    minimum = _minimum(draft.minimum)
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
