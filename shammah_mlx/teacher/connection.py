"""Make the HTTP client with which Anthropic's SDK asks Claude."""

import functools
import os
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import ssl

    import httpx2


def make_http_client() -> "httpx2.Client":
    """Return a client that follows no redirect, since nobody else is to get key and question.

    Raises:
        OSError, ValueError, ImportError: the certificates or the proxy that the environment names cannot be used.
    """
    import anthropic  # takes 1.8 s, so imported only when Claude is asked

    named = os.environ.get("SSL_CERT_FILE"), os.environ.get("SSL_CERT_DIR")
    return anthropic.DefaultHttpxClient(follow_redirects=False, verify=_certificates(*named))


@functools.cache
def _certificates(file: str | None, folder: str | None) -> "ssl.SSLContext":  # noqa: ARG001  the environment has them
    """Read the certificates to trust: once a process, since that takes 65 ms and each question has its own client."""
    import httpx2

    return httpx2.create_ssl_context()
