"""Recognise secrets: keys of known formats, values called a secret, numbers with check digits, random strings.

Uses patterns and checksums, no model and no list of leaked passwords. Texts with secrets are not stored or learnt.
"""

import re
import unicodedata
from collections.abc import Iterator
from itertools import accumulate

_I = re.IGNORECASE
_MARKED = re.compile(  # the group is what must not be a placeholder; at the end a JWT, a bcrypt hash, a header
    r"(?<![A-Za-z0-9])(?:sk-(?:ant|proj|svcacct|or)-|sk-(?=\w*\d)|gh[opusr]_|github_pat_|xox[abeprs]-|xapp-|glpat-|hf_"
    r"|npm_(?=[A-Za-z0-9]{20})|pypi-|[sr]k_(?:live|test)_|whsec_|(?:AKIA|ASIA)(?=[0-9A-Z]{16}\b)|AIza|hvs\."
    r"|AGE-SECRET-KEY-1|hooks\.slack\.com/services/\w+/\w+/)([\w.-]{12,})"
    r"|\b(eyJ[\w-]{10,}\.[\w-]{10,}\.[\w-]*)|(\$2[aby]\$\d\d\$[./\w]{50,})|\b(?i:authorization\W{1,4}(?:bearer|basic"
    r"|token))\s+([^\s\"']{8,})|\b(?i:bearer)\s+(?=\S*\d)([^\s\"']{16,})"
)
_ADDRESS = re.compile(r"\b[a-z][\w+]{1,20}://[^\s:/@<]{0,80}:([^\s@/]+)@\w|\bcurl\b.{0,300}\s-u\s*[^\s:]+:(\S{4,})", _I)
_ASSIGNED = re.compile(
    r"(?:(passw(?:or)?d|pwd|passphrase|passcode)|token|secret"
    r"|(?:api|access|private|auth|secret)[\s_-]?key(?:[\s_-]?id)?)(?:['\"]?\s*(=>|:=|=|:)\s*"
    r"|\s+(?:is|was)(?:\s+now)?:?\s+|(?:(?<=--password)|(?<=--token))\s+"
    r"|\s+(?=['\"]\S+['\"]))(?:(['\"`])([^'\"`\n]{3,})\3|([^\s'\"`,;&][^\s\"`,;&]{2,}))(\s+\w)?",
    _I,
)
_IN_OTHER_LANGUAGES = re.compile(  # the same in some other languages, and how they say "is"
    r"(?:pass[wv]ort|kennwort|contrase(?:ñ|n)a|mot de passe|senha|palavra-passe|wachtwoord|lösenord|hasło|heslo|пароль"
    r"|密[码碼]|口令|パスワード|暗証番号|비밀번호|암호|كلمة (?:المرور|السر)|סיסמה|पासवर्ड|şifre|parola)[^\S\n]{0,2}"
    r"(?:ist(?: jetzt)?|lautet|es|está|est|é|è|is|är|jest|je|это|это —|是|为|は|を|는|은|هي|है)?[^\S\n]{0,2}[:=]?"
    r"[^\S\n]{0,2}['\"「“]?([\w!-/:-@\[-`{-~]{4,})",
    _I,
)
_ON_A_LINE = re.compile(  # the group is a value that some program or form is given
    r"\bsshpass\s+-p\s*(\S{3,})|\bmysql\w*\b.{0,80}?\s-p(?!\s|(?:assword|rint0?|ort|ath|rotocol|erm|rune|lugin)\b)(\S{3,})"
    r"|\b(?:docker|helm|podman)\b.{0,40}?\blogin\b.{0,80}?\s-p\s*(\S{3,})"
    r"|\bredis-cli\b.{0,80}?\s-a\s*(\S{3,})|\b(?:set-)?cookie:\s*[^\s=;]+=([^\s;]{6,})|\b[a-z]+_(?:pass|pw|pwd)\s*=\s*['\"]?([^\s'\"]{3,})"
    r"|\b(?:SECRET|PRIVATE|ENCRYPTION|SIGNING)_KEY\s*[=:]\s*['\"]([^'\"\n]{8,})|\bpw\s+(?:to|for|of)\s+[\w\s]{1,30}?\s*(?:is|[:=])\s*(\S{4,})"
    r"|\b(?:root|admin(?:istrator)?|login|user(?:name)?)\s*(?:/\s+|\s/\s*|:)(?=\S*[\d!@#$%^&*])([^\s/]{5,})"
    r"|\b(?:key|token|secret|credential)s?\b\W{0,4}(?:(?:is|was|for|\w{2,12})\W{1,3}){0,3}([0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12})\b"
    r"|\b(?:password|pw)\s+(?!(?:sha|md|base|argon|pbkdf|utf|aes|rsa|bcrypt)-?\d)(?=[a-z]*\d)(?=\d*[a-z])(\w{6,})\b"
    r"|(?<!\S)(?=\S*\d)(\S{5,}) is (?:my|our) (?:\w+ ){0,2}(?:passw(?:or)?d|passphrase|passcode)\b"
    r"|\b[MNO][\w-]{23,27}\.[\w-]{6}\.([\w-]{27,})",  # a Discord token
    _I,
)
_SPACED = re.compile(r"(?<=[\w-]) (?=[\w-])")  # a key that was written in groups, or sign by sign
_CERTAIN = re.compile(r"(?:sk-(?:ant|proj|svcacct|or)-|gh[opusr]_|github_pat_|xox[abeprs]-|glpat-|AKIA)([\w.-]{12,})")
_BLANK = re.compile(  # stands for a value: <token>, $TOKEN, ****, YOUR_KEY, a name, a call, a type, the next word
    r"[<${%\[(*.…]|your|example|placeholder|redacted|changeme|[x*.-]+$|[a-z_.]{3,}[(\[]"
    r"|(?!ey)[a-z_]\w*(?:\.[a-z_]\w*)+$|[a-z_.]*(?:password|passwd|token|secret|key|hash)[a-z_]*$"
    r"|(?:none|null|nil|true|false|undefined|str|string|text|int|bool|varchar|optional|required|any|bytes|hidden|what"
    r"|how|why|when|who|where|is|are|does|can|the|an?)\W*$",
    _I,
)
_STATE = re.compile(  # words about a password that are not its value: wrong, case-sensitive, too short
    r"(?:not|too|so|no|only|very|still|also|always|never|at|in|on|of|for|to|from|wrong|weak|strong|safe|secure|empty"
    r"|long|short|good|bad|(?:in)?correct|(?:in)?valid|missing|public|unknown|plain\w*"
    r"|[a-z-]+(?:ed|en|ing|able|ible|ive))$",
    _I,
)
_STATED = (
    re.compile(  # the group is a PIN, a card's or door's code, a recovery phrase, a US social number, a private key
        r"\b(?:pin|otp|(?:verification|security|access|one-time|2fa|login|door|alarm|unlock|safe|gate) code"
        r"|passcode)(?: code| number)?(?:\s+(?:to|for|of) [\w\s]{1,30})?(?:\s+(?:is|was)|\s*[:=])?\s*\b(\d{4,8})\b"
        r"|\bcv[vc]\W+(?:is )?(\d{3})"
        r"|\b(?:seed|recovery|mnemonic|backup) (?:phrase|words?)\W{1,3}(?:is\W{1,3})?((?:[a-z]{3,8}\W{1,3}){11}[a-z]+)"
        r"|(?<![\w-])((?!000|666|9)\d{3}-(?!00)\d\d-(?!0000)\d{4})(?![\w-])"
        r"|\b(?:ssn|social security \w+)\W*(?:is\W+)?(\d{9})\b"
        r"|-----BEGIN [A-Z0-9 ]{0,30}PRIVATE KEY(?: BLOCK)?-----([\s\S]{0,400}?[A-Z0-9+/=]{16,80}(?:\.\.\.|…)?)",
        _I,
    )
)
_CARD = re.compile(r"(?<![\d.+-])(?:\d{13,19}|\d{4}([ -])\d{4}\1\d{4}\1\d{4}|\d{4}([ -])\d{6}\2\d{5})(?![\d-])")
_ISSUER = re.compile(r"4(?:\d{12}|\d{15}|\d{18})|(?:5[1-5]|2[2-7]|6[025]|35)\d{14}|3[47]\d{13}|3[068]\d{12}")
_IBAN = re.compile(r"(?<![A-Z0-9])[A-Z]{2}\d{2}(?: ?[A-Z0-9]{4}){2,7}(?: ?[A-Z0-9]{1,3})?(?![A-Z0-9])", _I)
_SHORTEST_IBAN = 15  # Norway's
_LONG = re.compile(r"(?<![\w+/=-])[\w+/=-]{32,}", re.ASCII)
_IDENTITY = re.compile(r"[0-9a-f]{40}$|.*[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}", _I)  # a git commit, a UUID
_PUBLIC = re.compile(r"\b(?:md5|sha-?\d*|hash|checksum|digest|commit|etag|fingerprint|integrity|order|tracking)", _I)
_NEARBY = 40  # characters; a word this close before a string says what the string is
_NOISE = 3.0  # characters a piece (word or number): random strings have about 2, names in code 4 and more
_KINDS = 10  # different characters in a random string; fewer make a ruler or a mask
_KEY_KINDS = 6  # the same for a key, which may be short: sk-xxxxxxxx is none
_WINDOW, _OVERLAP = 4000, 500  # characters of a window and of two windows' overlap: some patterns take quadratic time
_SHORTEST = {True: 3, False: 6}  # characters of a password; of anything else called a secret


