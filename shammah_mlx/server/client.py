"""The commands' side of the conversation with the service of their home; `local_api` is the other side."""

import socket
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec

from shammah_mlx.errors import BadStateError, ShammahError
from shammah_mlx.events import Show
from shammah_mlx.home.folder import check_owner
from shammah_mlx.server.protocol import (
    SILENCE_S,
    SOCKET,
    Answered,
    AskRequest,
    Awaiting,
    Away,
    Continuing,
    Failed,
    Message,
    Piece,
    Unanswered,
)
from shammah_mlx.teacher.identity import base_url_here, origin
from shammah_mlx.teacher.keys import is_at_hand

if TYPE_CHECKING:
    import httpx2


CONNECT_S = 2.0  # the service is on this machine
STEP_S, POLL_S = 60.0, 0.1  # the longest that the service may be busy with one step of learning; between two looks
BASE_URL = "http://shammah"  # HTTP needs a host; the socket decides who is reached


def is_served(home: Path) -> bool:
    """Say whether a service listens in this home.

    Raises:
        BadStateError: the home or its socket belongs to somebody else, who would read every question.
    """
    check_owner(home, home / SOCKET)
    with socket.socket(socket.AF_UNIX) as connection:
        connection.settimeout(CONNECT_S)
        try:
            connection.connect(str(home / SOCKET))
        except OSError:  # nobody listens, there is no such file, or its path is too long for a socket
            return False
    return True


def ask(
    home: Path, wanted: AskRequest, show: Show, on_continuing: Show, on_awaiting: Callable[[Awaiting], None]
) -> Iterator[Answered | Unanswered | Away]:
    """Ask the service; yield the outcome, and return when the service has finished with this question.

    The service is told whether there is a key at hand here, and whom the environment names to be asked: one that asks
    another host is away. So is one that does not begin to answer: it stands still.

    Raises:
        ShammahError: the service reports an error, or ended.
    """
    import httpx2  # 0.06 s: only commands that find a service pay for it

    host = (origin(base_url) or 0) if (base_url := base_url_here()) else None
    wanted = msgspec.structs.replace(wanted, own_key=is_at_hand(home), host=host)
    has_begun = has_outcome = False
    try:
        with (
            _connected(home, SILENCE_S) as client,
            client.stream("POST", "/own/ask", content=msgspec.json.encode(wanted)) as response,
        ):
            has_begun = True
            for line in filter(None, _lines(response)):  # an empty line is a sign of life
                message = msgspec.json.decode(line, type=Message)
                match message:
                    case Piece():
                        show(message.text)
                    case Awaiting():
                        on_awaiting(message)
                    case Continuing():
                        on_continuing(message.question)
                    case Failed():
                        raise _as_error(message)
                    case _:
                        has_outcome = True
                        yield message
    except httpx2.ReadTimeout as error:
        if has_begun:  # it may have paid for an answer
            message = "the service stopped answering"
            raise BadStateError(message, "see `shammah service logs`; `shammah why` knows what it answered") from error
        yield Away()
        return
    except (httpx2.HTTPError, msgspec.DecodeError) as error:
        raise _service_ended() from error
    if not has_outcome:
        raise _service_ended()


def _lines(response: "httpx2.Response") -> Iterator[bytes]:
    """Yield the lines of a response, without their ends.

    `iter_lines` would also break them at signs that JSON leaves as they are, such as U+2028 and U+0085.
    """
    rest = b""
    for piece in response.iter_bytes():
        *lines, rest = (rest + piece).split(b"\n")
        yield from lines
    yield rest


def _service_ended() -> BadStateError:
    return BadStateError("the service ended before it answered", "ask again; see `shammah service logs`")


def _as_error(failed: Failed) -> ShammahError:
    error = ShammahError(failed.message, failed.hint)
    error.exit_code = failed.exit_code
    return error


@contextmanager
def alone(home: Path, patience_s: float) -> Iterator[None]:
    """Keep the service out of the home, if one runs there.

    Raises:
        BadStateError: the service does not leave in time.
    """
    if not is_served(home):
        yield
        return
    import httpx2

    try:
        with _connected(home, patience_s) as client, client.stream("POST", "/own/away") as response:
            lines = response.iter_lines()  # closes the connection when it is dropped
            next(lines)
            yield
    except (httpx2.HTTPError, StopIteration) as error:
        raise BadStateError("the service does not release this home", "stop it: shammah service stop") from error


def get_json(home: Path, path: str, patience_s: float = CONNECT_S) -> Any:
    """Return the JSON that the service answers at `path`; None if no service answers in time."""
    import httpx2

    if not is_served(home):
        return None
    try:
        with _connected(home, patience_s) as client:
            return client.get(path).raise_for_status().json()
    except (httpx2.HTTPError, ValueError):
        return None


def tell_to_learn(home: Path) -> bool:
    """Have the home's service learn what other processes have stored; it may have unloaded its models.

    Return False if its learning has stopped, or it does not answer.
    """
    told = get_json(home, "/own/pending", STEP_S)
    return told is not None and told["pending"] is not None


def wait_until_learnt(home: Path) -> bool:
    """Wait until the home's service has learnt everything; return False if it does not, or does not answer."""
    while told := get_json(home, "/own/pending", STEP_S):
        pending: int | None = told["pending"]
        if not pending:
            return pending == 0
        time.sleep(POLL_S)
    return False


@contextmanager
def _connected(home: Path, patience_s: float | None = None) -> "Iterator[httpx2.Client]":
    import httpx2

    transport = httpx2.HTTPTransport(uds=str(home / SOCKET))
    timeout = httpx2.Timeout(patience_s, connect=CONNECT_S)
    with httpx2.Client(transport=transport, base_url=BASE_URL, timeout=timeout, trust_env=False) as client:
        yield client
