"""Tell questions that their words alone do not settle: those about the passing moment, and half conversations.

Patterns over English text, no model: they know wordings, not meanings.
"""

import re

_I = re.IGNORECASE
_STRAIGHT = {0x2018: "'", 0x2019: "'", 0x201C: '"', 0x201D: '"'}  # typographic quotes


def _set(words: str) -> frozenset[str]:
    return frozenset(words.split())


# The moment and the person: some wordings always ask for them, "today" and "current" only where no task is described.
_ASIDE = re.compile(  # code, quotations, and words that only look like the present
    r"```[\s\S]*?```|`[^`]*`|\"[^\"]*\"|(?<!\w)'[^'\n]*'(?!\w)|\b\w+\(\)|\b[A-Z]+_[A-Z_]+\b|\bNOW (?=do|in|func|ret)"
    r"|\b(?:alternating|direct|electric(?:al)?|ocean|[AD]C) currents?\b|\b[Cc]urrent account|\bmy current\b"
    r"|\b[Cc]urrents?(?= (?:flow|through|source|density|and voltage))|\b[Nn]ow(?: [Tt]hat\b|,| and (?:then|again))"
    r"|\b(?:until|by|up to|am|are|know|from) now\b|\bat the latest\b"
    r"|^(?:I|We|My \w+) (?:\w+ )??(?:was|had|have|got|ate|took|\w+ed)\b[^,.?!]*[,.](?= )"  # what happened before
)
_MOMENT = re.compile(
    r"\bwhat(?:'s| is|s)? (?:the )?(?:time|date|day|month|year)(?: is it| now)?(?:\?|$| in (?-i:[A-Z]))"
    r"|\b(?:what (?:time|day|year) )?is it (?:still |be |going to )*(?:rain|snow|sunny|\w+day\W*$|\?*$)"
    r"|\bwill it (?:rain|snow)|\b(?:the|today's|local|latest|any|breaking) (?:news|headlines)\b"
    r"|\bnews (?:about|on|from)\b|\bneed an umbrella\b|\b(?:what|how)(?:'s| is|s) the (?:weather|traffic|forecast)"
    r"|\bweather (?:like|forecast|for|in (?-i:[A-Z])|outside)"
    r"|\bwho(?:'s| is) (?:winning|the (?:\w+ )?(?:president|prime minister|pope|ceo|chancellor|mayor|head coach)\b)"
    r"|\bwho won (?:the )?(?:last|latest|game|match|election)|\bscores? of the (?:\w+ )?(?:game|match)"
    r"|\bwhen is the next\b|\b(?:stock|share|gas|oil|gold) prices? (?:of|for|in)\b|'s (?:stock|share) price"
    r"|\bstock market (?:do|up|down|open)|\bprice of (?:\w+ )?(?:bitcoin|gold|oil|gas|petrol|stock|shares)"
    r"|\bbitcoin (?:worth|going)|\bsun (?:set|rise)s?\W*$|\bexchange rate (?:of|from|between|for)"
    r"|\d (?:usd|eur|gbp|dollars|euros|pounds|yen) (?:in|to) (?:\w+ )?\w+\W*$"
    r"|\b(?:number of|how many)(?: new| confirmed| active| \w*covid\S*)* (?:cases|infections)\b|\bpeople are infected"
    r"|\bhow many (?:days|weeks|months) (?:are )?(?:left )?until\b"
    r"|\b(?:latest|newest|current)(?: \w+)? (?:version|release) of",
    _I,
)
_PERSON = re.compile(
    r"\b(?:re?mind|wake) me\b|\bset (?:an? |the |my )?(?:\w+ )?(?:alarm|timer|reminder)|\b(?:where|who) am i\b"
    r"|\bwhere did i (?:park|put|leave|save)|\b(?:near|around|close to|closest to|nearest to) me\b"
    r"|\bwhat(?:'s| is|s) my\b|\bwhere.{1,25}\b(?:nearest|closest)\b"
    r"|\bdo i have (?:any |an? )?(?:\w+ ){0,2}(?:meeting|appointment|message|e?mail)"
    r"|\b(?:meetings|appointments|messages|e?mails?|mail) (?:do|have|did) i\b"
    r"|\bmy (?:last|next|latest|upcoming|pending) \w+"
    r"|\bhow much (?:money )?(?:do|did|have) i (?:have|spend|spent|owe|make)\b"
    r"|\bis my \w+ (?:on time|late|delayed|ready)"
    r"|\b(?:when|where)(?:'s| is| are| does| will) my (?:\w+ )?(?:order|package|parcel|flight|train|phone|car|keys"
    r"|appointment)|\b(?:show|check|read|open|tell|list|see|get|on|in|to|from|any|add|new"
    r"|clear) (?:\w+ ){0,4}?my (?:\w+ )?(?:calendar|schedule|agenda|inbox|balance|e?mails?|messages"
    r"|(?:shopping|to-?do) list|reminders|transactions|bills?|orders?)\b"
    r"|\b(?:how many|are there|is there).{1,40}\bin my (?:country|city|town|area|neighbou?rhood|state|region)",
    _I,
)
_DAY = re.compile(
    r"\b(?:(?:to(?:day|night|morrow)|yesterday)(?:'s)?|(?:right|just) now|at (?:the|this) moment)\b"
    r"|\b(?:this|next|last) (?:week|weekend|month|morning|afternoon|evening|night)\b",
    _I,
)
_STATE_OF = re.compile(r"\b(?:current(?:ly)?|latest|newest|most recent(?:ly)?|now)\b", _I)
_TASK = re.compile(  # the answer is a command or code: it stays right while what it finds changes
    r"\b(?:sub)?(?:files?|director(?:y|ies)|folders?|filesystem|branch(?:es)?|commits?|repos?|repositor(?:y|ies)|git"
    r"|shell|bash|zsh|terminal|scripts?|commands?|sql|query|regex|variables?|functions?|process(?:es)?|timestamps?"
    r"|symlinks?|inodes?|paths?|cursor|cron|crontab|rows?|dataframe|logs|docker|container|kubernetes|stdout"
    r"|(?:user|host) ?names?|current user"
    r"|(?:in|with|using) (?:python|java\w*|excel|postgres\w*|mysql|sqlite|rust|go|ruby|php|c|swift|linux|powershell))\b"
    r"|[\w*]\.(?:py|txt|js|sh|log|csv)\b|\$\w|C#|C\+\+",
    _I,
)
_HOW = re.compile(r"(?:please |hi )?(?:how (?:do|can|could|should|would|to)|steps to|why (?:does|is|are|can|do))\b", _I)
_MEANING = re.compile(r"^what (?:is|are|does) an? |\b(?:means?|definition|synonyms?|difference between)\b|^define ", _I)


