"""Read the files of a question: text becomes a part of it, images and PDFs go to Claude beside it."""

import base64
from pathlib import Path

from shammah_mlx.errors import BadInputError
from shammah_mlx.events import Attachment, hash_63

_KINDS = (  # what Claude reads, by the first bytes
    (b"\x89PNG\r\n\x1a\n", "image/png"),
    (b"\xff\xd8\xff", "image/jpeg"),
    (b"GIF87a", "image/gif"),
    (b"GIF89a", "image/gif"),
    (b"%PDF-", "application/pdf"),
)
READABLE = "Claude reads UTF-8 text, PNG, JPEG, GIF, WebP and PDF"


def media_type(content: bytes) -> str | None:
    """Return the media type of an image or a PDF; None if it is neither."""
    if content.startswith(b"RIFF") and content[8:12] == b"WEBP":
        return "image/webp"
    return next((kind for mark, kind in _KINDS if content.startswith(mark)), None)


def read_file(path: str, limit: int) -> str | Attachment:
    """Return a text with its name around it, or the attachment.

    Raises:
        BadInputError: the file cannot be read, is longer than `limit` bytes, or is of a kind that Claude does not read.
    """
    try:
        with Path(path).expanduser().open("rb") as file:
            content = file.read(limit + 1)
    except (OSError, ValueError, RuntimeError) as error:
        reason = error.strerror if isinstance(error, OSError) else error
        raise BadInputError(f"{path} cannot be read: {reason}", "check the path behind -f") from error
    name = Path(path).name
    if len(content) > limit:
        raise BadInputError(f"{name} is longer than {limit:,} bytes", "Claude takes no larger file: give a part of it")
    if attached := as_attachment(name, content):
        return attached
    text = _as_text(content)
    if text is None:
        raise BadInputError(f"{name} is neither text nor an image or PDF", READABLE)
    return in_text(name, text)


def as_attachment(name: str, content: bytes) -> Attachment | None:
    """Return an image or a PDF as an attachment; None if it is neither."""
    kind = media_type(content)
    if kind is None:
        return None
    return Attachment(name, kind, len(content), hash_63(content), base64.b64encode(content).decode("ascii"))


def in_text(name: str, text: str) -> str:
    """Return a file's text as it stands in a question: between marks that say its name."""
    plain = "".join(letter for letter in name if letter.isprintable() and letter not in '<>"')
    return f'<file name="{plain}">\n{text.rstrip()}\n</file>'


def _as_text(content: bytes) -> str | None:
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError:
        return None
    return None if "\0" in text else text
