"""Put a question together: words, files, standard input and a template are one question."""

from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

import click
import msgspec
from msgspec import UNSET

from shammah_mlx.cli import standard_input
from shammah_mlx.cli.attached import as_attachment, read_file
from shammah_mlx.cli.checks import check_unicode
from shammah_mlx.cli.standard_input import STDIN
from shammah_mlx.config import Config
from shammah_mlx.errors import BadInputError
from shammah_mlx.events import Attachment, Query
from shammah_mlx.home import templates
from shammah_mlx.teacher import context
from shammah_mlx.teacher.judge import asked_tokens, price_of


class Asked(msgspec.Struct, frozen=True):
    """What the command line says of a question."""

    words: Sequence[str]
    files: Sequence[str] = ()  # paths; `-` is standard input
    template: str | None = None
    parameters: Sequence[tuple[str, str]] = ()  # of the template
    system: str | None = None
    model: str | None = None


def read_question(asked: Asked, home: Path, config: Config, note: Callable[[str], None]) -> Query:
    """Return the question, with its attachments. `note` prints what the user may want to know while it is read.

    Raises:
        BadInputError: it is empty, is not text, or cannot fit into what Claude reads.
    """
    query = _filled(asked, home, *_read_parts(asked, note))
    check_query(query, config)
    return query


def check_query(query: Query, config: Config) -> None:
    """Check that a question is text, and that Claude can read it.

    Raises:
        BadInputError: it is empty, is not text, or cannot fit into what Claude reads.
    """
    for name, text in (("the query", query.text), ("--system", query.system), ("--model", query.model)):
        check_unicode(name, text or "")
    if not query.text.strip():
        raise BadInputError("the query is empty", 'ask something: shammah ask "What is a monad?"')
    _check_size(query, config)


def _read_parts(asked: Asked, note: Callable[[str], None]) -> tuple[str, tuple[Attachment, ...]]:
    """Return the text of words, files and standard input, and the attachments."""
    words = list(asked.words)
    is_asked_for = standard_input.is_asked_for(words, asked.files)
    if words[-1:] == [STDIN]:
        del words[-1]
    files = [read_file(path, context.MOST_REQUEST_BYTES) for path in asked.files if path != STDIN]
    texts = [" ".join(words).strip(), *(file for file in files if isinstance(file, str))]
    attachments = [file for file in files if isinstance(file, Attachment)]
    piped = _read_standard_input(note, is_asked_for=is_asked_for)
    if isinstance(piped, Attachment):
        attachments.append(piped)
    else:
        texts.append(piped)
    if attachments and not any(texts):
        raise click.UsageError("Say what Claude is to do with the file: shammah ask -f FILE what does this show")
    return _joined(texts), tuple(attachments)


def _read_standard_input(note: Callable[[str], None], *, is_asked_for: bool) -> str | Attachment:
    limit = context.MOST_REQUEST_BYTES
    content = standard_input.read(limit + 1, note, is_asked_for=is_asked_for)
    if len(content) > limit:
        raise BadInputError(f"standard input is longer than {limit:,} bytes", "Claude takes no more: give a part of it")
    text = content.decode("utf-8", "surrogateescape").strip("\r\n").rstrip()
    return as_attachment("standard input", content) or text


def _joined(texts: Iterable[str]) -> str:
    return "\n\n".join(filter(None, texts))


def _filled(asked: Asked, home: Path, text: str, attachments: tuple[Attachment, ...]) -> Query:
    """Return the question, by the template if there is one; what the command line says goes before it."""
    system, model = asked.system, asked.model
    if asked.template is not None:
        filled = templates.fill(templates.find(home, asked.template), text, dict(asked.parameters))
        text, system, model = filled.prompt, system or filled.system, model or filled.model
    elif asked.parameters:
        raise click.UsageError("--param gives a value to a template: name it with --template.")
    return Query(text.strip(), system, model, attachments=attachments or UNSET)


def _check_size(query: Query, config: Config) -> None:
    """Check that Claude can read the question.

    Raises:
        BadInputError: it cannot fit into the model's context, or into a request.
    """
    teacher, model = config.teacher, query.model or config.teacher.model
    if not context.can_fit(query, teacher):
        tokens, most = asked_tokens(query), context.context_tokens(model, teacher)
        hint = "give a part of it, or name a model that holds more with -m (teacher.contexts in config.toml)"
        raise BadInputError(f"the query has about {tokens:,} tokens, and {model} holds {most:,}", hint)
    if (size := context.request_bytes(query)) > context.MOST_REQUEST_BYTES:
        most_mb = context.MOST_REQUEST_BYTES / 1e6
        message = f"the question and its files take {size / 1e6:.0f} MB, and Claude takes {most_mb:.0f} MB at once"
        raise BadInputError(message, "leave out a file, or make images smaller")


def warning_of_length(query: Query, config: Config) -> str | None:
    """Return what to say before a question is sent that is too long to be learnt; None if it is not."""
    if query.size <= config.max_query_bytes:
        return None
    tokens = asked_tokens(query)
    price = price_of(query.model or config.teacher.model, tokens, 0, config.teacher.prices)
    costs = "of unknown price" if price is None else f"about ${price:.2f} to read"
    return f"A long question (about {tokens:,} tokens, {costs}): Claude answers it, and nothing of it is learnt."
