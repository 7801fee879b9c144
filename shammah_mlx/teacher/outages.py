"""Describe why Claude gave no answer, in our own words, and beside them the server's.

A server's message may repeat the key or the query. So it is cleaned, goes to the user's terminal only, and is no part
of what is logged, counted or kept.
"""

import json
import re
import unicodedata

import msgspec

from shammah_mlx.events import Outage
from shammah_mlx.teacher.identity import ITSELF, SOURCE

BUDGET_SPENT = "budget_spent"  # the kind of outage that the user chose
UNPRICED = "unpriced"  # the kind that its budget brings about where a price is missing
UNPAID = frozenset({BUDGET_SPENT, UNPRICED})
INTERRUPTED = "interrupted"  # the kind that is his wish
NO_KEY = "no_key"  # the kind that another process may not have
_OUTAGES = {
    NO_KEY: (
        "There is no Anthropic API key.",
        "get one at platform.claude.com, then run `shammah key set` or export ANTHROPIC_API_KEY=…",
    ),
    "key_refused": (
        "Anthropic refused the API key.",
        "run `shammah key status` to see where the key is, and check that it may use this model",
    ),
    BUDGET_SPENT: (
        "The month's budget is spent.",
        "raise it with --budget, or `month` under [budget] in config.toml; a month begins on the 1st, UTC",
    ),
    UNPRICED: (
        "What this would cost is not known, so the month's budget cannot count it.",
        "ask without --budget, and without `month` under [budget] in config.toml",
    ),
    "billing": ("The Anthropic account is out of credit or over its limit.", "check Billing at platform.claude.com"),
    "rate_limited": ("Claude was asked too often in a short time.", "wait a minute, then ask again"),
    "overloaded": ("Claude is overloaded.", "ask again in a few minutes"),
    "server": ("Anthropic's server failed.", "ask again later; status.claude.com lists incidents"),
    "unknown_model": (
        "Anthropic does not know the model asked for.",
        "check the model's name, and ANTHROPIC_BASE_URL if it is set",
    ),
    "bad_request": ("Anthropic rejected the request.", "check the query's length and the model's limits"),
    "timeout": ("Claude did not answer in time.", "ask again, or raise teacher.timeout_s in config.toml"),
    "unreachable": (
        "Claude could not be reached.",
        "check network, proxy and certificates, and ANTHROPIC_BASE_URL if it is set",
    ),
    "cut": ("The connection to Claude ended before any text came.", "ask again"),
    "itself": (
        "ANTHROPIC_BASE_URL points to shammah's own service.",
        "unset it for shammah; only other programs need it",
    ),
    "not_hidden": (
        "The question holds a secret that could not be replaced by a stand-in, so it was not sent.",
        "leave it out, or send it as it is: shammah config set privacy.secrets send",
    ),
    INTERRUPTED: ("Interrupted.", "ask again"),
    "no_verdict": (
        "Claude did not say in one word whether the stored answer serves.",
        "if that happens often, choose another judge.model in config.toml, or judge.share = 0",
    ),
    "no_judge": ("The recording has no judge.", "judge.share = 0 asks for no verdicts"),
    "not_recorded": ("The recording has no answer to this query.", "ask a query that was recorded"),
}
_KIND_OF_STATUS = {
    401: "key_refused",
    402: "billing",
    403: "key_refused",
    404: "unknown_model",
    429: "rate_limited",
    529: "overloaded",
}
_STATUS_INSIDE_A_STREAM = {"invalid_request_error": 400, "rate_limit_error": 429, "overloaded_error": 529}


_EXPLAINED = {"bad_request", "unknown_model", "key_refused", "billing", "rate_limited"}
"""The outages whose cause the server knows better than we do; of the others it only says that they happened."""
_LONGEST = 400  # characters of a server's message: Claude's have at most about 200
_KEY = re.compile(r"sk-[\w-]{6,}")  # any key of Anthropic's, whole or shortened
_CUT_OUT = "[key]"


def outage(kind: str) -> Outage:
    """Return the outage of this kind, in our own words."""
    message, hint = _OUTAGES[kind]
    return Outage(kind=kind, message=message, hint=hint)


def unpriced(model: str) -> Outage:
    """Return the outage of a request that the budget cannot count; `model` is empty where no price would help."""
    found = outage(UNPRICED)
    if not model:
        return found
    message = f"What {model} charges for this is not known, so the month's budget cannot count it."
    hint = f"give its price under [teacher.prices.{model}] in config.toml, or {found.hint}"
    return msgspec.structs.replace(found, message=message, hint=hint)


def explained(found: Outage, model: str, said: str) -> Outage:
    """Return an outage with the server's own words, and the name of the model that it does not know."""
    if found.kind == "unknown_model":
        named = f"Anthropic does not know the model {model}."
        found = msgspec.structs.replace(found, message=named)
    return msgspec.structs.replace(found, said=said) if said and found.kind in _EXPLAINED else found


def cleaned(message: object, secret: str) -> str:
    """Return a server's message on one line, without what moves a cursor, hides or reorders text, and without the key.

    The key is cut out last: what is between its characters may be invisible.
    """
    if not isinstance(message, str):
        return ""
    visible = "".join(mark for mark in message if mark.isspace() or unicodedata.category(mark)[0] != "C")
    line = " ".join(visible.split())
    for key in filter(None, {secret, secret.strip(), " ".join(secret.split())}):
        line = line.replace(key, _CUT_OUT)
    line = _KEY.sub(_CUT_OUT, line)
    return line if len(line) <= _LONGEST else line[: _LONGEST - 1] + "…"


def words_of(error: Exception, secret: str) -> str:
    """Return what the server says about an error of the SDK, cleaned; nothing if it says nothing."""
    import anthropic

    return cleaned(error.api_message, secret) if isinstance(error, anthropic.APIStatusError) else ""


def kind_of(error: Exception) -> str:
    """Return the kind of outage that an error of the SDK, or of the HTTP library below it, means."""
    import anthropic
    import httpx2

    match error:
        case anthropic.APIStatusError() if error.response.headers.get(SOURCE) == ITSELF:
            return "itself"
        case anthropic.APIStatusError():
            details = (error.type, error.error_code, error.api_message)
            return kind_of_status(error.status_code, *(part if isinstance(part, str) else None for part in details))
        case anthropic.APITimeoutError() | httpx2.TimeoutException():
            return "timeout"
        case httpx2.ConnectError():
            return "unreachable"
        case UnicodeEncodeError():  # the query is not valid text
            return "bad_request"
        case httpx2.HTTPError() | json.JSONDecodeError():  # before the headers it would be an APIConnectionError
            return "cut"
    return "unreachable"


def kind_of_status(status: int, error_type: str | None, code: str | None, message: str | None) -> str:
    """Return the kind of outage that an error response means; the server's `message` is not passed on.

    An error inside a stream has the stream's status, 200, so its type decides.
    """
    if status < 400:
        status = _STATUS_INSIDE_A_STREAM.get(error_type or "", 500)
    spent = re.search(r"usage limit|credit balance", message or "", re.IGNORECASE)
    if "spend_limit" in (code or "") or (status == 400 and spent):
        return "billing"
    return _KIND_OF_STATUS.get(status, "server" if status >= 500 else "bad_request")
