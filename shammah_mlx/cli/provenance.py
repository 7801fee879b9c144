"""Describe one answer, for people and programs: JSON with fixed names, and one line. Pure formatting."""

import json

import msgspec

from shammah_mlx.events import Interaction, Source
from shammah_mlx.teacher.identity import local_model


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


def line(shown: Provenance) -> str:
    """Return one line for people: who answered, the probabilities, how long it took, what it cost."""
    probabilities = f"p_local {shown.p_local:.2f}"
    if shown.p_accept is not None:
        probabilities += f", p_accept {shown.p_accept:.2f}"
    checked = {None: "", True: " · checked with Claude", False: " · Claude refused the draft"}[shown.verdict]
    cost = "unpriced" if shown.cost_usd is None else f"${shown.cost_usd:.4f}"
    return f"{shown.source} ({shown.model}) · {probabilities}{checked} · {shown.ms or 0.0:,.0f} ms · {cost}"
