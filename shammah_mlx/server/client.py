"""What commands and the service of their home say to each other, over the home's own socket; the commands' side."""

import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec

from shammah_mlx.errors import BadStateError, ShammahError
from shammah_mlx.events import Show
from shammah_mlx.server.protocol import SOCKET, Answered, AskRequest, Away, Continuing, Failed, Piece, Said, Unanswered

if TYPE_CHECKING:
    import httpx2


CONNECT_S = 2.0  # it is on this machine
ANYONE = "http://shammah"  # what HTTP wants of a URL; the socket decides who is meant


def is_served(home: Path) -> bool:
    """Say whether a service listens in this home."""
    with socket.socket(socket.AF_UNIX) as line:
        line.settimeout(CONNECT_S)
        try:
            line.connect(str(home / SOCKET))
        except OSError:  # nobody there, or no such file, or a path too long for a socket
            return False
    return True


def ask(home: Path, wanted: AskRequest, show: Show, on_continuing: Show) -> Iterator[Answered | Unanswered | Away]:
    """Ask the service; yield what comes of it, then return when it has nothing more to do for this question.

    Raises:
        ShammahError: the service says so, or has ended.
    """
    import httpx2  # 0.06 s: only who has a service pays for it

    is_told = False
    try:
        with (
            _connected(home) as client,
            client.stream("POST", "/own/ask", content=msgspec.json.encode(wanted)) as lines,
        ):
            for line in lines.iter_lines():
                said = msgspec.json.decode(line, type=Said)
                match said:
                    case Piece():
                        show(said.text)
                    case Continuing():
                        on_continuing(said.question)
                    case Failed():
                        raise _again(said)
                    case _:
                        is_told = True
                        yield said
    except (httpx2.HTTPError, msgspec.DecodeError) as error:
        raise _ended() from error
    if not is_told:
        raise _ended()


def _ended() -> BadStateError:
    return BadStateError("the service ended before it had answered", "ask again; see `shammah service logs`")


def _again(failed: Failed) -> ShammahError:
    error = ShammahError(failed.message, failed.hint)
    error.exit_code = failed.exit_code
    return error


@contextmanager
def alone(home: Path, patience_s: float) -> Iterator[None]:
    """Keep the service out of the home, if there is one.

    Raises:
        BadStateError: it does not go.
    """
    if not is_served(home):
        yield
        return
    import httpx2

    try:
        with _connected(home, patience_s) as client, client.stream("POST", "/own/away") as gone:
            lines = gone.iter_lines()  # closes the connection when it is dropped
            next(lines)
            yield
    except (httpx2.HTTPError, StopIteration) as error:
        raise BadStateError("the service of this home does not let go of it", "shammah service stop") from error


def told(home: Path, path: str, patience_s: float = CONNECT_S) -> Any:
    """Return what the service says there, from JSON; None if there is no service, or it says nothing in time."""
    import httpx2

    if not is_served(home):
        return None
    try:
        with _connected(home, patience_s) as client:
            return client.get(path).raise_for_status().json()
    except (httpx2.HTTPError, ValueError):
        return None


@contextmanager
def _connected(home: Path, patience_s: float | None = None) -> "Iterator[httpx2.Client]":
    import httpx2

    transport = httpx2.HTTPTransport(uds=str(home / SOCKET))
    timeout = httpx2.Timeout(patience_s, connect=CONNECT_S)
    with httpx2.Client(transport=transport, base_url=ANYONE, timeout=timeout, trust_env=False) as client:
        yield client
