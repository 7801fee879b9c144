"""Recognise questions to which another answer each time is wanted: something random, or something made up.

Patterns over English text, no model: they match wordings, not meanings.
"""

import re

from shammah_mlx.text.normalize import straighten_quotes

_I = re.IGNORECASE
_ASIDE = re.compile(r"```[\s\S]*?```|`[^`]*`|\"[^\"]*\"")  # code and quotations
_WORKS = (
    r"(?:poems?|haikus?|limericks?|sonnets?|verses?|lyrics|songs?|jokes?|puns?|riddles?|stor(?:y|ies)|tales?|fables?|essays?"
    r"|speech(?:es)?|toasts?|slogans?|taglines?|captions?|tweets?|blog posts?|birthday (?:wish|message)(?:es|s)?|love letters?"
    r"|dialogues?|screenplays?|plots?|characters?|prompts?|trivia questions?|fun facts?|writing prompts?|conversation starters?)"
)
_CREATIVE = re.compile(
    rf"\b(?:write|compose|make up|invent|create|tell|give|come up with|generate|draft|sing)\b(?: \w+){{0,5}}? {_WORKS}\b"
    rf"|\b(?:another|a (?:new|different|good|funny|short)) {_WORKS}\b"
    r"|\b(?:brainstorm|improvise|surprise me|entertain me|amuse me)\b"
    r"|\b(?:give|suggest|name|list|come up with|think of|need|want|have)\b(?: \w+){0,4}? (?:ideas?|names?|suggestions?)"
    r" (?:for|to call|to name)\b"
    r"|\bwhat (?:should|shall|could|can) (?:i|we) (?:call|name|eat|cook|watch|read|wear|play|do (?:today|tonight|this))\b",
    _I,
)
_RANDOM = re.compile(
    r"\b(?:random(?:ly)?|(?:flip|toss) (?:a|the) coin|roll (?:a|the|some|two|\d+) (?:dice|die|d\d+)|(?:pick|choose|draw) (?:a|any|one|some)"
    r" (?:number|card|color|colour|letter|word|name|winner)|heads or tails|lucky number|shuffle (?:this|these|the following))\b",
    _I,
)
_PROGRAM = re.compile(  # code that makes something random stays right
    r"\b(?:in|with|using) (?:python|java\w*|bash|sql|excel|numpy|rust|go|ruby|php|c|swift|r|postgres\w*|mysql|linux|powershell)\b"
    r"|\b(?:functions?|scripts?|commands?|code|programs?|algorithms?|quer(?:y|ies)|array|vector|matrix|lists?|rows?|files?|lines?)\b"
    r"|^(?:how|why|what is|what are|what does|explain)\b",
    _I,
)


def is_open_ended(text: str) -> bool:
    """Say whether a text asks for something random or made up, so that its last answer is not wanted again."""
    plain = _ASIDE.sub(" ", straighten_quotes(text)).strip()
    if _RANDOM.search(plain) and not _PROGRAM.search(plain):
        return True
    return _CREATIVE.search(plain) is not None
