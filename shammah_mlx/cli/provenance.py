"""What is said of one answer, for people and programs: fixed JSON names, and a line. Pure formatting."""

from typing import Any

from shammah_mlx.events import Interaction
from shammah_mlx.teacher.identity import local_model


def fields(interaction: Interaction, preset: str) -> dict[str, Any]:
    """Return the object `ask --json` prints."""
    reply = interaction.reply
    return {
        "answer": interaction.answer,
        "source": interaction.source,
        "model": reply.model if reply and interaction.source == "claude" else local_model(preset),
        "p_local": interaction.route.p_local,
        "p_accept": interaction.p_accept,
        "called_claude": interaction.called_claude,
        "audit": interaction.audit,
        "covered": interaction.covered,  # null: this preset makes no promise
        "ms": interaction.ms,
        "cost_usd": reply.cost_usd if reply else 0.0,
        "query_id": interaction.request.number if interaction.request.stored else None,
    }


def line(interaction: Interaction, preset: str) -> str:
    """Return one line: who answered, the probabilities, how long it took, what it cost."""
    told = fields(interaction, preset)
    probabilities = f"p_local {told['p_local']:.2f}"
    if interaction.p_accept is not None:
        probabilities += f", p_accept {interaction.p_accept:.2f}"
    cost = "unpriced" if told["cost_usd"] is None else f"${told['cost_usd']:.4f}"
    return f"{told['source']} ({told['model']}) · {probabilities} · {interaction.ms or 0.0:,.0f} ms · {cost}"
