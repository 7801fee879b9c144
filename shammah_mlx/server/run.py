"""Run the service: sockets, signals, and the parts put together."""

import logging
import signal
import socket
from collections.abc import Coroutine, Iterator
from contextlib import AsyncExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from shammah_mlx.errors import BadInputError, BadStateError, ShammahError
from shammah_mlx.server.auth import token_of

if TYPE_CHECKING:
    import uvicorn
    from starlette.types import ASGIApp

    from shammah_mlx.config import ServiceConfig


A_LOOK_S = 1.0  # from one look whether the home is there to the next
LOOPBACK = "127.0.0.1"
LOCK = "serving"  # file in the home, locked by the process that serves it


async def serve(home: Path, flags: dict[str, Any], port: socket.socket | None) -> None:
    """Put the parts together, and serve until a signal ends it."""
    import anthropic  # noqa: F401  it takes a second or two, which nobody who asks is to wait for

    from shammah_mlx.server.app import web
    from shammah_mlx.server.limits import Gateway
    from shammah_mlx.server.local_api import LocalApi
    from shammah_mlx.server.prometheus import Counters
    from shammah_mlx.server.protocol import SOCKET
    from shammah_mlx.server.proxy import Proxy
    from shammah_mlx.server.service import Service
    from shammah_mlx.teacher.keys import find_credential

    log = logging.getLogger("shammah")
    log.setLevel(logging.INFO)
    async with AsyncExitStack() as opened:
        credential = find_credential(home)
        service = Service(home, flags, log.info)
        proxy = Proxy(credential, service.config.service.silence_s)
        opened.push_async_callback(proxy.close)
        gateway = Gateway(service, proxy, Counters())
        local_api = LocalApi(gateway, credential)
        server = _server(web(gateway, token_of(home), local_api.routes), service.config.service)
        await service.start()
        opened.push_async_callback(service.stop)
        own = opened.enter_context(_own_socket(home))
        log.info("serving %s%s", own.getsockname(), "" if port is None else f" and {_url(port)}")
        if credential is None:
            log.info("no key: nothing can be asked of Claude (shammah key set, then restart this)")
        lasting = local_api.audit_late(), service.until_it_dies(), _watch(home / SOCKET)
        await _run(server, [own, port] if port else [own], *lasting)
    log.info("ended; all is saved")


def _server(app: "ASGIApp", config: "ServiceConfig") -> "uvicorn.Server":
    """Return what serves, and ends in good order when it is told to."""
    import uvicorn

    server = uvicorn.Server(
        uvicorn.Config(
            app,
            log_config=None,
            access_log=False,
            lifespan="off",
            ws="none",
            date_header=False,  # Claude's own goes through
            server_header=False,
            proxy_headers=False,  # nobody in between is to be believed
            timeout_graceful_shutdown=config.patience_s,
        )
    )
    for ending in (signal.SIGTERM, signal.SIGINT):  # uvicorn raises them again when it has ended
        signal.signal(ending, lambda *_: setattr(server, "should_exit", True))
    return server


async def _run(server: "uvicorn.Server", sockets: list[socket.socket], *lasting: Coroutine[Any, Any, None]) -> None:
    """Serve, with what goes on beside it for ever.

    Raises:
        RuntimeError: that has ended, so something is wrong, and the system should start the service again.
        ShammahError: likewise, and it says why.
    """
    import asyncio

    tasks = [asyncio.create_task(work) for work in lasting]
    for task in tasks:
        task.add_done_callback(lambda _: setattr(server, "should_exit", True))
    await server.serve(sockets=sockets)
    for task in tasks:
        task.cancel()
    for ended in await asyncio.gather(*tasks, return_exceptions=True):
        if isinstance(ended, ShammahError):
            raise ended
        if not isinstance(ended, asyncio.CancelledError):
            raise RuntimeError("a part of the service has died") from ended


@contextmanager
def hold_serving_lock(home: Path) -> Iterator[None]:
    """Hold the lock of the one process that serves a home.

    Raises:
        BadStateError: another process holds it.
    """
    from filelock import FileLock, Timeout

    try:
        with FileLock(home / LOCK, blocking=False):
            yield
    except Timeout as error:
        from shammah_mlx.server import client

        health = client.told(home, "/health")
        process = f" by process {health['process']}" if health else ""
        raise BadStateError(f"{home} is being served already{process}", "end that one first") from error


@contextmanager
def listening_on(port: int) -> Iterator[socket.socket]:
    """Yield a socket bound to this port of 127.0.0.1; 0 lets the system choose the port.

    Raises:
        BadInputError: the port cannot be used.
    """
    with socket.socket() as listening:
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listening.bind((LOOPBACK, port))
        except OSError as error:
            raise BadInputError(f"port {port} cannot be used: {error.strerror}", "give --tcp another") from error
        yield listening


@contextmanager
def _own_socket(home: Path) -> Iterator[socket.socket]:
    """Listen in the home, where only its owner may connect."""
    from shammah_mlx.server.protocol import SOCKET

    path = home / SOCKET
    path.unlink(missing_ok=True)  # of one that was killed: this is the only one
    with socket.socket(socket.AF_UNIX) as own:
        try:
            own.bind(str(path))
        except OSError as error:
            hint = "the path of the home is too long for a socket: use a shorter --home"
            raise BadInputError(f"{path} cannot be used: {error}", hint) from error
        path.chmod(0o600)
        made = path.stat().st_ino
        try:
            yield own
        finally:
            if _is_still(path, made):
                path.unlink()


def _is_still(path: Path, inode: int) -> bool:
    """Say whether a file is the one that was made, and not another's of that name."""
    return path.exists() and path.stat().st_ino == inode


async def _watch(path: Path) -> None:
    """Go on for as long as a file is there, and no other in its place.

    Raises:
        BadStateError: it is not.
    """
    import asyncio

    made = path.stat().st_ino
    while _is_still(path, made):
        await asyncio.sleep(A_LOOK_S)
    raise BadStateError(f"{path.parent} was deleted or replaced", "start the service again: it makes a new one")


def _url(port: socket.socket) -> str:
    return f"http://{LOOPBACK}:{port.getsockname()[1]}"