def is_fleeting(text: str) -> bool:
    """Say whether the right answer depends on when, where or by whom the question is asked.

    Promises the usual wordings. A how-to and a task for a shell or a program are not fleeting though they speak of
    today or the current directory. Does not promise facts that age unnoticed: "how tall is the tallest building".
    """
    plain = _ASIDE.sub(" ", text.translate(_STRAIGHT)).strip()
    if _MEANING.search(plain):
        return False
    if _MOMENT.search(plain) or _TASK.search(plain):
        return _MOMENT.search(plain) is not None
    asks = None if _HOW.match(plain) else _PERSON.search(plain) or _STATE_OF.search(plain)
    return (asks or _DAY.search(plain)) is not None


# Half a conversation: requests that name nothing, openers that go on, pronouns with nothing before them.
_TO_VERB = _set(  # the next word is a verb, not a noun that a pronoun could mean
    """do does did can could should would will must shall may might to be i you we me us please not never just has don't
    doesn't can't won't didn't always also let's"""
)
_CLOSED = _TO_VERB | _set(
    """how why what when where who which is are was were been isn't aren't am have had if so then there with from for on
    at in into of about by up out off down over through much many long often far fast old big tall well and but or ok an
    now ever really actually what's how's who's where's get got go come made used work works say said think know tell
    show give let help explain describe happens happened caused it that this them a the mean means other any one i'm"""
)
_FOLLOWS = _set(  # a request made of these and function words names nothing
    """why continue elaborate summarize summarise rephrase rewrite translate shorten simplify expand repeat clarify stop
    shorter longer simpler clearer better briefer faster slower funnier further again more less another else instead too
    next example examples detail details detailed concise formal casual specific options ideas briefly mean meant way
    ways"""
)
_MANNER = re.compile(
    r"\b(?:in|into|to|as|with|without) "
    r"(?:(?:english|french|german|spanish|italian|dutch|chinese|japanese|russian|latin)\b"
    r"|(?:python|java\w*|rust|go|ruby|typescript|swift|bash|sql|c)\b(?:\+\+|#)?"
    r"|(?:an? )?(?:table|list|poem|summary|haiku)\b|(?:\w+ ){1,2}(?:words?|sentences?|terms|points)\b|using \w+"
    r"|comments|examples)",
    _I,
)
_LONGEST = 7  # words of a request that names nothing; longer ones say what they are about
_OPENER = re.compile(
    r"(?:and|but|or)\b(?! (?:gate|operator|then there))|(?:so |ok |then )?(?:what|how) about\b|i meant?\b"
    r"|(?:any|what) else\b|any other\b|again,? but\b|(?:do )?(?:the )?same (?:for|but|with|in|thing)\b"
    r"|which one\b(?!.*\b(?:or|of)\b)|vice versa|(?:for|on|with|from|about|since|like|such) \w+\W*$"
    r"|(?:what|then) (?:now|what)\W*$|are you sure\b|(?:the )?(?:former|latter)\b"
    r"|(?:yes|no|nope|ok|okay|sure|thanks|thank|exactly|right|wrong)(?: you| please)?\W*$"
    r"|(?:go on|keep going|once more)\W*$"
    r"|(?:no|yes|ok|okay|thanks|actually|instead),? (?:i|but|the|that|not|it|now|you|do|make|use)\b"
    r"|(?:i don't understand|what(?:'s| is) the difference)\W*$"
    r"|.*\b(?:the|that) (?:second|third|fourth|other|previous|first|last) one\W*$"
    r"|.*\b(?:what )?you (?:just )?(?:said|wrote|meant)"
    r"|.*\b(?:your (?:last|previous|first|second) (?:answer|reply|example|point)"
    r"|(?:previous|last) (?:answer|question|reply)|as i said|the above)\b|.*\binstead\W*$",
    _I,
)
_POINTS, _BARE = _set("that this these those"), _set("it that this these those they them he him his she her their its")
_ALONE = _set(  # "that" and "this" before these have no noun
    """is was are were does did mean means work works again in into for to please about happen happened true correct and
    right but not so way with as from good bad normal safe possible wrong ok okay more further better too on be has"""
)
_EXPLETIVE = re.compile(  # "it" that means nothing: it rains, is it safe to, why is it called
    r"it (?:(?:is|was|will|would|not|ever|really|still|also|always|even|be|an?|the) )*(?:(?:rain|snow)\w*|\w+day\b"
    r"|(?:hot|cold|dark|late)\b|(?:called|named|like (?:to|when)|from \w+ to|(?:time|worth) \w+"
    r"|(?:allow|recommend|suppos|requir)ed to"
    r"|(?!\w+ed to)\w+(?: \w+){0,2}? (?:to|that|if|whether|when|until|before|how|why|who|what))(?= \S))",
    _I,
)
_WORD = re.compile(r"[\w'-]+|[,.?!;:`\"\n]")


