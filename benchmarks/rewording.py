"""Say a recorded reply in other words, without changing what it says.

Numbers, negations, code, flags, paths and quotations stay; tests check it. Nothing here knows the program's meter, so a
meter is not measured on its own rules.
"""

import json
import random
import re
from collections.abc import Callable

from benchmarks import phrases
from benchmarks.arrangement import arranged
from benchmarks.sentences import LISTED, NEGATION, NUMBER_WORDS, ORDERED, is_counted, outside_fixed, split

VERBATIM, LIGHT = 0.15, 0.3  # of Claude's own pairs a third are verbatim; below LIGHT only a courtesy changes
WORDS = 0.6  # share of the phrases replaced that could be: all of them would be a dialect
OPENED, CLOSED = (
    0.4,
    0.35,
)  # share of answers with a courtesy before, and after: more than in claude_home (few; a fifth)
SELDOM, EVEN, MOSTLY = 0.2, 0.5, 0.8  # chances of forms that Claude chooses seldom, as often as not, and mostly
LONGEST_UNKNOWN = 40  # words of a command whose program is not known
LONG = 250  # characters from which an answer may have an overview
NUMBER = re.compile(r"-?[$€£]?\d[\d,]*(?:\.\d+)?%?")
LABEL = re.compile(r"[a-z]+(?:_[a-z0-9]+)*")
_NAMES = """
alias awk bind brew cal cat cd chgrp chmod chown clear comm cp crontab curl cut date df diff dig du echo env fg file
find finger git grep groups gzip head history hostname ifconfig info jobs join kill ln ls man mkdir more mount mv
nohup ping popd printf ps pushd pwd read rename rm rmdir rsync screen sed seq set shift shopt sleep sort source split
ssh su sudo tail tar tee tmux top touch tr tree uname uniq unset watch wc which who xargs yum zcat
"""
PROGRAMS = frozenset(_NAMES.split())  # each starts a command even if no sign of a shell follows
SHELL = re.compile(r"(?:^|\s)--?[A-Za-z]|[|$*<>`~\\]|[\w.]/\w|^[./~]|\w=\S|^[({]|;$")
ASSIGNMENT = re.compile(r"\w+=\S")
SENTENCE = re.compile(
    r"[a-z]{2}[.!?]$|^(?:The|A|An|You|To|It|I|This)\b|[a-z], [a-z]|[.:!?] [A-Z][a-z]+ [a-z]|[a-z][.!?] \W*[A-Z]"
)
REQUEST = re.compile(
    r"^(?:please )?(?:write|draft|compose|create|implement|develop|imagine|pretend|describe|design|edit|struggling"
    r"|you are|picture|rewrite|summarize|translate|generate|given)\b",
    re.IGNORECASE,
)
DONE = re.compile(
    r"\b(?:I(?:'ve| have) (?:added|set|turned|paused|created)|(?:is|are) now (?:turned )?(?:on|off|open|closed)\b"
    r"|ha(?:s|ve) been (?:successfully )?(?:turned|set|opened|closed|locked|paused|unpaused|muted|started|stopped|added"
    r"|instructed|sent|changed|created))\b"
)
ASKED = re.compile(r"(?:what|who|how|where|when|why|which|is|are|can|does|do|should|will) [a-z' ]{8,70}\??")
COUNTED = (
    r"(?:hours?|days?|weeks?|months?|years?|minutes|people|times|ways|events|nights|types|kinds|reasons|factors|things"
    r"|items|tests|parts)"
)
IN_DIGITS = re.compile(
    rf"(?<![\w.,:/$#%-] )(?<![\w.,:/$#%-])([2-9]|1[0-2])(?= {COUNTED}\b)|(?<=[a-z] )([2-9]|1[0-2])(?= {COUNTED}\b)"
)
IN_WORDS = re.compile(rf"(?<=[a-z] )({'|'.join(NUMBER_WORDS)})(?= {COUNTED}\b)")
COUNT_BEFORE = re.compile(
    rf"(?:\d|\b(?:one|{'|'.join(NUMBER_WORDS)}|twenty|thirty|hundred|to|and|or|of))\W*(?:to|and|or|out of)?\s*$"
)
TERM = re.compile(r"^(\s*(?:[-*•]|\d+[.)])\s+)([A-Z][\w-]*(?: [\w'-]+){0,3})([:.])(?= )")
ENDS = re.compile(r"\b(?:let me know|feel free|hope this|hope that|sincerely|regards)\b", re.IGNORECASE)
COURTESY = re.compile(
    r"\s+(?:Is there anything else (?:I can help you with|you(?:'d| would) like me to (?:do|help you with))\?)$"
)