def holds_secret(text: str) -> bool:
    """Say whether a text seems to hold a key, password, PIN, card, bank account or social security number.

    Finds documented key formats, numbers with check digits, and what is called a password. Errs towards yes. Misses a
    secret that looks like a word and is not named.
    """
    return next(found_secrets(text), None) is not None


def found_secrets(text: str) -> Iterator[str]:
    """Yield what looks like a secret, without the words that state it; one may come twice."""
    step = _WINDOW - _OVERLAP
    text = unicodedata.normalize("NFKC", text)  # full-width signs are the same signs
    for start in range(0, max(1, len(text) - _OVERLAP), step):
        yield from _found_secrets(text[start : start + _WINDOW])


def _found_secrets(text: str) -> Iterator[str]:
    yield from _groups(_STATED, text)
    yield from (value for value in _groups(_MARKED, text) if len(set(value)) >= _KEY_KINDS and not _BLANK.match(value))
    yield from (value for value in _groups(_ADDRESS, text) if not _BLANK.match(value))
    yield from (value for value in _groups(_ON_A_LINE, text) if not _BLANK.match(value))
    yield from (value for value in _groups(_IN_OTHER_LANGUAGES, text) if _is_password(value))
    yield from (value for value in _groups(_CERTAIN, _SPACED.sub("", text)) if len(set(value)) >= _KEY_KINDS)
    yield from (str(found[4] or found[5]) for found in _ASSIGNED.finditer(text) if _is_assigned(found))
    yield from (found[0] for found in _CARD.finditer(text) if _is_card(found[0]) and not _is_public(text, found))
    yield from (found[0] for found in _IBAN.finditer(text) if _is_iban(found[0]))
    yield from (found[0] for found in _LONG.finditer(text) if _is_noise(found[0]) and not _is_public(text, found))


