"""What `import` says of learning: who takes it up, and when nobody does."""

import json
import socketserver
import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager
from http.server import BaseHTTPRequestHandler
from pathlib import Path

import pytest

from shammah_mlx.home.journal import Journal
from shammah_mlx.server.protocol import SOCKET
from tests.command import Shammah
from tests.served import BOLD

pytestmark = pytest.mark.settings(BOLD)


@contextmanager
def answering(home: Path, status: int, body: bytes) -> Iterator[None]:
    """Answer every request on the home's socket with this."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(status)
            self.send_header("content-length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def address_string(self) -> str:
            return "here"

        def log_message(self, *_: object) -> None:
            pass

    with socketserver.UnixStreamServer(str(home / SOCKET), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        try:
            yield
        finally:
            server.shutdown()
            thread.join()


@pytest.mark.parametrize(
    ("status", "body", "takes_up"),
    [(200, b'{"pending": 1}', True), (200, b'{"pending": null}', False), (503, b"", False)],
)
def test_it_says_that_it_is_learnt_only_if_the_service_takes_it_up(
    shammah: Shammah, home: Path, tmp_path: Path, status: int, body: bytes, takes_up: bool
) -> None:
    with closing(Journal(home / "journal.db")) as journal:
        journal.note_pace(1, 3600.0)  # so slow that no command waits for it
        journal.commit(journal.progress())
    stream = tmp_path / "stream.jsonl"
    stream.write_text(json.dumps({"query": "what is a monad?", "reply": "A monoid."}))
    with answering(home, status, body):
        told = shammah("import", str(stream))
    assert told.exit_code == 0
    assert "Imported: 1. All of it is in the journal.\n" in told.stdout
    assert ("It goes on in the background" in told.stdout) is takes_up
    assert ("Learning is postponed until the next question." in told.stderr) is not takes_up


def test_an_empty_name_is_no_file(shammah: Shammah, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "stream.jsonl").write_text(json.dumps({"query": "what is a monad?", "reply": "A monoid."}))
    monkeypatch.chdir(tmp_path)
    failed = shammah("import", "")
    assert (failed.exit_code, "is empty" in failed.stderr) == (1, True)