def reword(reply: str, question: str, *seed: object) -> str:
    """Return a reply in other words; the same seed gives the same words."""
    chance = random.Random("\0".join(map(str, seed)))
    text = reply.strip()
    if chance.random() < VERBATIM:
        return reply
    if NUMBER.fullmatch(text):
        return _framed(text, phrases.NUMBER_FRAMES, chance)
    if is_command(text):
        return _command(text, chance)
    if LABEL.fullmatch(text):
        return _label(text, chance)
    if _is_json(text):
        return _fenced(text, ("json", ""), phrases.JSON_LEADS, chance)
    if len(text.split()) <= 5 and "\n" not in text and text[-1] not in ".!?:;":
        return _framed(text, phrases.ANSWER_FRAMES, chance)
    return _prose(text, question, chance)


def is_command(text: str) -> bool:
    """Say whether a text is one command line, by its first word and its signs."""
    if "\n" in text or " " not in text.strip() or _is_json(text) or NUMBER.fullmatch(text):
        return False
    signs, told = bool(SHELL.search(text)), bool(SENTENCE.search(text))
    if text.split()[0] in PROGRAMS or ASSIGNMENT.match(text):
        return signs or not told
    return signs and not told and len(text.split()) < LONGEST_UNKNOWN


def _is_json(text: str) -> bool:
    try:
        return isinstance(json.loads(text), dict | list)
    except ValueError:
        return False


def _framed(text: str, frames: tuple[str, ...], chance: random.Random) -> str:
    frame = chance.choice(frames)
    said = frame.format(text)
    return f"{said}\n\n{chance.choice(phrases.SHORT_CLOSINGS)}" if chance.random() < SELDOM else said


def _label(text: str, chance: random.Random) -> str:
    if text in PROGRAMS or text in {"yes", "no", "maybe", "true", "false"}:
        return _framed(text, phrases.PLAIN_FRAMES, chance)
    may_start = "_" not in text and chance.random() < SELDOM
    return f"{text.capitalize()}." if may_start else _framed(text, phrases.LABEL_FRAMES, chance)


def _command(text: str, chance: random.Random) -> str:
    if "`" not in text and chance.random() < EVEN:
        said = chance.choice(
            (
                f"`{text}`",
                chance.choice(phrases.INLINE_COMMANDS).format(text),
                f"{chance.choice(phrases.COMMAND_LEADS)} `{text}`",
            )
        )
    else:
        said = _fenced(text, ("bash", "sh", "shell", ""), phrases.COMMAND_LEADS, chance)
    return f"{said}\n\n{chance.choice(phrases.SHORT_CLOSINGS)}" if chance.random() < SELDOM else said


def _fenced(text: str, languages: tuple[str, ...], leads: tuple[str, ...], chance: random.Random) -> str:
    block = f"```{chance.choice(languages)}\n{text}\n```"
    lead = f"{chance.choice(leads)}\n" + chance.choice(("", "\n"))
    return lead + block if chance.random() < MOSTLY else block


