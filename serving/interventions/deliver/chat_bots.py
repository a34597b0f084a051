"""Chat bots of DingTalk and WeCom. Both answer 200 to every message and report the error in the body; Apprise reads only the 200."""

from datetime import timedelta
from typing import Any

import httpx

from serving.interventions.deliver.attempt import SUCCESS, DeliveryResult

SECONDS = 10.0
TOO_FAST = {130101, 410100, 45009}
"""DingTalk's and WeCom's codes for a message above the rate limit of a chat bot."""
SILENCE = timedelta(minutes=10)
"""How long DingTalk refuses messages of a chat bot that was too fast."""


def read_bot_answer(answer: httpx.Response) -> DeliveryResult:
    """The result in a chat bot's answer."""
    try:
        body = answer.json()
        code, words = int(body["errcode"]), str(body.get("errmsg", ""))
    except (ValueError, KeyError, TypeError):
        return DeliveryResult(f"the chat bot answered {answer.status_code}, and not as documented")
    if code:
        return DeliveryResult(
            f"the chat bot answered error {code}: {words}", quiet=SILENCE if code in TOO_FAST else None
        )
    return SUCCESS


def _post(url: str, message: dict[str, Any], params: dict[str, str]) -> DeliveryResult:
    address = httpx.URL(url).copy_merge_params(params)
    try:
        return read_bot_answer(
            httpx.post(address, json=message, timeout=SECONDS, follow_redirects=False, trust_env=False)
        )
    except httpx.TransportError as failed:
        return DeliveryResult(f"the chat bot cannot be reached ({type(failed).__name__})")


def with_result(plugin: Any) -> Any:
    """A plugin of Apprise for one of these chat bots, which keeps the result of a message in its `answer`."""
    request = _REQUESTS[plugin.schema]

    def send(body: str, title: str = "", **_: Any) -> bool:
        plugin.answer = _post(*request(plugin, f"{title}\n{body}" if title else body))
        problem: str | None = plugin.answer.problem
        return problem is None

    plugin.send = send
    return plugin


def _dingtalk_request(plugin: Any, text: str) -> tuple[str, dict[str, Any], dict[str, str]]:
    at = {"atMobiles": plugin.targets, "isAtAll": False}
    signature: dict[str, str] = {}
    if plugin.secret:
        timestamp, quoted = plugin.get_signature()
        signature = {"timestamp": timestamp, "sign": plugin.unquote(quoted)}
    message = {"msgtype": "text", "text": {"content": text}, "at": at}
    return plugin.notify_url.format(token=plugin.token), message, signature


def _wecom_request(plugin: Any, text: str) -> tuple[str, dict[str, Any], dict[str, str]]:
    return plugin.notify_url.format(key=plugin.key), {"msgtype": "text", "text": {"content": text}}, {}


_REQUESTS = {"dingtalk": _dingtalk_request, "wecombot": _wecom_request}
CHAT_BOTS = frozenset(_REQUESTS)
"""The schemes of their URLs."""
