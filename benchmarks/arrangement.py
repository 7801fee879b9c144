"""Put the sentences and the list items of an answer in another order or form, where none depends on it."""

import random
import re

from benchmarks import phrases
from benchmarks.sentences import LEANS, LISTED, is_dispensable, split, stands_alone

FEWEST_TO_DROP = 5  # sentences; of a shorter answer each may be the one that was asked for
FEWEST_BULLETS = 3
OFTEN = 0.6  # chance of each change where it is possible
RARELY = 0.15  # of a note before a sentence: two in one answer would read oddly
SERIES = re.compile(r"(?<=[a-z]): ([a-z][^.:;()\[\]\"]*)\.$")
OPENER = re.compile(r"^(?:The|A|An|Most|Some|Many|People|Older|Wearing|Proper|Masks|Respiratory|Schools|Patients)\b")
BULLET = re.compile(r"^[-*•]\s+")


def arranged(text: str, chance: random.Random) -> str:
    """Return an answer with sentences and items in another order or form, perhaps without a dispensable sentence."""
    lines = _other_order(_as_sentence(text.split("\n"), chance), chance)
    return "\n".join(_arranged(line, chance) for line in lines)


def _arranged(paragraph: str, chance: random.Random) -> str:
    """Return a paragraph with a sentence less, two exchanged, a note before one, or as a list."""
    if not paragraph.strip() or LISTED.match(paragraph) or paragraph.startswith(("#", "|", "    ")):
        return paragraph
    sentences = split(paragraph)
    if len(sentences) < 2:
        return _series(paragraph, chance)
    sentences = _without_one(sentences, chance)
    sentences = _exchanged(sentences, chance)
    sentences = [_noted(one, chance) for one in sentences]
    return _joined([_series(one, chance) for one in sentences], chance)


def _without_one(sentences: list[str], chance: random.Random) -> list[str]:
    """Leave out a dispensable sentence that no other leans on."""
    places = [
        place
        for place, sentence in enumerate(sentences)
        if place and is_dispensable(sentence) and (place + 1 == len(sentences) or _free(sentences[place + 1]))
    ]
    if len(sentences) < FEWEST_TO_DROP or not places or chance.random() > OFTEN:
        return sentences
    gone = chance.choice(places)
    return sentences[:gone] + sentences[gone + 1 :]


def _free(sentence: str) -> bool:
    return stands_alone(sentence) or sentence.startswith("[[")


def _exchanged(sentences: list[str], chance: random.Random) -> list[str]:
    """Exchange two neighbours that stand alone, if what follows them does too."""
    places = [
        place
        for place in range(1, len(sentences) - 1)
        if stands_alone(sentences[place])
        and stands_alone(sentences[place + 1])
        and (place + 2 == len(sentences) or _free(sentences[place + 2]))
    ]
    if not places or chance.random() > OFTEN:
        return sentences
    place = chance.choice(places)
    return [*sentences[:place], sentences[place + 1], sentences[place], *sentences[place + 2 :]]


def _noted(sentence: str, chance: random.Random) -> str:
    """Put "please note that" before a plain statement, now and then."""
    if not stands_alone(sentence) or not OPENER.match(sentence) or chance.random() > RARELY:
        return sentence
    return f"{chance.choice(phrases.NOTES)} {sentence[0].lower()}{sentence[1:]}"


def _series(sentence: str, chance: random.Random) -> str:
    """Write the series that ends a sentence ("…: this, that and more.") as a list."""
    found = SERIES.search(sentence)
    if not found or chance.random() > OFTEN or re.search(r"\b(?:or|such as|like|including)\b", found[1]):
        return sentence
    items = [item.strip().removeprefix("and ") for item in found[1].split(",")]
    if len(items) < FEWEST_BULLETS or any(len(item.split()) > 5 or " and " in item for item in items):
        return sentence
    sign = chance.choice("-*•")
    return sentence[: found.start() + 1] + "\n" + "\n".join(f"{sign} {item}" for item in items)


def _as_sentence(lines: list[str], chance: random.Random) -> list[str]:
    """Write a list of a few words each as the end of the sentence before it."""
    places = [place for place, line in enumerate(lines) if BULLET.match(line)]
    if len(places) < FEWEST_BULLETS or places[-1] - places[0] != len(places) - 1 or chance.random() > OFTEN:
        return lines
    items = [BULLET.sub("", lines[place]).strip() for place in places]
    before = places[0] - 1
    plain = all(len(item.split()) <= 5 and not re.search(r"[.,;:!?]|\b(?:and|or)\b", item) for item in items)
    if before < 0 or not lines[before].rstrip().endswith(":") or not plain:
        return lines
    said = f"{lines[before].rstrip()} {', '.join(items[:-1])} and {items[-1]}."
    return [*lines[:before], said, *lines[places[-1] + 1 :]]


def _other_order(lines: list[str], chance: random.Random) -> list[str]:
    """Exchange two neighbours of a list without numbers, if neither leans on the other."""
    places = [place for place, line in enumerate(lines) if BULLET.match(line)]
    if len(places) < FEWEST_BULLETS or chance.random() > OFTEN:
        return lines
    if any(line.strip() and not BULLET.match(line) for line in lines[places[0] : places[-1]]):
        return lines  # an item of several paragraphs
    first = chance.randrange(len(places) - 1)
    one, other = places[first], places[first + 1]
    if any(LEANS.search(split(BULLET.sub("", lines[place]))[0]) for place in (one, other)):
        return lines
    exchanged = list(lines)
    exchanged[one], exchanged[other] = lines[other], lines[one]
    return exchanged


def _joined(sentences: list[str], chance: random.Random) -> str:
    """Join sentences to one paragraph or two, those in a row that stand alone perhaps as a list."""
    run = _longest_run([stands_alone(sentence) and "\n" not in sentence for sentence in sentences])
    in_one_line = any(re.search(r": [A-Z]", sentence) for sentence in sentences)  # a list begins there already
    if len(run) >= FEWEST_BULLETS and not in_one_line and chance.random() > OFTEN:
        sign = chance.choice("-*•")
        bullets = "\n".join(f"{sign} {sentences[place]}" for place in run)
        parts = [" ".join(sentences[: run[0]]), bullets, " ".join(sentences[run[-1] + 1 :])]
        return "\n\n".join(part for part in parts if part)
    break_at = chance.randrange(1, len(sentences)) if len(sentences) > 3 and chance.random() > OFTEN else 0
    text = ""
    for place, sentence in enumerate(sentences):
        apart = "\n\n" if place == break_at or "\n" in sentences[place - 1] else " "
        text += apart + sentence if place else sentence
    return text


def _longest_run(wanted: list[bool]) -> range:
    """Return the places of the longest run of True after the first place."""
    best, start = range(0), 1
    for place in range(1, len(wanted) + 1):
        if place == len(wanted) or not wanted[place]:
            best = max(best, range(start, place), key=len)
            start = place + 1
    return best