def _groups(rule: re.Pattern[str], text: str) -> Iterator[str]:
    return (group for found in rule.finditer(text) for group in found.groups() if group)


def _is_assigned(found: re.Match[str]) -> bool:
    """Say whether what follows `password =` or `my token is` is a value, not a word about it."""
    password, sign, quote, quoted, bare, more = found.groups()
    value = str(quoted or bare).rstrip(".!?)'")
    if len(value) < _SHORTEST[password is not None] or _BLANK.match(value) or (not sign and _STATE.match(value)):
        return False
    if value[1:].isalpha() and value[1:].islower():  # a plain word is a password where nothing else can be meant
        return password is not None and (quote is not None or sign not in (None, ":") or more is None)
    return password is not None or any(character.isdigit() for character in value)


def _is_password(value: str) -> bool:
    """Say whether a word after "password", in a language whose grammar is not known, can be nothing else."""
    return not _BLANK.match(value) and not value.strip(".,;:?!()").isalpha()


def _is_card(text: str) -> bool:
    """Say whether digits have a card issuer's shape and Luhn's check digit."""
    digits = re.sub(r"\D", "", text)
    total = sum(sum(divmod(int(digit) * (1 + place % 2), 10)) for place, digit in enumerate(reversed(digits)))
    return _ISSUER.fullmatch(digits) is not None and total % 10 == 0


def _is_iban(text: str) -> bool:
    """Say whether a string, or its first groups, has an IBAN's check digits (ISO 7064, mod 97)."""
    starts = (start.replace(" ", "") for start in accumulate(re.findall(r" ?[^ ]+", text)))
    return any(
        len(s) >= _SHORTEST_IBAN and int("".join(str(int(c, 36)) for c in s[4:] + s[:4])) % 97 == 1 for s in starts
    )


def _is_noise(text: str) -> bool:
    """Say whether a long string is random: short pieces of mixed kinds, few separators."""
    if _IDENTITY.match(text) or text.isalpha() or not re.search(r"[A-Za-z0-9+]{16}", text):
        return False
    pieces = re.findall(r"[A-Z]?[a-z]+|[A-Z]+|\d+", text)
    return len(set(text)) >= _KINDS and sum(map(len, pieces)) < _NOISE * len(pieces)


def _is_public(text: str, found: re.Match[str]) -> bool:
    return _PUBLIC.search(text, max(found.start() - _NEARBY, 0), found.start()) is not None
