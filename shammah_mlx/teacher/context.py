"""How much Claude can read at once: the context of a model, and the size of a request.

Tokens are estimated from bytes, since Claude's tokenizer is not public. The estimates err on the user's side: what may
fit is sent, and Claude says so if it does not, at no cost.
"""

from shammah_mlx.config import TeacherConfig
from shammah_mlx.events import Query
from shammah_mlx.teacher.judge import asked_tokens
from shammah_mlx.teacher.reply import undated

MOST_BYTES_A_TOKEN = 8  # of UTF-8: prose has about 4, and only runs of blanks or rules have more than this
MOST_REQUEST_BYTES = 32_000_000  # of a request, attachments in base64 included: the Messages API's limit
ESCAPED = 1.1  # bytes of JSON for one of a text: quotes and line ends take two


def context_tokens(model: str, config: TeacherConfig) -> int:
    """Return how many tokens a model's context holds; a dated model has its family's."""
    return config.contexts.get(model) or config.contexts.get(undated(model)) or config.context_tokens


def can_fit(query: Query, config: TeacherConfig) -> bool:
    """Say whether the text may fit into the model's context, even if each of its tokens is long."""
    return query.size <= MOST_BYTES_A_TOKEN * context_tokens(query.model or config.model, config)


def is_likely_to_fit(query: Query, config: TeacherConfig) -> bool:
    """Say whether the text and a reply of `max_tokens` are likely to fit into the model's context."""
    most = context_tokens(query.model or config.model, config)
    return asked_tokens(query) + (query.max_tokens or config.max_tokens) <= most


def request_bytes(query: Query) -> int:
    """Return about how many bytes a request for an answer has."""
    return int(ESCAPED * query.size) + sum(len(attached.data or "") for attached in query.attachments or ())
