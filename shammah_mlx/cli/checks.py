"""Check what commands are given: texts, and files to write."""

from pathlib import Path

from shammah_mlx.errors import BadInputError


def check_outputs(stream: Path | None, *outputs: Path | None) -> None:
    """Check, before a long run, that the output files are writable; leave them unchanged.

    Raises:
        BadInputError: two of the files are the same.
        OSError: a file cannot be written.
    """
    paths = [path for path in outputs if path]
    files = [path for path in (stream, *paths) if path]
    if len({path.resolve() for path in files}) < len(files):
        raise BadInputError("the stream and the outputs must be different files", "give each of them its own path")
    for path in paths:
        existed = path.exists()
        path.open("ab").close()
        if not existed:
            path.unlink()


def check_text(name: str, text: str, limit: int) -> None:
    """Check that `text` is not too long and is valid UTF-8.

    Raises:
        BadInputError: it is too long, or not valid UTF-8.
    """
    if len(text.encode("utf-8", "replace")) > limit:  # an invalid byte counts as one
        hint = "shorten it, or raise max_query_bytes at the top of config.toml"
        raise BadInputError(f"{name} is longer than {limit:,} bytes", hint)
    check_unicode(name, text)


def check_unicode(name: str, text: str) -> None:
    """Check that `text` is valid UTF-8.

    Raises:
        BadInputError: it is not.
    """
    if not is_valid_unicode(text):
        raise BadInputError(f"{name} is not valid UTF-8", "convert it to UTF-8 first, for example with iconv")


def is_valid_unicode(text: str) -> bool:
    """Say whether the string can be encoded as UTF-8: it contains no lone surrogate."""
    try:
        text.encode("utf-8")
    except UnicodeEncodeError:
        return False
    return True
