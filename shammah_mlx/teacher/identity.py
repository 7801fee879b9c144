"""Who answers: this program itself, which its names on the wire tell, or which teacher of all there are."""

import os
import re

from msgspec import UNSET, UnsetType

from shammah_mlx.events import hash_63
from shammah_mlx.teacher.keys import BASE_URL

OUR_VIA = "1.1 shammah"  # by this our own service knows that we want Claude's answer, and declines
SOURCE, ITSELF = "shammah-source", "itself"  # the service's header for who answered; its value when it declines
OUR_MODELS = "shammah-"  # prefix of this machine's model names: their answers are never learnt from
CLAUDE = "https://api.anthropic.com"
_URL = re.compile(r"(?P<scheme>\w+)://(?:[^/?#]*@)?(?P<host>[^/?#]+)(?P<path>[^?#]*)")
_USUAL_PORTS = {"https": ":443", "http": ":80"}
_PROVIDER = re.compile(r"^(?:[^/]*/)*(?:(?:\w+\.)?anthropic\.)?")  # as gateways and Bedrock write it before a name
_EDITION = re.compile(r"(?:-v\d+(?::\d+)?|:latest|-latest|-0)$")  # after it, as Bedrock, Ollama and aliases have it
_DATE = re.compile(r"[-@](\d{8})$")


def local_model(preset: str) -> str:
    """Return the name under which this machine answers."""
    return f"{OUR_MODELS}{preset}"


def base_url_here() -> str:
    """Return the base URL that the environment sets; nothing if it leaves that to the SDK."""
    return os.environ.get(BASE_URL, "").strip()


def is_base_url(text: str) -> bool:
    """Say whether this can be the base URL of somebody who is asked."""
    return _URL.match(text.strip()) is not None


def host_at(base_url: str) -> str:
    """Return who is asked at a base URL, for people: host and path, without a user's name, a password or a query."""
    return _place(base_url or CLAUDE).removeprefix("https://")


def origin(base_url: str) -> int | UnsetType:
    """Return a 63-bit hash of who is asked at a base URL, UNSET for Anthropic: another host is another teacher.

    A user's name, a password or a query in the URL makes no difference.
    """
    place = _place(base_url or CLAUDE)
    return UNSET if place == _place(CLAUDE) else hash_63(place.encode())


def _place(url: str) -> str:
    """Return scheme, host, port and path, written one way; any other text as it is."""
    found = _URL.match(url.strip())
    if not found:
        return url
    scheme, host, path = found["scheme"].lower(), found["host"].lower(), found["path"].rstrip("/")
    return f"{scheme}://{host.removesuffix(_USUAL_PORTS.get(scheme, ''))}{path}"


def is_claude(name: str) -> bool:
    """Say whether this is the name of a Claude model, whoever wrote it and however."""
    return _family(name)[0].startswith("claude")


def bare_name(name: str) -> str:
    """Return a model's name without what gateways and Bedrock write before it."""
    return _PROVIDER.sub("", name)


def is_model(asked: str, named: str) -> bool:
    """Say whether a reply that names a model comes from the one that was asked: one of them may have a date."""
    (ours, our_date), (its, its_date) = _family(asked), _family(named)
    return ours == its and ("" in (our_date, its_date) or our_date == its_date)


def _family(name: str) -> tuple[str, str]:
    """Return a model's name without provider, edition and date, and the date."""
    bare = _EDITION.sub("", _PROVIDER.sub("", name))
    dated = _DATE.search(bare)
    return (bare[: dated.start()], dated[1]) if dated else (bare, "")