def _prose(text: str, question: str, chance: random.Random) -> str:
    """Return prose in other words: sentences moved or left out, phrases replaced, other markdown, courtesies."""
    request = bool(REQUEST.match(question))
    body = COURTESY.sub("", text)
    if chance.random() > (LIGHT - VERBATIM) / (1 - VERBATIM):
        if not request and not ORDERED.search(body) and "```" not in body:
            body = arranged(body, chance)
        body = outside_fixed(body, lambda part: _counts(_phrases(part, chance), chance))
        body = _marked(body, chance)
    ends = body.endswith(("?", "]]")) or bool(ENDS.search(body[-LONG:]))
    said = _opened(body, question, request, chance) if chance.random() < OPENED else body
    if not ends and chance.random() < CLOSED:
        said = _closed(said, chance)
    if said != text:
        return said
    return _opened(body, question, request, chance) if ends else _closed(body, chance)


def _closed(text: str, chance: random.Random) -> str:
    apart = "\n\n" if "\n" in text or len(text) >= LONG else " "
    return text + apart + chance.choice(phrases.DONE_CLOSINGS if DONE.search(text) else phrases.CLOSINGS)


def _opened(text: str, question: str, request: bool, chance: random.Random) -> str:
    if DONE.search(text.split(". ")[0]):
        return f"{chance.choice(phrases.DONE_OPENINGS)} {text}"
    if text.startswith(("Here", "Below", "Sure", "Certainly", "**", "#")):
        return text
    says_no_more = ASKED.fullmatch(question) and not NEGATION.search(question) and not is_counted(question)
    if says_no_more and not request and chance.random() < SELDOM:
        return f"As for your question, “{question}”:\n\n{text}"
    usual = phrases.OPENINGS + (phrases.LONG_OPENINGS if len(text) >= LONG else ())
    opening = chance.choice(phrases.REQUEST_OPENINGS if request else usual)
    apart = opening.startswith("#") or opening[-1] in ":*" or "\n" in text or bool(LISTED.match(text))
    return opening + ("\n\n" if apart else " ") + text


def _phrases(text: str, chance: random.Random) -> str:
    """Return the text with some of the interchangeable phrases exchanged."""

    def instead(replacements: tuple[str, ...]) -> Callable[[re.Match[str]], str]:
        def replace(found: re.Match[str]) -> str:
            if chance.random() > WORDS:
                return found.group()
            said = found.expand(chance.choice(replacements))
            return said[0].upper() + said[1:] if found.group()[0].isupper() else said

        return replace

    for pattern, replacements in phrases.PATTERNS:
        text = pattern.sub(instead(replacements), text)
    return text


def _counts(text: str, chance: random.Random) -> str:
    """Return the text with small counts of things written as digits or as words."""
    spelled = {str(value): word for value, word in enumerate(NUMBER_WORDS, 2)}
    digits = {word: figure for figure, word in spelled.items()}

    def other(found: re.Match[str]) -> str:
        among_numbers = COUNT_BEFORE.search(found.string[: found.start()])
        return found.group() if among_numbers or chance.random() > WORDS else {**spelled, **digits}[found.group()]

    pattern = IN_DIGITS if chance.random() < EVEN else IN_WORDS
    return pattern.sub(other, text)


def _marked(text: str, chance: random.Random) -> str:
    """Return the text with other markdown: bold terms in lists, another bullet, a bold first sentence."""
    lines = text.split("\n")
    if chance.random() < EVEN:
        lines = [TERM.sub(r"\1**\2\3**", line) for line in lines]
    if "```" not in text and chance.random() < EVEN:
        sign = chance.choice("-*•")
        lines = [re.sub(r"^(\s*)[-*•](?=\s)", rf"\1{sign}", line) for line in lines]
    first, *rest = split(lines[0]) or [""]
    bold = rest and len(first.split()) <= 12 and first.endswith(".") and not re.search(r"[*`#]", first)
    if bold and chance.random() < SELDOM:
        lines[0] = " ".join([f"**{first}**", *rest])
    return "\n".join(lines)
