"""JSON to an address that may be a secret: errors name the host alone."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlsplit

import httpx

from lakehouse.clients.http import TRANSIENT_STATUS, one_line
from lakehouse.errors import ServiceDownError, ServiceRefusedError, TransientError

SECONDS = 5.0
"""How long a receiver may take; a tick has several to tell."""


def post(
    url: str, body: Any, *, headers: dict[str, str] | None = None, auth: tuple[str, str] | None = None
) -> None:
    """One POST, not repeated: whoever calls tries again later.

    Raises:
        ServiceDownError: nothing answers.
        TransientError: it broke off, or the answer is 408, 429 or 5xx.
        ServiceRefusedError: any other answer than 2xx.
    """
    where = urlsplit(url).netloc.rpartition("@")[2] or "no address"
    try:
        response = httpx.post(url, json=body, headers=headers, auth=auth, timeout=SECONDS)
    except (httpx.ConnectError, httpx.ConnectTimeout) as error:
        raise ServiceDownError("does not answer", where=where) from error
    except httpx.HTTPError as error:
        raise TransientError(f"broke off: {type(error).__name__}", where=where) from error
    except httpx.InvalidURL as error:
        raise ServiceRefusedError(f"is no address: {error}", where=where) from None
    if response.status_code in TRANSIENT_STATUS:
        raise TransientError(f"answered {response.status_code}", where=where)
    if not response.is_success:
        text = one_line(response.text, 200)
        raise ServiceRefusedError(f"refused the message ({response.status_code}): {text}", where=where)