def leans_back(text: str) -> bool:
    """Say whether a text cannot be understood without the turn before it.

    Promises the usual follow-ups and a pronoun that nothing stands before. A text that brings what it speaks of (after
    a colon, in quotes, as code) does not lean. Does not promise nouns that lean: "why does the second step fail".
    """
    text = text.translate(_STRAIGHT).strip()
    return _names_nothing(text) or _OPENER.match(text) is not None or _has_bare_pronoun(text)


def _names_nothing(text: str) -> bool:
    """Say whether a request is made of words that ask for another form of what is known, and of no other."""
    plain, manners = _MANNER.subn(" ", text.lower())
    found = re.findall(r"[\w'-]+|[:`\"]", plain)
    asks = manners or len(found) == 1 or not _FOLLOWS.isdisjoint(found)
    return bool(asks and text and len(found) <= _LONGEST and set(found) <= _FOLLOWS | _CLOSED)


def _has_bare_pronoun(text: str) -> bool:
    """Say whether only function words, and verbs where verbs stand, come before the first pronoun."""
    before, found = "", list(_WORD.finditer(text))
    for place, match in enumerate(found):
        word = match[0].lower()
        after = found[place + 1][0].lower() if place + 1 < len(found) else "."
        if (stem := word.removesuffix("'s")) in _BARE:
            alone = stem not in _POINTS or stem != word or after in _ALONE or not after[0].isalnum()
            brings = re.search(r"[:`\"\n]\s*\S", text[match.end() :])
            return alone and not brings and not (stem == "it" and _EXPLETIVE.match(text, match.start()))
        is_verb = before in _TO_VERB or (before in ("", "what", "who") and after in _BARE)
        if word not in _CLOSED and not is_verb:
            return False
        before = word
    return False
