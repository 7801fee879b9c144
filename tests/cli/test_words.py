"""Words without quotes, options beside them, and the command that need not be named."""

import subprocess

import click
import pytest

from shammah_mlx.cli.ask import ask
from shammah_mlx.cli.default_command import with_command
from shammah_mlx.cli.main import main
from shammah_mlx.cli.words import MisplacedOptionError, how_to_ask, split, values_taken

CONTEXT = click.Context(main, info_name="shammah", **main.context_settings)
OWN = values_taken(main, CONTEXT)
ASKS = values_taken(ask, click.Context(ask, info_name="ask", parent=CONTEXT))


@pytest.mark.parametrize(
    ("arguments", "options", "words"),
    [
        ("how do I list files", "", "how do I list files"),
        ("-c and then", "-c", "and then"),
        ("-m claude-x --system brief hello you", "-m claude-x --system brief", "hello you"),
        ("--system=brief hello you", "--system=brief", "hello you"),
        ("-p language French -t translate good morning", "-p language French -t translate", "good morning"),
        ("-cm claude-x hello you", "-cm claude-x", "hello you"),
        ("-mclaude-x hello you", "-mclaude-x", "hello you"),
        ("what does tar -xzf do", "", "what does tar -xzf do"),
        ("-c -- what does grep -c do", "-c", "what does grep -c do"),
        ("hello --json", "--json", "hello"),
        ("hello -m claude-x -c", "-m claude-x -c", "hello"),
        ("explain -", "", "explain -"),
        ("2 - 1", "", "2 - 1"),
        ("", "", ""),
        ("--no-such hello", "--no-such", "hello"),
    ],
)
def test_options_and_words_are_told_apart(arguments: str, options: str, words: str) -> None:
    assert split(arguments.split(), ASKS) == (options.split(), words.split())


@pytest.mark.parametrize(
    ("arguments", "option"),
    [
        ("what does grep -c do", "-c"),
        ("what does git rebase --continue do", "--continue"),
        ("what does git config --system=x", "--system"),
        ("how do I list files --json", "--json"),
        ("ls -s mean what", "-s"),
    ],
)
def test_an_option_that_may_be_a_word_is_not_guessed(arguments: str, option: str) -> None:
    with pytest.raises(MisplacedOptionError, match=f"Is {option} an option, or a word"):
        split(arguments.split(), ASKS)


LIKE_COMMANDS = ("prompt engineering", "what -x means", "cat -n does what", "stat -L meaning", "ls -la shows what")


@pytest.mark.parametrize(
    "argument",
    ["- milk\n- eggs", "--- a/one\n+++ b/one", "-5 degrees", "-1", "-Wall", "--no-ff", "2>&1"],
)
def test_what_follows_a_question_in_quotes_may_be_text(argument: str) -> None:
    assert split(["explain this", argument], ASKS) == ([], ["explain this", argument])


@pytest.mark.parametrize(
    ("arguments", "option"),
    [
        (["how are you", "--josn"], "--josn"),
        (["how are you", "--josn=x", "again"], "--josn"),
        (["hi", "-m", "claude-x", "-n"], "-n"),
    ],
)
def test_an_option_with_a_typo_is_no_word_of_a_question_in_quotes(arguments: list[str], option: str) -> None:
    with pytest.raises(MisplacedOptionError, match=f"No such option: {option}\\."):
        split(arguments, ASKS)


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        (["how", "do", "I", "list", "files"], ["ask", "how", "do", "I", "list", "files"]),
        (["what is a monad?"], ["ask", "what is a monad?"]),
        (["monad"], ["ask", "monad"]),
        (["-c", "and then?"], ["ask", "-c", "and then?"]),
        (["--home", "x", "-m", "claude-x", "and then?"], ["--home", "x", "ask", "-m", "claude-x", "and then?"]),
        (["--", "status"], ["ask", "--", "status"]),
        (["why", "is", "the", "sky", "blue"], ["ask", "why", "is", "the", "sky", "blue"]),
        *((words.split(), ["ask", *words.split()]) for words in LIKE_COMMANDS),
        (["help"], ["--help"]),
        (["statsu report of my shop"], ["ask", "statsu report of my shop"]),
    ],
)
def test_ask_is_put_before_a_question(arguments: list[str], named: list[str]) -> None:
    assert with_command(arguments, OWN, ASKS, main.commands) == named


@pytest.mark.parametrize(
    "arguments",
    [
        *(["status"], ["status", "of", "my", "disk"], ["--home", "x", "status", "--json"], ["why"], ["why", "17"]),
        *(["why", "--json", "17"], ["-V"], ["--help"], ["--no-such", "x"], ["ask", "statsu"], ["--home"], []),
    ],
)
def test_a_command_stays_what_it_is(arguments: list[str]) -> None:
    assert with_command(arguments, OWN, ASKS, main.commands) == arguments


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["statsu"], 'Did you mean status?\nTo ask it as a question: shammah ask "statsu"'),
        (["statsu", "--json"], "Did you mean status?"),
        (["rolback", "400"], 'Did you mean rollback?\nTo ask it as a question: shammah ask "rolback 400"'),
        (["logs", "-n", "1"], "Did you mean log?"),
        (["logs", "list", "-n", "5"], "Did you mean log?"),
        (["keys", "set", "anthropic"], "Did you mean key?"),
        (["prompt", "what's up?"], 'Did you mean ask?\nTo ask it as a question: shammah ask "prompt what\'s up?"'),
        (["--json", "status"], "Options of 'status' stand after it: shammah status"),
    ],
)
def test_a_command_with_a_typo_costs_no_call(arguments: list[str], message: str) -> None:
    with pytest.raises(click.UsageError) as refused:
        with_command(arguments, OWN, ASKS, main.commands)
    assert message in refused.value.message


@pytest.mark.parametrize("text", ["good morning", "forget it", 'good "old" $HOME `ls` \\ days!', "bad luck, isn't it?"])
def test_what_was_typed_is_shown_as_a_shell_reads_it_as_one_question(text: str) -> None:
    command = how_to_ask(text.split(" ")).removeprefix("To ask it as a question: shammah ask ")
    done = subprocess.run(["bash", "-c", f"printf %s {command}"], capture_output=True, text=True, check=True)
    assert done.stdout == text


@pytest.mark.parametrize("words", [["log", "-x", "me"], ["status", "of " * 50], ["status", "of\nmy disk"]])
def test_what_is_long_or_has_options_is_not_repeated(words: list[str]) -> None:
    begins = f"To ask a question that begins with '{words[0]}': shammah ask {words[0]} …"
    assert how_to_ask(words) == begins


@pytest.mark.parametrize(("word", "meant"), [("history", "log"), ("list", "log"), ("login", "key")])
def test_a_word_that_other_programs_have_as_a_command_is_not_asked(word: str, meant: str) -> None:
    with pytest.raises(click.UsageError, match=f"Did you mean {meant}"):
        with_command([word], OWN, ASKS, main.commands)
    assert with_command([word, "of", "Rome"], OWN, ASKS, main.commands)[0] == "ask"


def test_what_continues_a_conversation_is_a_question() -> None:
    assert with_command(["-c", "more"], OWN, ASKS, main.commands) == ["ask", "-c", "more"]
    with pytest.raises(click.UsageError, match="Did you mean models"):
        with_command(["more"], OWN, ASKS, main.commands)
