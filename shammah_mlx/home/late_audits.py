"""Make the audits that are due since Claude could not be reached, or the budget was spent."""

from collections.abc import Callable

import msgspec
from msgspec import UnsetType

from shammah_mlx.config import Config
from shammah_mlx.events import Interaction, Outage
from shammah_mlx.framework import loop, screening
from shammah_mlx.home.journal import Journal


class Circumstances(msgspec.Struct, frozen=True):
    """Under which circumstances audits are made."""

    versions: dict[str, str]  # of what scores drafts
    origin: int | UnsetType  # of the teacher; see `Query`
    clock: Callable[[], float]  # Unix time, seconds


def auditing(journal: Journal, config: Config, under: Circumstances, *, reached: bool) -> loop.Consultation[int]:
    """Make the audits that are due, journal them, and return how many were journalled.

    Claude is asked only if it was `reached` again. An audit that is too old, whose draft was scored under other
    versions, that needs a client's own credential, that today's settings keep here, or whose reply may not be stored,
    is given up and counts as bad.
    """
    made = 0
    for number, at in journal.open_audits()[: config.risk.late_audits]:
        served = journal.read(number)
        query = served.request.query
        is_late = under.clock() > at + config.risk.audit_wait_s
        has_changed = served.decision_context.versions != under.versions
        stays = served.request.own_account or screening.stays_here(query.texts, config.privacy)
        if is_late or has_changed or stays:
            reply = None
        elif reached and query.origin == under.origin:
            reply = yield from loop.ask_claude(query, is_answer=False)
        else:
            continue
        if isinstance(reply, Outage):
            break
        if reply is not None and not reply.teaches:
            continue
        if reply is not None and (
            screening.reveals(query, reply) or screening.is_never_stored(reply.text, config.privacy)
        ):
            reply = None
        made += journal.write_late(Interaction.late(served.request, served, served.drafts, reply, under.clock()))
    return made
