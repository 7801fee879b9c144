"""List the English words that the meter treats specially: negations, limits, links, opposites, synonyms."""

from collections.abc import Iterable

# fmt: off
NEGATIONS = frozenset((
    "not", "no", "never", "none", "nothing", "neither", "nor", "cannot", "without", "nobody", "nowhere", "hardly",
    "unable", "isnt", "arent", "wasnt", "werent", "dont", "doesnt", "didnt", "cant", "couldnt", "wont", "wouldnt",
    "shouldnt", "mustnt", "hasnt", "havent", "hadnt", "false", "incorrect", "avoid",
))
LIMITS = frozenset((  # adding one of these changes what is said
    "only", "except", "unless", "until", "barely", "rarely", "seldom", "scarcely", "almost", "nearly", "half", "twice",
    "fail", "fails", "refuse", "deny", "despite", "former", "fake", "least", "most", "maximum", "minimum",
))
LINKS = frozenset((  # swapping what stands before and after one changes what is said
    "before", "after", "than", "then", "from", "to", "into", "because", "since", "if", "unless", "until", "when",
    "while", "by", "but", "over", "under", "above", "below", "with", "for", "in", "on", "instead", "without",
))
BE = frozenset(("is", "are", "was", "were", "be", "been", "being"))
EMPTY = BE | frozenset((  # say nothing on their own
    "a", "an", "the", "and", "or", "also", "it", "its", "this", "that", "which", "has", "have", "had", "will", "would",
    "do", "does", "did", "just", "very", "so", "both", "too", "there", "here", "please", "simply", "really",
))
FILLER = frozenset((
    "a", "an", "the", "is", "are", "was", "were", "be", "it", "its", "this", "that", "of", "to", "in", "and", "or",
    "by", "as", "at", "with", "for", "on", "you", "your",
))
LIGHT = EMPTY | FILLER | frozenset((  # replacing one of these by another is only wording
    "i", "we", "they", "them", "their", "he", "she", "his", "her", "our", "us", "my", "me", "one", "who", "whose",
    "what", "when", "while", "since", "because", "from", "into", "onto", "about", "around", "through", "such",
    "these", "those", "can", "may", "might", "could", "should", "must", "shall", "need", "want", "let", "if",
    "whenever", "once", "after", "than", "then", "up", "out", "down", "off", "back", "own", "any", "some", "other",
    "more", "much", "now", "still", "yourself", "itself", "how", "where", "each", "use", "using", "make", "way",
    "like", "again", "however", "while", "whereas", "though", "although", "thus", "therefore", "hence", "within",
    "during", "upon", "between", "among", ",", "get", "so", "successfully", "currently",
))
OPPOSITES = (
    ("before", "after"), ("increase", "decrease"), ("increases", "decreases"), ("minimum", "maximum"), ("min", "max"),
    ("more", "less"), ("more", "fewer"), ("larger", "smaller"), ("bigger", "smaller"), ("greater", "less"),
    ("greater", "smaller"), ("higher", "lower"), ("first", "last"), ("left", "right"), ("on", "off"), ("yes", "no"),
    ("enable", "disable"), ("enabled", "disabled"), ("true", "false"), ("allow", "deny"), ("above", "below"),
    ("soft", "hard"), ("open", "close"), ("opened", "closed"), ("open", "closed"), ("start", "stop"), ("up", "down"),
    ("north", "south"), ("east", "west"), ("hot", "cold"), ("odd", "even"), ("ascending", "descending"),
    ("public", "private"), ("safe", "unsafe"), ("safe", "dangerous"), ("add", "remove"), ("add", "subtract"),
    ("plus", "minus"), ("import", "export"), ("upper", "lower"), ("uppercase", "lowercase"), ("inner", "outer"),
    ("legal", "illegal"), ("read", "write"), ("positive", "negative"), ("buy", "sell"), ("win", "lose"),
    ("won", "lost"), ("local", "remote"), ("push", "pull"), ("upload", "download"), ("always", "never"),
    ("synchronous", "asynchronous"), ("mutable", "immutable"), ("encrypt", "decrypt"), ("lock", "unlock"),
    ("zip", "unzip"), ("older", "newer"), ("oldest", "newest"), ("earlier", "later"), ("faster", "slower"),
    ("longer", "shorter"), ("inside", "outside"), ("early", "late"), ("include", "exclude"), ("parent", "child"),
    ("input", "output"), ("internal", "external"), ("morning", "evening"), ("male", "female"), ("wet", "dry"),
    ("high", "low"), ("top", "bottom"), ("front", "back"), ("horizontal", "vertical"), ("row", "column"),
)
_EXCLUSIVE = (
    "monday tuesday wednesday thursday friday saturday sunday",
    "january february march april may june july august september october november december",
    "first second third fourth fifth sixth seventh eighth ninth tenth last",
    "all some most few none every half quarter many several",
    "always usually often frequently sometimes rarely seldom never",
    "second minute hour day week month year decade century", "daily weekly monthly yearly annually hourly",
    "spring summer autumn fall winter", "morning noon afternoon evening night",
    "red orange yellow green blue purple violet pink brown black white grey gray", "hot warm cool cold",
    "mother father brother sister son daughter", "child adult", "man woman", "he she it they", "his her", "him her",
    "i you", "boy girl", "husband wife", "lend borrow", "teach learn", "client server", "debit credit",
    "send receive", "accept reject", "grant deny", "succeed fail", "pass fail", "before after", "cause effect",
    "rise fall", "gain loss", "profit loss", "single double triple", "singular plural", "must may", "should may",
    "acid base", "http https", "tcp udp", "user admin", "question answer", "create delete", "insert delete",
    "append prepend", "encode decode", "join leave",
)
SYNONYMS = (
    "remove, delete, take out, take off, erase", "big, large", "buy, purchase", "start, begin, launch",
    "stop, halt, end", "fast, quick, quickly, rapidly, rapid", "use, run, call, execute, type, enter",
    "make, create, build, produce", "show, display, print, list, see, view", "help, assist", "choose, select, pick",
    "get, obtain, receive", "need, require, want", "fix, repair", "often, frequently", "error, mistake",
    "folder, directory", "film, movie", "sick, ill", "keep, store, hold", "allow, permit, let",
    "check, verify, ensure, make sure", "piece, part", "click, press, click on, tap, tap on, select",
    "main, primary, chief", "mix, blend, combine, stir", "usually, normally, typically, generally", "method, way",
    "problem, issue", "kind, type, sort", "collect, gather", "simple, easy", "happen, occur",
    "cause, lead, lead to, result in", "find, locate", "change, modify, edit", "put, place",
    "about, approximately, around, roughly", "small, little", "people, inhabitants, residents", "near, close",
    "car, automobile", "child, kid", "doctor, physician", "everyday, daily, every day", "important, essential",
    "reply, answer, respond", "say, state", "return, give, give back", "contain, include, hold", "several, many",
    "set up, configure", "ask, request", "tell, inform", "rise, go up, increase", "drop, go down, decrease",
    "good, great", "hard, difficult", "get, become", "job, work", "home, house", "picture, photo, photograph, image",
    "phone, telephone", "begin, start", "finish, complete", "speak, talk", "shut, close", "once, after, when",
    "because, since, as", "must, have to, need to, should", "country, nation", "city, town",
    "also, too, as well, additionally, in addition", "but, however, yet, although, though",
    "so, therefore, thus, hence", "for example, for instance, such as, like", "in order to, to",
    "give, provide, offer", "try, attempt", "look, appear, seem", "clean, wash", "whole, entire, complete",
    "current, present", "new, novel", "right, correct", "trouble, difficulty, problem", "may, might, could",
    "immediately, right away, at once, straight away, promptly", "can, is able to, are able to, able to",
    "currently, at this time, at moment, at present, right now, now, presently", "healthcare, health care",
    "along with, as well as, together with", "eg, e g", "for example, for instance, such as, like, e g, including",
    "regularly, frequently, often", "probably, likely", "various, different", "also, too, in addition, additionally",
    "contact, get in touch with, reach out to", "shortly, soon", "typically, usually", "at least, minimum of",
    "until, till", "sufficient, enough", "insufficient, not enough", "assistance, help", "advise, recommend, suggest",
)
_FORMS = (
    "keep kept", "make made makes making", "go went gone goes going", "take took taken", "give gave given",
    "find found", "hold held", "say said", "see saw seen", "know knew known", "write wrote written", "build built",
    "send sent", "run ran", "begin began begun", "become became", "bring brought", "buy bought", "sell sold",
    "beat beaten", "eat ate eaten", "leave left", "lose lost", "win won", "pay paid", "teach taught", "think thought",
    "hide hidden", "break broke broken", "choose chose chosen", "draw drew drawn", "drive drove driven",
    "fall fell fallen", "grow grew grown", "show shown", "speak spoke spoken", "stand stood", "tell told",
    "understand understood", "foot feet", "man men", "woman women", "child children", "mouse mice", "tooth teeth",
    "life lives", "leaf leaves", "knife knives", "use used using uses",
    "note noted notes noting",
)
_DENYING = ("un", "in", "im", "il", "ir", "non", "dis", "de")
# fmt: on
_UNSTEMMED = LIGHT | LINKS | LIMITS | NEGATIONS | {"note"}  # to note is not to deny
_FORM = {form: forms.split()[0] for forms in _FORMS for form in forms.split()}


