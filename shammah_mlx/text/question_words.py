"""List what the comparison of questions knows of English: words that only ask, opposites and synonyms.

They add to `lexicon`, whose synonyms the meter uses too: to remove and to wipe are one action in a question, and may be
two in an answer.
"""

from collections.abc import Iterable

from shammah_mlx.text import lexicon

# fmt: off
SCAFFOLD = frozenset((  # words that ask, greet or urge; they say nothing about what is asked
    "how", "what", "which", "where", "when", "why", "who", "whose", "can", "could", "would", "should", "do", "does",
    "did", "is", "are", "was", "were", "be", "been", "being", "am", "will", "i", "me", "my", "mine", "we", "us",
    "our", "you", "your", "it", "its", "this", "that", "these", "those", "there", "here", "they", "them", "their",
    "a", "an", "the", "of", "and", "or", "if", "so", "please", "thanks", "hi", "hello", "way", "ways", "command",
    "commands", "tell", "need", "want", "know", "like", "get", "got", "getting", "best", "right", "correct", "proper",
    "quick", "quickly", "easy", "easily", "simple", "simplest", "shortest", "fast", "possible", "anyone", "someone",
    "something", "anything", "help", "using", "use", "used", "usage", "have", "has", "had", "just", "only", "some",
    "any", "one", "ones", "thing", "things", "good", "nice", "actually", "really", "again", "exactly", "exact",
    "whats", "hows", "im", "ive", "id", "lets", "let", "try", "trying", "tried", "go", "going", "gone", "say", "says",
    "put", "with", "for", "at", "by", "as", "about", "too", "very", "also", "still", "now", "then", "than", "but",
    "not", "no", "however", "because", "since", "while", "during", "whenever", "always", "question", "rule", "trick",
    "tip", "example", "answer", "syntax", "shortcut", "method", "option", "work", "works", "working", "supposed",
    "able", "there's", "without", "into", "from", "to", "in", "on", "onto", "out", "up", "off", "over", "under",
    "through", "more", "most", "much", "many", "long", "often", "make", "makes", "making", "explain", "explanation",
    "terminal", "shell", "prompt", "cli", "line", "console",
))
_OPPOSITES = (
    "key value", "view hide", "display hide", "reveal hide", "give take", "grant revoke", "keep discard", "keep drop",
    "keep lose", "keep delete", "keep throw", "show hide", "soft hard", "visible invisible", "mount unmount",
    "extract compress", "extract pack", "unpack pack", "connect disconnect", "raw cooked", "ipv4 ipv6",
    "wifi ethernet", "prevent force", "prevent cause", "accept decline", "wake sleep", "prevent allow", "stop keep",
    "gain lose", "mild severe", "adult baby", "indoor outdoor", "uncommit commit", "undo redo", "merge rebase",
    "fetch push", "copy move", "copy cut", "minimize maximize", "shrink grow", "attach detach", "create delete",
    "create remove", "add delete", "add drop", "insert drop", "install remove", "forward backward", "client server",
    "host guest", "single multiple", "symlink hardlink", "fresh dried", "fresh frozen", "sweet salted", "sharp dull",
    "symmetric asymmetric", "shallow deep", "hot cold", "partial whole", "partial full", "selection whole",
    "selected whole", "region full",
)
_SAME = (
    "delete remove drop rm wipe erase nuke clear flush purge empty", "undo revert reset",
    "folder directory dir subfolder subdirectory", "extract unpack decompress uncompress unzip", "compress zip pack",
    "picture image photo png", "run execute start launch", "file document", "app application program process",
    "kill end quit terminate close stop", "print display show list output view see", "make create generate new build",
    "find search locate look grep", "change convert turn transform translate", "sort order rank arrange",
    "repo repository project", "last latest newest recent previous", "screenshot screengrab snip capture grab",
    "size big large space", "computer machine laptop pc", "difference between vs versus or",
    "freeze frozen hang hung stuck", "coronavirus covid", "symptom sign", "spread transmit transmission",
    "phone mobile smartphone", "big bigger large larger greater high higher", "small smaller lesser low lower",
    "money cash", "car vehicle", "copy duplicate", "add append insert", "text string phrase word", "current present",
    "begin start", "modify change edit", "permission right mode", "count number", "treat treatment cure",
    "dangerous harmful",
)
# fmt: on
_NONE: frozenset[int] = frozenset()


def _groups_of(groups: Iterable[str]) -> dict[str, frozenset[int]]:
    found: dict[str, set[int]] = {}
    for number, group in enumerate(groups):
        for word in group.split():
            found.setdefault(lexicon.base(word), set()).add(number)
    return {word: frozenset(numbers) for word, numbers in found.items()}


SAME_OF = _groups_of(_SAME)
"""The numbers of the groups of synonyms that a base form is in."""
_PAIRS = {
    frozenset(lexicon.base(word) for word in pair)
    for pair in (*lexicon.OPPOSITES, *(pair.split() for pair in _OPPOSITES))
}
WITH_OPPOSITE = frozenset().union(*_PAIRS) | lexicon.EXCLUSIVE_GROUPS_OF.keys()
"""The base forms that some other one excludes."""


def exclude(one: str, other: str) -> bool:
    """Say whether two base forms exclude each other."""
    groups = lexicon.EXCLUSIVE_GROUPS_OF
    return one != other and (
        frozenset((one, other)) in _PAIRS or bool(groups.get(one, _NONE) & groups.get(other, _NONE))
    )


def meanings(word: str) -> frozenset[int]:
    """Return the numbers of the groups of synonyms that a base form is in, here or in the lexicon."""
    ours, theirs = SAME_OF.get(word, _NONE), lexicon.meanings(word)
    return ours | {-1 - number for number in theirs} if theirs else ours
