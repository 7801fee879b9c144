"""Ask Anthropic whether it takes a key, which is free. Whatever else goes wrong says nothing about the key."""

import json
from typing import Literal

from shammah_mlx.teacher.connection import make_http_client
from shammah_mlx.teacher.identity import OUR_VIA
from shammah_mlx.teacher.outages import kind_of

WITHIN_S = 5.0  # who stores a key waits for it

Checked = Literal["works", "refused", "unknown"]


def check_key(secret: str) -> Checked:
    """Ask once for the list of models with this key, and say whether the key works.

    It is refused if the server does not know it (401). A server that cannot be reached, has no such list, or does not
    let this key read it leaves it unknown.
    """
    import anthropic  # takes 1.8 s
    import httpx2

    try:
        with anthropic.Anthropic(
            api_key=secret,
            max_retries=0,
            timeout=WITHIN_S,
            http_client=make_http_client(),
            default_headers={"via": OUR_VIA},
        ) as client:
            listed = json.loads(client.models.with_raw_response.list(limit=1).http_response.content)
    except anthropic.APIStatusError as error:
        return "refused" if error.status_code == 401 and kind_of(error) != "itself" else "unknown"
    except (anthropic.AnthropicError, httpx2.HTTPError, httpx2.InvalidURL, ValueError, OSError, ImportError):
        return "unknown"
    return "works" if isinstance(listed, dict) and "data" in listed else "unknown"  # others may answer on the way
