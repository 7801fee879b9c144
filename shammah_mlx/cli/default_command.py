"""Ask where no command is named: `shammah how do I list files`, `shammah -c "and then?"`, `git diff | shammah`.

The first word is a command if it is the name of one. `shammah ask` asks whatever the words are.
"""

import difflib
from collections.abc import Collection, Mapping, Sequence
from typing import Any

import click

from shammah_mlx.cli.group import Group
from shammah_mlx.cli.standard_input import may_have_input
from shammah_mlx.cli.words import MisplacedOptionError, how_to_ask, is_dashed, split, values_after, values_taken

ASK, HELP, VERSION = "ask", "help", "version"
CONTINUE = ("-c", "--continue")
QUESTION_WORDS = {"why"}  # commands whose names begin questions: with two words or more behind it, it is one
ELSEWHERE = {  # commands of other programs, and what they are called here
    "list": "log",
    "ls": "log",
    "history": "log",
    "search": "log",
    "keys": "key",
    "logs": "log",
    "login": "key",
    "settings": "config",
    "prompt": "ask",
    "stats": "status",
    "delete": "forget",
}
OF_LLM = {("keys", "set"), ("keys", "get"), ("keys", "list"), ("logs", "list"), ("logs", "path")}
ALIKE, NEARLY_SAME = 0.6, 0.8  # ratio of difflib: for a word that stands alone, and for one before another word


class DefaultGroup(Group):
    """A group whose command `ask` needs no name."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Put `ask` before a question; with nothing to ask, show the help."""
        asks = values_taken(self.commands[ASK], click.Context(self.commands[ASK], parent=ctx))
        own = values_taken(self, ctx)
        named = with_command(args, own, asks, self.commands, is_whole=not ctx.resilient_parsing)
        if named == args and not ctx.resilient_parsing and not _names_anything(args, own):
            named = [*args, ASK] if may_have_input() else ["--help"]
        return super().parse_args(ctx, named)

    def run_command(self, ctx: click.Context) -> Any:
        """Run the command; if its arguments are wrong, say how to ask a question that begins like it."""
        words = list(ctx.args)  # now: Click clears them
        try:
            return super().run_command(ctx)
        except click.NoSuchOption:
            raise
        except click.UsageError as error:
            name = error.ctx.info_name if error.ctx and error.ctx.parent is ctx else None
            if name is None or name == ASK or all(map(is_dashed, words)):
                raise
            raise click.UsageError(f"{error.format_message()}\n{how_to_ask([name, *words])}", error.ctx) from error


def with_command(
    arguments: Sequence[str],
    own: Mapping[str, int],
    asks: Mapping[str, int],
    commands: Collection[str],
    *,
    is_whole: bool = True,
) -> list[str]:
    """Return the arguments with `ask` where the command's name is missing; as they are if it is not.

    `own` and `asks` are the options before a command's name and those of `ask`, with the number of their values. They
    are not whole while a shell completes them: no word is checked then.

    Raises:
        click.UsageError: a command is probably meant, but its name is misspelt, or its options are misplaced.
    """
    place = _after_options(arguments, own)
    before, rest = list(arguments[:place]), list(arguments[place:])
    if not rest or (rest[0] in commands and not _is_question(rest, asks)):
        return [*before, *rest]
    if rest[0] == HELP and (len(rest) == 1 or (len(rest) == 2 and rest[1] in commands)):
        return [*before, *rest[1:], "--help"]
    if rest == [VERSION]:
        return [*before, "--version"]
    if is_dashed(rest[0]) and rest[0] != "--" and values_after(rest[0], asks) is None:
        return [*before, *rest]  # no option of anything; Click says so
    if is_whole:
        _check_spelling(rest, asks, commands)
    return [*before, ASK, *rest]


def _after_options(arguments: Sequence[str], own: Mapping[str, int]) -> int:
    """Return the place behind the options that stand before a command's name; beyond the end if a value is missing."""
    place = 0
    while place < len(arguments) and (values := values_after(arguments[place], own)) is not None:
        place += 1 + values
    return place


def _names_anything(arguments: Sequence[str], own: Mapping[str, int]) -> bool:
    """Say whether there is more than options with values, such as `--home`: those without show help or version."""
    flags = [name for name, values in own.items() if values == 0]
    return _after_options(arguments, own) != len(arguments) or any(name in arguments for name in flags)


def _is_question(arguments: Sequence[str], asks: Mapping[str, int]) -> bool:
    """Say whether a command's name only begins a question, as in "why is the sky blue"."""
    words = [argument for argument in arguments[1:] if not is_dashed(argument)]
    return arguments[0] in QUESTION_WORDS and len(words) > 1 and values_after(arguments[1], asks) is None


def _check_spelling(arguments: Sequence[str], asks: Mapping[str, int], commands: Collection[str]) -> None:
    """Check that a question is not a command with a typo, which would cost a call.

    Raises:
        click.UsageError: it probably is.
    """
    try:
        words = split(arguments, asks).words
    except MisplacedOptionError:
        return  # `ask` says so
    if "--" in arguments or not words:
        return
    has_only_options = words[0] == arguments[0] and all(is_dashed(word) or word.isdigit() for word in words[1:])
    is_alone = len(words) == 1 or has_only_options  # `logs -n 1`
    if len(words) > 2 and not is_alone and not _is_of_llm(words):
        return
    if arguments[0] in CONTINUE and words[0] not in commands:
        return  # no command continues a conversation: `-c more`
    if len(words) == 1 and words[0] in commands:
        raise click.UsageError(f"Options of {words[0]!r} stand after it: shammah {words[0]} …")
    if words[0] in ELSEWHERE and (is_alone or _is_of_llm(words)):
        meant = [ELSEWHERE[words[0]]]
    else:
        meant = difflib.get_close_matches(words[0], commands, 1, ALIKE if is_alone else NEARLY_SAME)
    if meant and words[0] not in commands:
        raise click.UsageError(f"There is no command {words[0]!r}. Did you mean {meant[0]}?\n{how_to_ask(words)}")


def _is_of_llm(words: Sequence[str]) -> bool:
    """Say whether words are a command of simonw's llm: `keys set anthropic`, `prompt "how are you"`."""
    is_prompt = words[0] == "prompt" and len(words) == 2 and len(words[1].split()) > 1
    return is_prompt or tuple(words[:2]) in OF_LLM