def base(word: str) -> str:
    """Return a word without its ending, roughly: updates, updated and updating are updat."""
    if word in _UNSTEMMED:
        return word
    word = _FORM.get(word, word)
    if word in _UNSTEMMED:
        return word
    for ending in ("ing", "ed", "es", "s", "ly"):
        if (
            word.endswith(ending)
            and len(word) - len(ending) >= 3
            and not (ending == "s" and word.endswith(("ss", "us")))
        ):
            word = word[: -len(ending)]
            if ending in ("ing", "ed") and word[-1] == word[-2] and word[-1] not in "ls":
                word = word[:-1]  # stopped
            break
    if len(word) == 4 and word.endswith("ed"):
        word = word[:-1]  # aged
    if len(word) > 3 and word.endswith("e"):
        word = word[:-1]
    return _FORM.get(word, word[:-1] + "y" if len(word) > 3 and word.endswith("i") else word)


_RIVALS: dict[str, set[str]] = {}
for _group in (*_EXCLUSIVE, *map(" ".join, OPPOSITES)):
    for _word in (_bases := {base(word) for word in _group.split()}):
        _RIVALS.setdefault(_word, set()).update(_bases - {_word})
_OPPOSITES = {frozenset(map(base, pair)) for pair in OPPOSITES}
_LEAST_DENIED = 4  # letters of a word that a prefix denies: into does not deny to
_MEANINGS: dict[str, set[int]] = {}
for _number, _phrases in enumerate(SYNONYMS):
    for _phrase in _phrases.split(", "):
        _MEANINGS.setdefault(" ".join(map(base, _phrase.split())), set()).add(_number)


