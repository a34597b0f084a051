"""Signatures of webhooks: outgoing messages are signed, incoming messages are verified.

Outgoing ones follow Standard Webhooks; incoming ones do so or carry X-Hub-Signature. Several secrets are valid at the same time
while one replaces another.
"""

import base64
import binascii
import hashlib
import hmac
import logging
import os
import re
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime

from standardwebhooks import Webhook
from standardwebhooks.webhooks import EmptyWebhookSecretError, WebhookVerificationError

from features.errors import ExitCode, ForesailError
from serving.interventions.declare.settings import IncomingWebhook
from serving.interventions.deliver.secrets import ChannelUnusable, Environment

log = logging.getLogger("bentoml.foresail")

HUB = "x-hub-signature"
HUB_256 = "x-hub-signature-256"


class BadSignature(ForesailError):
    """The signature is missing or wrong; the message names the expected signature, and contains no secret."""

    exit_code = ExitCode.DATA


def sign_headers(secrets: Sequence[Webhook], message_id: str, payload: str, at: datetime) -> dict[str, str]:
    """The headers of Standard Webhooks: every secret signs, so that a receiver can replace its secret at any time."""
    moment = at.astimezone(UTC)
    headers = {"webhook-id": message_id, "webhook-timestamp": str(int(moment.timestamp()))}
    if secrets:
        headers["webhook-signature"] = " ".join(secret.sign(message_id, moment, payload) for secret in secrets)
    return headers


def signing_key(secret: str, declared: str) -> Webhook:
    """The key of a secret, which is whsec_ and base64. ChannelUnusable for any other text."""
    encoded = secret.removeprefix("whsec_")
    try:
        key = base64.b64decode(encoded + "=" * (-len(encoded) % 4), validate=True)
    except binascii.Error:
        key = b""
    if not key:
        raise ChannelUnusable(f"the secret {_name(declared)} must be whsec_ and base64")
    return Webhook(key)


def _name(declared: str) -> str:
    """The name of a secret in messages: the variable that holds it."""
    return declared if re.fullmatch(r"\$\{\w+\}", declared) else "in the file"


def verify_signature(declared: IncomingWebhook, body: bytes, headers: Mapping[str, str]) -> None:
    """BadSignature unless one of the secrets signed exactly this body; a standard one not longer than five minutes ago."""
    check = _is_standard if declared.signature == "standard" else _is_hub
    if not any(check(secret, body, headers) for secret in _secrets_of(declared)):
        raise BadSignature(_looked_for(declared.signature))


def _secrets_of(declared: IncomingWebhook) -> Iterator[str]:
    """The secrets that the environment has; a secret that is not set yet does not invalidate the others."""
    environment = Environment(os.environ)
    for secret in declared.secrets:
        try:
            yield environment.filled(secret)
        except ChannelUnusable as unset:
            log.warning("a secret of [webhooks] cannot be used: %s", unset)


def _looked_for(signature: str) -> str:
    if signature == "standard":
        return "no secret of this webhook made the signature in webhook-signature of webhook-id, webhook-timestamp and body, not long ago"
    return f"no secret of this webhook made the HMAC-SHA-256 of the body in {HUB_256} or {HUB}"


def _is_standard(secret: str, body: bytes, headers: Mapping[str, str]) -> bool:
    try:
        Webhook(secret).verify(body, dict(headers), json_parse=False)
    except (WebhookVerificationError, EmptyWebhookSecretError, ValueError):
        return False
    return True


def _is_hub(secret: str, body: bytes, headers: Mapping[str, str]) -> bool:
    made = "sha256=" + hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()
    return hmac.compare_digest(made.encode(), headers.get(HUB_256, headers.get(HUB, "")).encode())
