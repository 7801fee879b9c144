"""Take a text apart into sentences, and tell which of them may move, go or stand alone."""

import re
from collections.abc import Callable

ABBREVIATION = re.compile(
    r"(?:\b(?:e\.g|i\.e|etc|vs|Dr|Mr|Mrs|Ms|St|No|approx|a\.m|p\.m)\.|\b[A-Z]\.|(?:^|\\n)\d{1,2}\.|\.\.\.)[)\"']*$"
)
END = re.compile(r"(?:(?<=[.!?])|(?<=[.!?][\"”')\]])|(?<=\]\]))\s+(?=[A-Z“\"\[*(])")
FIXED = re.compile(
    r"(```.*?```|`[^`\n]+`|https?://\S+|\[\[.*?\]\]|\"[^\"\n]*\"|“[^”\n]*”|(?<!\w)'[^'\n]+'(?!\w)"
    r"|(?:(?<=\s)|^)[\w.~-]*[/_=\\][\w/.=~-]*|(?<!\w)--?\w[\w-]*)",
    re.DOTALL,
)
"""What stays as it is to the letter: code, addresses, quotations, paths, flags, offers in brackets."""
LISTED = re.compile(r"^\s*(?:[-*•]|\d+[.)])\s+")
_STARTS = (
    "I It They This That These Those Their Its He She His Her We Such There Here However But And Or Also Then So "
    "Yes No Thus Therefore Instead Otherwise Additionally Furthermore Moreover Finally First Second Third Next "
    "After Afterwards Before Both Either Neither Another Other Others Once Unlike Similarly Likewise Because "
    "Meanwhile Still Even Again Until Now Currently Overall Example Examples Please Remember While Although "
    "Despite Confirmed"
).replace(" ", "|")
_POINTS_BACK = (
    "these they them it its he she his him such also too again former latter above following another other others those"
).replace(" ", "|")
LEANS = re.compile(
    rf"^(?:{_STARTS}|In (?:addition|this|that|the past)|For (?:example|instance)|As (?:a result|such|well)|If so)\b"
    rf"|^(?:\[\[|\W)|\b(?:{_POINTS_BACK})\b"
    r"|(?<!so )\b(?:this|that) (?!(?:is|are|was|can|has|have|may|causes?|we|you)\b)"
)
"""Signs that a sentence leans on the one before: it may not move, nor may what it leans on."""
ORDERED = re.compile(r"^\s*\d+[.)]|\b(?:[Ff]irst|[Ss]tep|[Nn]ext|[Ff]inally|[Aa]fter that|[Tt]hen)\b", re.MULTILINE)
NUMBER_WORDS = ("two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve")
NEGATION = re.compile(
    r"\b(?:not|no|never|none|nor|neither|nothing|nobody|without|cannot|\w+n't|avoid|only)\b", re.IGNORECASE
)
DISPENSABLE = re.compile(
    r"^(?:\[\[(?:Would|Do) you|For (?:example|instance)|Remember|In summary|In conclusion|Overall|To sum up"
    r"|There is still a|Please (?:also )?(?:keep|continue|stay)|It is (?:still|always|also) (?:important"
    r"|recommended))\b"
)


def split(paragraph: str) -> list[str]:
    """Return the sentences of a paragraph, without the spaces between."""
    found: list[str] = []
    for piece in END.split(paragraph.strip()):
        if found and ABBREVIATION.search(found[-1]):
            found[-1] += f" {piece}"
        else:
            found.append(piece)
    return found


def outside_fixed(text: str, change: Callable[[str], str]) -> str:
    """Return the text with `change` applied to all that need not stay to the letter."""
    return "".join(part if place % 2 else change(part) for place, part in enumerate(FIXED.split(text)))


def stands_alone(sentence: str) -> bool:
    """Say whether a sentence is whole and means the same wherever it stands."""
    balanced = sentence.count("(") == sentence.count(")") and sentence.count('"') % 2 == 0
    return balanced and sentence.endswith(".") and len(sentence.split()) > 3 and not LEANS.search(sentence)


def is_dispensable(sentence: str) -> bool:
    """Say whether an answer says the same without this sentence: it has no number, no negation and no code."""
    decides = is_counted(sentence) or NEGATION.search(sentence) or "`" in sentence
    return bool(DISPENSABLE.match(sentence)) and not decides


def is_counted(text: str) -> bool:
    """Say whether a text has a number, in digits or in words."""
    return bool(re.search(rf"\d|\b(?:{'|'.join(NUMBER_WORDS)})\b", text, re.IGNORECASE))
