"""Recognise a turn of a conversation that means the same without the turns before it.

Patterns over text, no model. They err towards "it leans on them": then Claude is asked with the whole conversation, and
nothing is lost but a call. What no word shows, such as a topic that goes on unnamed, they miss; so a local answer to
such a turn is checked before it is served (`framework.policy.may_stand`).
"""

import re
from collections.abc import Iterator, Sequence

from shammah_mlx.events import Exchange
from shammah_mlx.text.followups import EXPLETIVE, MANNER, leans_back
from shammah_mlx.text.kinds import kind_of
from shammah_mlx.text.languages import is_read
from shammah_mlx.text.normalize import straighten_quotes

_I = re.IGNORECASE
FEWEST, MOST = 3, 40  # words: a shorter turn is often a reply, a longer one brings things along
NEAR = 3  # words after "the" in which the noun comes that it points at

_WORD = re.compile(r"[^\W_]+(?:['+#.-]*[^\W_]+)*[+#]*")


def _set(words: str) -> frozenset[str]:
    return frozenset(words.split())


_BACK = _set(  # words that point at something said before, or go on from it
    """it that this these those they them he him his she her hers their theirs its your yours itself themselves
    another else again too also instead same such other others rest both either neither respectively above below
    previous previously earlier former latter further furthermore otherwise similarly likewise therefore hence thus
    then there here more less one ones none already still yet anyway alternatively"""
)
_THAN = _set(  # with nothing after "than" or "or" to compare with, what was said before is meant
    """better worse faster slower shorter longer simpler easier harder cheaper smaller larger bigger older newer higher
    lower safer cleaner nicer"""
)
_DEFINITE = _set("the my our")
_SPOKEN_OF = _set(  # with "the": parts of an answer or of what is being done, whether or not the word was said
    """answer reply question example step option point list code output error result problem solution sentence paragraph
    function script difference first second third fourth last next"""
)
_OWN = _set("of between for to in on from with that which where who whose when by at about")  # a noun says which it is
_FREE_KINDS = _set("time colour weekday month")  # a later question is not about these because an earlier one was

_ASKS = _set(  # before "I": a question about what to do, not a statement
    "do did can could should would must may might will shall am was have had"
)
_STATEMENT = _set("i'm i've i'd i'll we're we've we'd we'll")
_OWNED = _set("my our mine ours us myself")
_PART = r"(?:^|[,.!?;:-]\s*|\b(?:please|and|but|then|so|now) )"
_INSTRUCTION = re.compile(  # what is said about answers to come
    rf"{_PART}(?:use|be|keep|act|pretend|imagine|suppose|assume|assuming|remember|speak|talk|answer|reply|respond|call"
    r"|let's|let us|only|stop|don't|do not|you are|you're|given|note)\b"
    r"|\b(?:from now on|in (?:the )?future|always|never|for the rest|i mean|call me)\b",
    _I,
)
_MORE_THAN_A_QUESTION = re.compile(r"[.!?;:]\s+\S|[\n`\"]")


def is_self_contained(text: str, earlier: Sequence[Exchange]) -> bool:
    """Say whether a turn means the same without the `earlier` ones: it points at none, and none sets it a frame."""
    text = straighten_quotes(text).strip()
    words = _words(text)
    if not FEWEST <= len(words) <= MOST or not is_read(text) or leans_back(text) or _states(text, words):
        return False
    if _points_back(text, words) or any(asks_back(turn.answer) for turn in earlier):
        return False
    questions = [straighten_quotes(turn.question) for turn in earlier]
    if any(_sets_frame(question) for question in questions):
        return False
    said = {_stem(word) for turn in earlier for word in _words(f"{turn.question} {turn.answer}")}
    return not _means_something_said(words, said) and not _leaves_open(words, questions)


def asks_back(answer: str) -> bool:
    """Say whether an answer ends with a question, to which the next turn may be the reply."""
    return answer.rstrip(" \n*_)\"'`").endswith("?")


def _words(text: str) -> list[str]:
    return [match[0].lower() for match in _WORD.finditer(text)]


def _stem(word: str) -> str:
    return word.removesuffix("'s").removesuffix("s")


def _states(text: str, words: Sequence[str]) -> bool:
    """Say whether a text tells something about the user, or how to answer, or is more than one question."""
    if _MORE_THAN_A_QUESTION.search(text) or _INSTRUCTION.search(text):
        return True
    before = ("", *words)
    return any(
        word in _STATEMENT or (word in ("i", "we") and before[place] not in _ASKS) for place, word in enumerate(words)
    )


def _sets_frame(question: str) -> bool:
    """Say whether an earlier question may decide how later ones are meant or answered."""
    words = _words(question)
    return (
        len(words) > MOST or _states(question, words) or not _OWNED.isdisjoint(words) or bool(MANNER.search(question))
    )


def _points_back(text: str, words: Sequence[str]) -> bool:
    """Say whether a turn has a word that points at something said before; "it" may mean nothing."""
    if not {"than", "or"} & set(words) and not _THAN.isdisjoint(words):
        return True
    plain = EXPLETIVE.sub(" ", text.lower())
    plain = re.sub(r"\b(?:is|are|was|were) there\b|\bthere (?:is|are|was|were)\b", " ", plain)
    return any(word.removesuffix("'s") in _BACK for word in _words(plain))


def _means_something_said(words: Sequence[str], said: set[str]) -> bool:
    """Say whether "the" or "my" stands before a noun that was said, and nothing after it says which one it is."""
    for place, article in enumerate(words):
        if article not in _DEFINITE:
            continue
        for at, word in _noun_phrase(words, place):
            is_told = at + 1 < len(words) and words[at + 1] in _OWN
            if word in _SPOKEN_OF and words[at + 1 : at + 2] not in (["of"], ["between"]):
                return True
            if _stem(word) in said and not is_told:
                return True
    return False


def _noun_phrase(words: Sequence[str], place: int) -> Iterator[tuple[int, str]]:
    """Yield the next words after an article, up to the one that begins another part."""
    for at in range(place + 1, min(place + 1 + NEAR, len(words))):
        if words[at] in _OWN or words[at] in _DEFINITE:
            return
        yield at, words[at]


def _leaves_open(words: Sequence[str], questions: Sequence[str]) -> bool:
    """Say whether an earlier question named a system, a language or the like, and this one names none of that kind."""
    return not _kinds(words) >= {kind for question in questions for kind in _kinds(_words(question))} - _FREE_KINDS


def _kinds(words: Sequence[str]) -> set[str]:
    return {named[0] for word in words if (named := kind_of(word)) is not None}
