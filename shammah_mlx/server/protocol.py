"""The messages between the command line and the service: lines of JSON over the home's socket."""

import msgspec

from shammah_mlx.events import AskOptions, ForcedSource, Interaction, Outage

SOCKET = "shammah.sock"  # in the home


class AskRequest(msgspec.Struct, frozen=True, rename={"forced_source": "wish", "stored": "kept"}):
    """What a user asks for."""

    text: str
    system: str | None = None
    model: str | None = None
    continues: bool = False
    forced_source: ForcedSource | None = None
    strict: bool = False
    stored: bool = True
    waits: bool = False  # until all is learnt

    @property
    def options(self) -> AskOptions:
        """Return how the query is to be answered."""
        return AskOptions(self.forced_source, self.stored, self.strict)


class Continuing(msgspec.Struct, frozen=True, tag=True):
    """Which question the answer goes on from."""

    question: str


class Piece(msgspec.Struct, frozen=True, tag=True):
    """Some words of the answer."""

    text: str


class Answered(msgspec.Struct, frozen=True, tag=True):
    """The answer, journalled."""

    interaction: Interaction
    preset: str


class Unanswered(msgspec.Struct, frozen=True, tag=True):
    """Claude was needed and gave nothing."""

    outage: Outage


class Failed(msgspec.Struct, frozen=True, tag=True):
    """What the user can act on."""

    message: str
    hint: str
    exit_code: int


class Away(msgspec.Struct, frozen=True, tag=True):
    """The service is out of the home, for somebody who must be alone there."""


Said = Continuing | Piece | Answered | Unanswered | Away | Failed