def rivals(ours: Iterable[str], theirs: Iterable[str]) -> bool:
    """Say whether a word of one side excludes a word of the other: both are base forms."""
    one, other = {*ours}, {*theirs}
    return any(
        not _RIVALS.get(word, set()).isdisjoint(far) or _is_denied(word, far)
        for near, far in ((one, other), (other, one))
        for word in near
    )


def _is_denied(word: str, far: set[str]) -> bool:
    return len(word) >= _LEAST_DENIED and any(prefix + word in far for prefix in _DENYING)


def opposites(ours: set[str], theirs: set[str]) -> bool:
    """Say whether a word of one side is the opposite of a word of the other: both are base forms."""
    return any(_is_denied(word, far) for near, far in ((ours, theirs), (theirs, ours)) for word in near) or any(
        len(pair & ours) == len(pair & theirs) == 1 and pair & ours != pair & theirs for pair in _OPPOSITES
    )


def meanings(phrase: str) -> set[int]:
    """Return the numbers of the groups of synonyms that a phrase of base forms is in."""
    return _MEANINGS.get(phrase, set())


def interchangeable(one: str, other: str) -> bool:
    """Say whether two phrases of base forms are known to mean the same."""
    return one == other or not meanings(one).isdisjoint(meanings(other))


EXCLUSIVE_GROUPS_OF: dict[str, set[int]] = {}
"""The numbers of the groups of base forms that exclude each other, by base form."""
for _number, _group in enumerate(_EXCLUSIVE):
    for _word in _group.split():
        EXCLUSIVE_GROUPS_OF.setdefault(base(_word), set()).add(_number)
