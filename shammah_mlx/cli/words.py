"""Tell the words of a question from the options of the command. Pure, but for the command class that uses it.

`shammah ask how do I list files` needs no quotes. Options stand before the words; they may also follow a question that
is one argument. An option of ours after several words may be meant as a word (`what does grep -c do`), so nobody
guesses: that is an error, which costs no call.
"""

import difflib
import re
import shlex
from collections.abc import Mapping, Sequence
from typing import NamedTuple

import click

from shammah_mlx.display.console import one_line

ONE_LETTER = re.compile(r"-[A-Za-z]")
READ_IN_QUOTES = set('"\\$`!')  # what a shell reads between double quotes


class Parts(NamedTuple):
    """The arguments of a question."""

    options: list[str]  # with their values
    words: list[str]


class MisplacedOptionError(ValueError):
    """An option stands where a word of the question may be meant."""


def values_taken(command: click.Command, context: click.Context) -> dict[str, int]:
    """Return how many values each option of a command takes, by all its names."""
    return {
        name: 0 if option.is_flag or option.count else option.nargs
        for option in command.get_params(context)
        if isinstance(option, click.Option)
        for name in (*option.opts, *option.secondary_opts)
    }


def is_dashed(argument: str) -> bool:
    """Say whether an argument looks like an option."""
    return len(argument) > 1 and argument.startswith("-")


def values_after(argument: str, takes: Mapping[str, int]) -> int | None:
    """Return how many of the next arguments are values of this option; None if it is no known option."""
    if argument.startswith("--"):
        name, is_joined, _ = argument.partition("=")
        return None if name not in takes else max(0, takes[name] - bool(is_joined))
    if not is_dashed(argument) or f"-{argument[1]}" not in takes:
        return None
    for place, letter in enumerate(argument[1:], start=2):  # `-cm NAME` is `-c -m NAME`, and `-mNAME` is `-m NAME`
        if taken := takes.get(f"-{letter}", 0):
            return taken - bool(argument[place:])
    return 0


def how_to_ask(words: Sequence[str]) -> str:
    """Return a line that says how to ask what was typed as a question: whole, unless it has options or is long."""
    text = " ".join(words)
    if any(map(is_dashed, words)) or one_line(text) != text:
        return f"To ask a question that begins with {words[0]!r}: shammah ask {words[0]} …"
    quoted = shlex.quote(text) if set(text) & READ_IN_QUOTES else f'"{text}"'
    return f"To ask it as a question: shammah ask {quoted}"


def split(arguments: Sequence[str], takes: Mapping[str, int]) -> Parts:
    """Return options and words; what looks like an option and is none of ours is a word if it follows a word.

    Behind a question in quotes, or behind an option that follows the question, it may be a mistyped option.

    Raises:
        MisplacedOptionError: it is not clear what an option is.
    """
    options: list[str] = []
    words: list[str] = []
    place, closing = 0, ""  # `closing` is the option after the words
    while place < len(arguments):
        argument = arguments[place]
        place += 1
        if argument == "--":
            return Parts(options, [*words, *arguments[place:]])
        values = values_after(argument, takes)
        if values is None and (words or not is_dashed(argument)):
            if (closing or _is_quoted(words)) and _is_mistyped(argument, takes):
                raise _unknown(argument)
            if closing:
                raise _misplaced(closing)
            words.append(argument)
            continue
        if len(words) > 1:
            raise _misplaced(argument)
        closing = argument if words else ""
        options += arguments[place - 1 : place + (values or 0)]
        place += values or 0
    return Parts(options, words)


def _is_quoted(words: Sequence[str]) -> bool:
    """Say whether a question is one argument of several words, so that what follows is probably no part of it."""
    return len(words) == 1 and len(words[0].split()) > 1


def _is_mistyped(argument: str, takes: Mapping[str, int]) -> bool:
    """Say whether an argument is probably meant as an option: one letter, or nearly the name of one."""
    name = argument.partition("=")[0]
    return bool(ONE_LETTER.fullmatch(name) or (name.startswith("--") and difflib.get_close_matches(name, takes, 1)))


def _unknown(option: str) -> MisplacedOptionError:
    name = option.partition("=")[0]
    return MisplacedOptionError(f"No such option: {name}. As a word of the question it stands in the same quotes.")


def _misplaced(option: str) -> MisplacedOptionError:
    name = option.partition("=")[0]
    return MisplacedOptionError(
        f"Is {name} an option, or a word of the question? Options stand before the words. "
        "A question with such a word stands in quotes."
    )


class QuestionCommand(click.Command):
    """A command whose arguments are the words of a question."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Parse the options, and leave every word to the question."""
        try:
            options, words = split(args, values_taken(self, ctx))
        except MisplacedOptionError as error:
            if ctx.resilient_parsing:  # a shell completes what is being typed
                return super().parse_args(ctx, args)
            raise click.UsageError(str(error), ctx) from error
        return super().parse_args(ctx, [*options, "--", *words])
