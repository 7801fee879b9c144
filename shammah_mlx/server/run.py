"""Run the service: create its parts, listen on its sockets, end on a signal."""

import logging
import os
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


HOME_POLL_S = 1.0  # between two checks whether the home still exists
LOG_POLL_S = 5.0  # between two looks at the length of the log
MOST_LOG_BYTES = 10_000_000
STDERR = 2
LOOPBACK = "127.0.0.1"
LOCK = "serving"  # file in the home, locked by the process that serves it


async def serve(home: Path, flags: dict[str, Any], port: socket.socket | None, *, sign_in: bool = False) -> None:
    """Serve a home until a signal ends it; with `sign_in`, clients may sign in to Claude themselves."""
    log = logging.getLogger("shammah")
    log.setLevel(logging.INFO)
    log.info("loading the models of %s", home)  # with them the packages
    import anthropic  # noqa: F401  it takes a second or two, so no client should wait for it

    from shammah_mlx.learners import learning_thread
    from shammah_mlx.server.app import Gateway, make_app
    from shammah_mlx.server.credentials import ClientCredentials
    from shammah_mlx.server.limits import Limits
    from shammah_mlx.server.local_api import LocalApi
    from shammah_mlx.server.prometheus import Counters
    from shammah_mlx.server.protocol import SOCKET
    from shammah_mlx.server.proxy import Proxy
    from shammah_mlx.server.service import Service
    from shammah_mlx.teacher.keys import find_credential

    async with AsyncExitStack() as opened:
        credential = find_credential(home)
        service = Service(home, flags, log.info, credential)
        proxy = Proxy(credential, service.config.service.silence_s)
        opened.push_async_callback(proxy.close)
        counters = Counters()
        limits = Limits(service.config.service, counters)
        local_api = LocalApi(service, limits, counters, credential)
        credentials = ClientCredentials(token_of(home), sign_in=sign_in)
        gateway = Gateway(service, proxy, limits, counters, local_api.consult, credentials)
        app = make_app(gateway, local_api.routes)
        server = _make_server(app, service.config.service)
        learning_thread.go_last()
        await service.start()
        opened.push_async_callback(service.stop)
        own = opened.enter_context(_own_socket(home))
        sockets = [own, port] if port else [own]
        for each in sockets:
            each.listen()  # who reads the next line may connect at once
        log.info("serving %s%s", own.getsockname(), "" if port is None else f" and {_url(port)}")
        if credential is None:
            log.info("no API key, so Claude cannot be asked: run `shammah key set`, then restart the service")
        background = local_api.audit_late(), service.until_worker_ends(), _watch(home / SOCKET), _keep_log_short()
        await _run(server, sockets, *background)
    log.info("ended; everything is saved")


def _make_server(app: "ASGIApp", config: "ServiceConfig") -> "uvicorn.Server":
    """Return a server that ends in good order on SIGTERM and SIGINT."""
    import uvicorn

    from shammah_mlx.server.connections import Connection, allow_files

    allow_files()
    server = uvicorn.Server(
        uvicorn.Config(
            app,
            http=Connection,
            log_config=None,
            access_log=False,
            lifespan="off",
            ws="none",
            date_header=False,  # Claude's own is passed on
            server_header=False,
            proxy_headers=False,  # no proxy in front of us is trusted
            timeout_graceful_shutdown=config.patience_s,
        )
    )
    for number in (signal.SIGTERM, signal.SIGINT):  # uvicorn raises them again after it has ended
        signal.signal(number, lambda *_: setattr(server, "should_exit", True))
    return server


async def _run(server: "uvicorn.Server", sockets: list[socket.socket], *background: Coroutine[Any, Any, None]) -> None:
    """Serve, and run background work that should never end.

    Raises:
        RuntimeError: background work ended, so the process should be started again.
        ShammahError: likewise, with the reason.
    """
    import asyncio

    tasks = [asyncio.create_task(work) for work in background]
    for task in tasks:
        task.add_done_callback(lambda _: setattr(server, "should_exit", True))
    await server.serve(sockets=sockets)
    for task in tasks:
        task.cancel()
    for ended in await asyncio.gather(*tasks, return_exceptions=True):
        if isinstance(ended, ShammahError):
            raise ended
        if not isinstance(ended, asyncio.CancelledError):
            raise RuntimeError("a background task of the service ended unexpectedly") from ended


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

        health = client.get_json(home, "/health")
        process = f" by process {health['process']}" if health else ""
        raise BadStateError(f"{home} is already served{process}", "end that service first") from error


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
            raise BadInputError(
                f"port {port} cannot be used: {error.strerror}", "choose another port with --tcp"
            ) from error
        yield listening


@contextmanager
def _own_socket(home: Path) -> Iterator[socket.socket]:
    """Yield a socket bound in the home; only the owner of the home may connect."""
    from shammah_mlx.server.protocol import SOCKET

    path = home / SOCKET
    path.unlink(missing_ok=True)  # left by a service that was killed: the lock says that no other runs
    with socket.socket(socket.AF_UNIX) as own:
        try:
            own.bind(str(path))
        except OSError as error:
            hint = "the path of the home is too long for a socket: use a shorter --home"
            raise BadInputError(f"{path} cannot be used: {error}", hint) from error
        path.chmod(0o600)
        inode = path.stat().st_ino
        try:
            yield own
        finally:
            if _is_still(path, inode):
                path.unlink()


def _is_still(path: Path, inode: int) -> bool:
    """Say whether a path still names the same file."""
    return path.exists() and path.stat().st_ino == inode


async def _watch(path: Path) -> None:
    """Wait until a file of the home is deleted or replaced.

    Raises:
        BadStateError: it was.
    """
    import asyncio

    inode = path.stat().st_ino
    while _is_still(path, inode):
        await asyncio.sleep(HOME_POLL_S)
    raise BadStateError(f"{path.parent} was deleted or replaced", "start the service again: it creates a new home")


async def _keep_log_short() -> None:
    """Empty the log whenever it is too long: the system that runs the service appends to it for ever."""
    import asyncio
    import fcntl
    import stat

    while True:
        found = os.fstat(STDERR)
        is_appended_to = stat.S_ISREG(found.st_mode) and fcntl.fcntl(STDERR, fcntl.F_GETFL) & os.O_APPEND
        if is_appended_to and found.st_size > MOST_LOG_BYTES:
            os.ftruncate(STDERR, 0)
        await asyncio.sleep(LOG_POLL_S)


def _url(port: socket.socket) -> str:
    return f"http://{LOOPBACK}:{port.getsockname()[1]}"
