"""Recognise questions to which another answer each time is wanted: something random, or something made up.

Patterns over English text, no model: they match wordings, not meanings.
"""

import re

from shammah_mlx.text.normalize import straighten_quotes

_I = re.IGNORECASE
_ASIDE = re.compile(r"```[\s\S]*?```|`[^`]*`|\"[^\"]*\"")  # code and quotations
_HANDLED = (  # after the name of a work: a program handles it, or it is a measure
    r"(?! (?:\w+ )?(?:generators?|apps?|api|bots?|class(?:es)?|tables?|models?|fields?|columns?|points?|parsers?"
    r"|pages?)\b)"
)
_SHORT_WORKS = rf"(?:jokes?|puns?|riddles?|poems?|haikus?|limericks?|stor(?:y|ies)|fun facts?)\b{_HANDLED}"
_WORKS = (
    r"(?:poems?|haikus?|limericks?|sonnets?|verses?|lyrics|songs?|jokes?|puns?|riddles?|stor(?:y|ies)|tales?|fables?"
    r"|essays?|speech(?:es)?|toasts?|slogans?|taglines?|tweets?|blog posts?|love letters?|dialogues?|screenplays?"
    r"|birthday (?:wish|message|card)(?:es|s)?|trivia questions?|fun facts?|writing prompts?|conversation starters?"
    r"|(?:plots?|captions?|characters?) (?:for|of) (?:\w+ ){1,3}?(?:novel|story|play|game|photo|film|movie|book))"
    rf"\b{_HANDLED}"
)
_TOOL = (  # what a program deals with
    r"(?:functions?|scripts?|commands?|code|programs?|algorithms?|quer(?:y|ies)|arrays?|vectors?|matri(?:x|ces)|lists?"
    r"|rows?|tables?|columns?|files?|folders?|director(?:y|ies)|lines?|strings?|variables?|class(?:es)?|index(?:es)?"
    r"|regex|process(?:es)?|urandom|openssl|shuf|awk|sed|apis?|seed(?:s|ed)?|loops?)"
)
_CREATIVE = re.compile(
    r"\b(?:write|compose|make up|invent|create|come up with|generate|draft|sing)\b"
    rf"(?: (?!{_TOOL}\b)[\w'-]+){{0,5}}? {_WORKS}"
    r"|\b(?:tell|give|share|know|got)\b(?: (?!(?:the|this|that|if|whether|about|what|how|who|why)\b)[\w'-]+){0,4}?"
    rf" {_WORKS}"
    rf"|\b(?:another|one more|how about an?|an? (?:new|different|funny|short)) {_SHORT_WORKS}"
    r"|\b(?:brainstorm|improvise|(?:surprise|entertain|amuse|quiz) me|make me laugh|tell me something"
    r"|say something (?:nice|funny|random|new))\b",
    _I,
)
_ADVICE = re.compile(  # one of many good answers
    r"\b(?:give|suggest|come up with|think of|need|want|any|some)\b(?: (?!(?:the|this|that|another)\b)[\w'-]+){0,4}?"
    r" (?:ideas?|names?|suggestions?) (?:for|to call|to name)\b"
    rf"|\bwhat(?:'s| is) an? (?:good|funny|nice) {_SHORT_WORKS}|\bmy lucky number\b"
    r"|\b(?:good|nice|funny|cute|catchy|creative|cool) (?:\w+ )?names? for\b"
    r"|\b(?:gift|present|party|dinner|lunch|date|costume|recipe|birthday) ideas?\b"
    r"|\bwhat (?:should|shall|could|can) (?:i|we) (?:(?:call|name) (?:my|our|the|a|it)\b|eat|cook|watch|wear"
    r"|get (?:my|for)|(?:read|play|do) (?:next|today|tonight|this|on)\b)",
    _I,
)
_RANDOM = re.compile(
    r"(?<![.\w])random(?:ly)?(?!\.?\w|\()"
    r"(?! (?:forests?|variables?|walks?|access|effects?|sampling|seeds?|process(?:es)?|matri\w+|fields?"
    r"|number generators?)\b)"
    r"|\b(?:(?:flip|toss) (?:a|the) coin|roll (?:an?|the|some|two|\d+) (?:dice|die|d\d+)|heads or tails"
    r"|(?:pick|choose|draw) (?:an?|any|one|some) (?:number|card|colou?r|letter|word|name|winner)"
    r"|think of an? (?:number|card|colou?r|word)|guess (?:an?|my) number|pick one\b|roll \d*d\d+"
    r"|shuffle (?:this|these|the following))\b"
    r"|\b(?:generate|create|make|give)(?: (?:me|us))? (?:an? |the |some |\d+ )?(?:new |strong |secure |good |safe )*"
    r"(?:uuids?|guids?|passwords?|passphrases?|pins?|tokens?|secrets?|api keys?|nonces?|salts?)(?= for me\b|\W*\Z)",
    _I,
)
_RANDOM_WORDS = re.compile(r"\brandom (?:\w+ )?(?:facts?|jokes?|quotes?|thoughts?|trivia|topics?|recipes?)\b", _I)
_STAYS_RIGHT = re.compile(  # code that makes something random, and what can be computed about chance
    r"\b(?:python|javascript|java|typescript|bash|zsh|sql|numpy|pandas|pytorch|postgres\w*|mysql|sqlite|linux|powershell"
    r"|kotlin|c#|c\+\+|probability|chances?|odds|expected|likely|simulate)(?!\w)"
    rf"|\b(?:in|with|using) (?:excel|rust|go|ruby|php|c|swift|r|perl|matlab|julia|scala)\b|\b{_TOOL}\b",
    _I,
)
_ASKS_ABOUT = re.compile(  # a question about such things, not for one
    r"(?:(?:please|hi|hey|so|and|ok|okay),? )*(?:how (?:do|does|did|can|could|would|should|to|is|are|many|much|long)"
    r"|why|what(?:'s| is| are| was| were| does| do| did| makes)|explain|define|who|whose|when|where|which|is|are"
    r"|does|did|(?:the )?difference|summari[sz]e|translate|analy[sz]e)\b",
    _I,
)


def is_open_ended(text: str) -> bool:
    """Say whether a text asks for something random or made up, so that its last answer is not wanted again.

    How something is written or drawn at random, in words or by a program, is not open-ended.
    """
    plain = _ASIDE.sub(" ", straighten_quotes(text)).strip()
    if _ADVICE.search(plain) and not _STAYS_RIGHT.search(plain):
        return True
    if _ASKS_ABOUT.match(plain):
        return False
    if _RANDOM_WORDS.search(plain) or _CREATIVE.search(plain):
        return True
    return _RANDOM.search(plain) is not None and not _STAYS_RIGHT.search(plain)
