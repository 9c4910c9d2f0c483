"""Checking who sent a webhook: for receivers, who need nothing else of this package.

>>> from pretext_client import SignatureError, verify
>>> def receive(headers, body):
...     event = verify(headers, body, "whsec_…")
...     print(event["type"], event["data"]["id"])
"""

import base64
import binascii
import hmac
import json
import time
from collections.abc import Mapping
from typing import Any

from pretext_client.errors import PretextError

_PREFIX = "whsec_"
_LONGEST_STAMP = 12


class SignatureError(PretextError):
    """The request was not sent by who knows the secret, not just now, or not as it has arrived. Answer it with 400 or 401."""


def verify(headers: Mapping[str, str], body: bytes | str, secret: str, *, tolerance: float = 300) -> dict[str, Any]:
    """Check the signature of a webhook (Standard Webhooks, `v1`), and read it.

    Args:
        headers: of the request; how their names are capitalised does not matter.
        body: of the request, as it came: not read as JSON and written again.
        secret: of the webhook, `whsec_…`.
        tolerance: seconds that its clock and this one may differ; an older request may be one that somebody recorded.

    Returns:
        `type`, `timestamp` and `data`. The same event may come again: its `webhook-id` header tells.

    Raises:
        SignatureError: it cannot be trusted.
        PretextError: the secret is none.
    """
    key = _key(secret)
    raw = body.encode() if isinstance(body, str) else bytes(body)
    found = {name.lower(): value for name, value in headers.items()}
    id_, stamp, signatures = (found.get(f"webhook-{name}", "") for name in ("id", "timestamp", "signature"))
    if not (id_ and stamp and signatures):
        raise SignatureError("the request has no webhook-id, webhook-timestamp or webhook-signature")
    if not (stamp.isascii() and stamp.isdecimal() and len(stamp) <= _LONGEST_STAMP):
        raise SignatureError("webhook-timestamp is no number of seconds")
    if abs(time.time() - int(stamp)) > tolerance:
        raise SignatureError("webhook-timestamp is too far from this machine's clock; is that right?")
    digest = hmac.digest(key, f"{id_}.{stamp}.".encode() + raw, "sha256")
    wanted = b"v1," + base64.b64encode(digest)
    if not any([hmac.compare_digest(one.encode(), wanted) for one in signatures.split(" ")]):  # noqa: C419  all, in the same time
        raise SignatureError("no signature is of this body and secret")
    try:
        event = json.loads(raw)
    except ValueError:
        event = None
    if not isinstance(event, dict):
        raise SignatureError("the body is no event")
    return event


def _key(secret: str) -> bytes:
    try:
        key = base64.b64decode(secret.strip().removeprefix(_PREFIX), validate=True)
    except (binascii.Error, ValueError) as error:
        raise PretextError("the secret is none: it is `whsec_` and base64") from error
    if not key:
        raise PretextError("the secret is empty")
    return key
