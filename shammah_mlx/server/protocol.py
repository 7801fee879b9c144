"""The messages between the command line and the service: lines of JSON over the home's socket."""

from collections.abc import Callable

import msgspec
from msgspec import UNSET, UnsetType

from shammah_mlx.events import AskOptions, Attachment, Awaited, ForcedSource, Interaction, Outage, Query

SOCKET = "shammah.sock"  # in the home
SIGN_OF_LIFE = b"\n"  # sent while an answer is being found, so that a service that stands still is noticed
LIFE_S = 1.0  # between two of them
SILENCE_S = 10.0  # after which a service counts as standing still; a busy machine may delay a sign of life

Continued = Callable[[str, str | None, str | None, AskOptions, int | None], Query]
"""Returns a query with the conversation so far: from its text, system prompt, model, options and conversation."""


class AskRequest(msgspec.Struct, frozen=True, rename={"forced_source": "wish", "stored": "kept"}):
    """A question, and how to answer it."""

    text: str
    system: str | None = None
    model: str | None = None
    continues: bool = False  # the last conversation of its terminal
    forced_source: ForcedSource | None = None
    strict: bool = False
    stored: bool = True
    waits: bool = False  # until everything is learnt
    attachments: tuple[Attachment, ...] = ()
    conversation: int | None = None  # number of a question in the conversation that it continues
    terminal: int | UnsetType = UNSET  # hash of the terminal it is asked in
    in_chat: bool = False  # a turn that leans on none before it may be answered without them
    in_person: bool = False  # a person asks at a terminal: the same again means that the answer did not help
    host: int | None = None  # hash of the host that the command's environment names, 0 for Anthropic; None: none
    own_key: bool = False  # the command has a key at hand, so it can ask Claude what the service cannot
    unhelpful: int | None = None  # number of the interaction whose question is asked again, since its answer was bad
    handed_back: bool = False  # a service has noted that it is asked, and could not ask Claude

    @property
    def options(self) -> AskOptions:
        """Return the options for `Assistant.answering`."""
        return AskOptions(
            self.forced_source,
            self.stored,
            self.strict,
            terminal=self.terminal,
            in_chat=self.in_chat,
            in_person=self.in_person,
            unhelpful=self.unhelpful,
            handed_back=self.handed_back,
        )

    def query(self, continued: Continued, asked: Callable[[int], Query]) -> Query:
        """Return the question, by `Assistant.continued` if it continues a conversation, or as it was `asked` before."""
        if self.unhelpful is not None:
            return asked(self.unhelpful)
        if self.continues or self.conversation is not None:
            query = continued(self.text, self.system, self.model, self.options, self.conversation)
        else:
            query = Query(self.text, self.system, self.model)
        return msgspec.structs.replace(query, attachments=self.attachments or UNSET)


class Continuing(msgspec.Struct, frozen=True, tag=True):
    """The answer continues the conversation after this question."""

    question: str


class Awaiting(msgspec.Struct, frozen=True, tag=True):
    """This is what the user waits for from now on."""

    what: Awaited
    learnt: int | None = None  # of `count` interactions, while they are learnt
    count: int | None = None


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


Message = Continuing | Awaiting | Piece | Answered | Unanswered | Away | Failed
