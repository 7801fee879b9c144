"""Hide secrets from Claude: a stand-in goes out in the place of each, and the answer gets the secrets back."""

from collections.abc import Callable

import msgspec

from shammah_mlx.config import PrivacyConfig
from shammah_mlx.events import Exchange, Interaction, Query, Show
from shammah_mlx.text.sensitive import found_secrets, holds_secret

STAND_IN = "[SECRET_{}]"  # brackets, so that the rules do not take it for a secret itself


def redaction_by(privacy: PrivacyConfig) -> "Callable[[Query], Redaction] | None":
    """Return what hides the secrets of a query; None if the settings let them be sent, or the query not."""
    return Redaction if privacy.secrets == "redact" else None


def hides_secret(interaction: Interaction, privacy: PrivacyConfig) -> bool:
    """Say whether Claude was asked, and sent a stand-in for what looks like a secret."""
    return interaction.request.secret is True and interaction.called_claude and privacy.secrets == "redact"


class Redaction:
    """The secrets of one query, each with its stand-in."""

    def __init__(self, query: Query) -> None:
        found = {secret for text in query.texts for secret in found_secrets(text)}
        standing = [
            secret for secret in found if any(secret in text for text in query.texts)
        ]  # not only without spaces
        in_order = sorted(standing, key=lambda secret: (-len(secret), secret))  # one may be a part of another
        self._stand_ins = {secret: STAND_IN.format(number) for number, secret in enumerate(in_order, 1)}

    def hide(self, query: Query) -> Query | None:
        """Return the query with stand-ins; None if something in it still looks like a secret."""
        hidden = msgspec.structs.replace(
            query,
            text=self._hidden(query.text),
            system=query.system and self._hidden(query.system),
            history=tuple(Exchange(self._hidden(turn.question), self._hidden(turn.answer)) for turn in query.history),
        )
        return None if any(map(holds_secret, hidden.texts)) else hidden

    def restore(self, text: str) -> str:
        """Return a text with the secrets in their places."""
        for secret, stand_in in self._stand_ins.items():
            text = text.replace(stand_in, secret)
        return text

    def restoring(self, show: Show) -> tuple[Show, Callable[[], None]]:
        """Return what shows a text's pieces with the secrets in their places, and what shows the rest at the end.

        A piece that may end within a stand-in is held back to the next one.
        """
        held = ""

        def show_restored(piece: str) -> None:
            nonlocal held
            text = held + piece
            held = self._beginning(text)
            if ready := text.removesuffix(held) if held else text:
                show(self.restore(ready))

        def end() -> None:
            if held:
                show(held)

        return show_restored, end

    def _hidden(self, text: str) -> str:
        for secret, stand_in in self._stand_ins.items():
            text = text.replace(secret, stand_in)
        return text

    def _beginning(self, text: str) -> str:
        """Return the end of a text that may be the beginning of a stand-in."""
        start = text.rfind("[")
        end = text[start:] if start >= 0 else ""
        may_go_on = any(stand_in.startswith(end) and stand_in != end for stand_in in self._stand_ins.values())
        return end if end and may_go_on else ""
