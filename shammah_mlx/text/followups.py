"""Recognise a question that needs the request before it.

Patterns over text, no model: they match wordings, not meanings. Of languages other than English only requests that name
no subject are known.
"""

import re

from shammah_mlx.text.normalize import straighten_quotes

_I = re.IGNORECASE


def _set(words: str) -> frozenset[str]:
    return frozenset(words.split())


# Signs of a follow-up: requests that name no subject, openers that continue, pronouns without a noun before them.
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
_FOLLOWS = _set(  # a request made of these and function words names no subject
    """why continue elaborate summarize summarise rephrase rewrite translate shorten simplify expand repeat clarify stop
    shorter longer simpler clearer better briefer faster slower funnier further again more less another else instead too
    next example examples detail details detailed concise formal casual specific options ideas briefly mean meant way
    ways"""
)
MANNER = re.compile(
    r"\b(?:in|into|to|as|with|without) "
    r"(?:(?:english|french|german|spanish|italian|dutch|chinese|japanese|russian|latin)\b"
    r"|(?:python|java\w*|rust|go|ruby|typescript|swift|bash|sql|c)\b(?:\+\+|#)?"
    r"|(?:an? )?(?:table|list|poem|summary|haiku)\b|(?:\w+ ){1,2}(?:words?|sentences?|terms|points)\b|using \w+"
    r"|comments|examples)",
    _I,
)
_LONGEST = 7  # words; a longer request says what it is about
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
_ELSEWHERE = re.compile(  # requests without a subject in other languages
    r"\W*(?:weiter|mehr|warum|wieso|weshalb|und dann|und|noch ?mal|noch (?:eins|ein beispiel|mehr)|kürzer|länger"
    r"|genauer|ein beispiel|auf (?:deutsch|englisch)|sigue|continúa|más|por qué|otra vez|y luego|un ejemplo|más corto"
    r"|en español|pourquoi|encore|plus|plus court|et après|un exemple|en français|la suite|perché|continua|ancora"
    r"|di più|un esempio"
    r"|por ?qu[eê]|mais|de novo|um exemplo|verder|meer|waarom|nog een|en dan|varför|mer|fortsätt|dlaczego|dalej|więcej"
    r"|почему|дальше|продолжай|ещё|еще|подробнее|короче|neden|devam|daha fazla"
    r"|继续|繼續|为什么|為什麼|再来一个|更多|还有呢|然后呢|短一点|用英语|続けて|続き|なぜ|どうして|もっと|他には|短く|英語で|계속|왜|더|또"
    r"|لماذا|أكمل|المزيد|क्यों|और|למה|עוד)(?:,? (?:bitte|por favor|s'il (?:te|vous) plaît|per favore|пожалуйста))?\W*",
    _I,
)
_POINTS, _BARE = _set("that this these those"), _set("it that this these those they them he him his she her their its")


_ALONE = _set(  # "that" and "this" before these stand without a noun
    """is was are were does did mean means work works again in into for to please about happen happened true correct and
    right but not so way with as from good bad normal safe possible wrong ok okay more further better too on be has"""
)
EXPLETIVE = re.compile(  # "it" that means nothing: it rains, is it safe to, why is it called
    r"it (?:(?:is|was|will|would|not|ever|really|still|also|always|even|be|an?|the) )*(?:(?:rain|snow)\w*|\w+day\b"
    r"|(?:hot|cold|dark|late)\b|(?:called|named|like (?:to|when)|from \w+ to|(?:time|worth) \w+"
    r"|(?:allow|recommend|suppos|requir)ed to"
    r"|(?!\w+ed to)\w+(?: \w+){0,2}? (?:to|that|if|whether|when|until|before|how|why|who|what))(?= \S))",
    _I,
)
_WORD = re.compile(r"[\w'-]+|[,.?!;:`\"\n]")


def leans_back(text: str) -> bool:
    """Say whether a text cannot be understood without the request before it.

    Finds the usual follow-ups, and pronouns without a noun before them. A text that includes what it refers to (after
    a colon, in quotes, as code) does not lean back. Misses nouns that refer back: "why does the second step fail".
    """
    text = straighten_quotes(text).strip()
    if _ELSEWHERE.fullmatch(text):
        return True
    return _names_nothing(text) or _OPENER.match(text) is not None or _has_bare_pronoun(text)


def _names_nothing(text: str) -> bool:
    """Say whether a request only asks for another form of the last answer, and names no subject of its own."""
    plain, manners = MANNER.subn(" ", text.lower())
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
            return alone and not brings and not (stem == "it" and EXPLETIVE.match(text, match.start()))
        is_verb = before in _TO_VERB or (before in ("", "what", "who") and after in _BARE)
        if word not in _CLOSED and not is_verb:
            return False
        before = word
    return False
