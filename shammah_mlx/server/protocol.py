"""The messages between the command line and the service: lines of JSON over the home's socket."""

import msgspec

from shammah_mlx.events import AskOptions, ForcedSource, Interaction, Outage

SOCKET = "shammah.sock"  # in the home


class AskRequest(msgspec.Struct, frozen=True, rename={"forced_source": "wish", "stored": "kept"}):
    """A question, and how to answer it."""

    text: str
    system: str | None = None
    model: str | None = None
    continues: bool = False
    forced_source: ForcedSource | None = None
    strict: bool = False
    stored: bool = True
    waits: bool = False  # until everything is learnt

    @property
    def options(self) -> AskOptions:
        """Return the options for `Assistant.answering`."""
        return AskOptions(self.forced_source, self.stored, self.strict)


class Continuing(msgspec.Struct, frozen=True, tag=True):
    """The answer continues the conversation after this question."""

    question: str


class Piece(msgspec.Struct, frozen=True, tag=True):
    """A piece of the answer's text."""

    text: str


class Answered(msgspec.Struct, frozen=True, tag=True):
    """The answer is complete, and journalled if it is stored at all."""

    interaction: Interaction
    preset: str


class Unanswered(msgspec.Struct, frozen=True, tag=True):
    """Claude was needed but could not be reached or gave no reply."""

    outage: Outage


class Failed(msgspec.Struct, frozen=True, tag=True):
    """An error, with a hint at what the user can do."""

    message: str
    hint: str
    exit_code: int


class Away(msgspec.Struct, frozen=True, tag=True):
    """The service is out of the home, because another command needs the home alone."""


Message = Continuing | Piece | Answered | Unanswered | Away | Failed
