"""Describe one answer, for people and programs: JSON with fixed names, and one line. Pure formatting."""

import json
from datetime import datetime, timedelta

import msgspec
from msgspec import UNSET

from shammah_mlx.display.console import one_line
from shammah_mlx.display.money import cost_note
from shammah_mlx.events import BORROWED, Interaction, Source
from shammah_mlx.home.recollection import Recollection
from shammah_mlx.teacher.identity import local_model

LONGEST_QUESTION = 50  # characters of a question in the line: enough to know it again

RECORDS = {  # where imported answers come from
    "jsonl": "JSON Lines",
    "llm": "llm's logs",
    "claude-code": "Claude Code's transcripts",
    "claude.ai": "a claude.ai export",
}


class Provenance(msgspec.Struct, frozen=True, kw_only=True):
    """What `ask --json` prints of one answer, in this order."""

    answer: str
    source: Source
    model: str
    p_local: float
    p_accept: float | None  # None: nothing was drafted
    called_claude: bool
    verdict: bool | None  # what the judge said of the draft; None: it was not asked
    audit: bool
    covered: bool | None  # None: this preset makes no promise
    ms: float | None
    cost_usd: float | None  # None: unpriced
    query_id: int | None  # None: not stored
    conversation: int | None  # what `--conversation` continues; None: nothing is stored of it


def provenance(interaction: Interaction, preset: str) -> Provenance:
    """Return where an answer came from, and what it cost."""
    reply, request = interaction.reply, interaction.request
    number = request.number if request.stored else None
    return Provenance(
        answer=interaction.answer,
        source=interaction.source,
        model=reply.model if reply and interaction.source == "claude" else local_model(preset),
        p_local=interaction.route.p_local,
        p_accept=interaction.p_accept,
        called_claude=interaction.called_claude,
        verdict=interaction.drafts[0].passed if interaction.drafts else None,
        audit=interaction.audit,
        covered=interaction.covered,
        ms=interaction.ms,
        cost_usd=interaction.cost_usd,
        query_id=number,
        conversation=request.query.conversation or number,
    )


def as_json(shown: Provenance) -> str:
    """Return it as one line of JSON, in the style of Python's own encoder."""
    return json.dumps(msgspec.to_builtins(shown), ensure_ascii=False)


def line(answered: Interaction, recollection: Recollection | None, now: float) -> str:
    """Return one line for people: what happened, in plain words, and what it cost."""
    cost = cost_note(answered.cost_usd, is_estimated=answered.cost_is_estimated)
    if answered.source == "claude":
        return f"Claude{cost}{_why_claude(answered)}"
    if answered.is_by_user:
        return f"your own answer, {_remembered(answered, recollection, now)}"
    origin = "written on this machine" if answered.source == "decoder" else _remembered(answered, recollection, now)
    if answered.outcome == "audited" and answered.reply is not None:
        return f"{origin}; compared with Claude's answer, which agreed{cost}"
    if _passed(answered):
        return f"{origin}; checked with Claude, which agreed{cost}"
    if _is_unsaid(answered):
        return f"{origin}; Claude was asked to check and gave no verdict{cost}"
    return origin + cost


def _why_claude(answered: Interaction) -> str:
    """Say why Claude answered, if he was asked about an answer of this machine before."""
    if answered.outcome == "audited":
        return "; the answer on this machine was compared with it, and differed"
    if answered.request.unhelpful is not UNSET and answered.request.forced_source is None:
        return "; you asked the same again"
    if _passed(answered) is False:
        return "; a check refused the answer on this machine"
    return "; a check of the answer on this machine gave no verdict" if _is_unsaid(answered) else ""


def _is_unsaid(answered: Interaction) -> bool:
    """Say whether the judge was paid for a check before there was a reply, and what it said was no verdict."""
    return any(verdict.good is None and not verdict.with_reply for verdict in answered.verdicts)


def _passed(answered: Interaction) -> bool | None:
    """Return what the judge said of the draft that the answer is or would have been; None: nothing."""
    return answered.drafts[0].passed if answered.drafts else None


def _remembered(answered: Interaction, recollection: Recollection | None, now: float) -> str:
    """Return from which question an answer is remembered, if it was another one, and how often that was asked."""
    if recollection is None:
        return "from memory"
    since = _day(recollection.since, now)
    if answered.source in ("recall", *BORROWED):
        is_same = answered.source in BORROWED and recollection.question == answered.request.query.text
        of = "" if is_same else f' of "{one_line(recollection.question, LONGEST_QUESTION)}"'
        known = f"from memory{of}{learnt_elsewhere(answered.source, recollection.model)}{_imported(recollection)}"
        return f"{known} ({since})" if since else known
    often = {1: "once", 2: "twice"}.get(recollection.times, f"{recollection.times:,} times")
    when = "today" if since == "today" else f"since {since}"
    asked = f"{'asked here' if recollection.imported_from else 'asked'} {often}" + (f" {when}" if since else "")
    return f"from memory{_imported(recollection)}, {asked}"


def _imported(recollection: Recollection) -> str:
    kind = recollection.imported_from
    return f", imported from {RECORDS.get(kind, kind)}" if kind else ""


def learnt_elsewhere(source: Source, model: str | None) -> str:
    """Say in which other context an answer was learnt, after a comma; nothing if it was none."""
    if source == "other_prompt":
        return ", learnt under another system prompt"
    if source == "other_model":
        return f", learnt from {one_line(model or 'another model', LONGEST_QUESTION)}"
    return ""


def _day(at: float, now: float) -> str:
    """Return the day of a moment as people call it, in local time; nothing if it is unknown."""
    if at <= 0.0:
        return ""
    day, today = (datetime.fromtimestamp(moment).date() for moment in (at, now))
    if day == today:
        return "today"
    if today - day == timedelta(days=1):
        return "yesterday"
    return f"{day:%b} {day.day}" + (f", {day.year}" if day.year != today.year else "")
