"""Keep secrets out of what is stored: a question that holds one, and Claude's reply that reveals one. Pure."""

import re
from collections.abc import Iterable

import msgspec
from msgspec import UNSET

from shammah_mlx.config import PrivacyConfig
from shammah_mlx.events import Interaction, Query, Reply
from shammah_mlx.text.revealing import reveals_secret
from shammah_mlx.text.sensitive import holds_secret


def asks_with_secret(query: Query) -> bool:
    """Return whether a query looks like it holds a secret, in whatever part of it."""
    return any(map(holds_secret, query.texts))


def stays_here(texts: Iterable[str], privacy: PrivacyConfig) -> bool:
    """Return whether the user wants none of these texts to leave this machine."""
    refuses = privacy.secrets == "refuse"
    return any(_matches(text, privacy.never_forward) or (refuses and holds_secret(text)) for text in texts)


def is_private(query: Query, privacy: PrivacyConfig) -> bool:
    """Return whether the user wants nothing of a query to be stored; one that may not be sent cannot be audited."""
    return any(_matches(text, privacy.never_store) for text in query.texts) or stays_here(query.texts, privacy)


def _matches(text: str, patterns: Iterable[str]) -> bool:
    return any(re.search(pattern, text) for pattern in patterns)  # `re` keeps what it compiled


def reveals(query: Query, reply: Reply) -> bool:
    """Return whether a reply looks like it reveals a secret, which may be one that it made."""
    return reveals_secret(query.text, reply.text)


def would_reveal(query: Query, answer: str) -> bool:
    """Return whether an answer that the user gives himself looks like it holds a secret."""
    return holds_secret(answer) or reveals_secret(query.text, answer)


def is_never_stored(reply: str, privacy: PrivacyConfig) -> bool:
    """Return whether by the settings a reply of Claude's may not be stored; to him it is no news."""
    return _matches(reply, privacy.never_store)


def may_be_judged(query: Query, draft: str, privacy: PrivacyConfig) -> bool:
    """Return whether a question and a draft may be sent to the judge; they may be older than today's settings."""
    return not stays_here((*query.texts, draft), privacy)


def is_not_to_be_kept(answer: str, privacy: PrivacyConfig) -> bool:
    """Return whether by the settings an answer that the user gives may not be stored, or not be shown to the judge."""
    return _matches(answer, privacy.never_store) or stays_here((answer,), privacy)


def is_secret(query: Query, reply: Reply) -> bool:
    """Return whether an exchange is not to be learnt, by today's rules: it may have been stored by those of before."""
    return asks_with_secret(query) or reveals(query, reply)


def screened(answered: Interaction, privacy: PrivacyConfig) -> Interaction:
    """Mark a reply that reveals a secret, as it looks, or may not be stored; nothing of its interaction is stored then.

    An audit is stored without the reply's text: the bound would seem to hold if bad drafts could lose their audits.
    """
    request, reply = answered.request, answered.reply
    if reply is None or not request.stored:
        return answered
    secret, private = reveals(request.query, reply), is_never_stored(reply.text, privacy)
    if not (secret or private):
        return answered
    withheld = msgspec.structs.replace(reply, secret=secret or UNSET, private=private or UNSET)
    marked = msgspec.structs.replace(answered, reply=withheld)
    if answered.audit_probability is not None:
        return marked
    return msgspec.structs.replace(marked, request=msgspec.structs.replace(request, stored=False))


def without_secret(answered: Interaction) -> Interaction:
    """Return an interaction as it may be written: without the text of a reply that may not be stored."""
    reply = answered.reply
    if reply is None or not reply.is_withheld:
        return answered
    return msgspec.structs.replace(answered, reply=msgspec.structs.replace(reply, text=""))
