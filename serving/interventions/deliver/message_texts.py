"""The texts of messages to people, about an intervention: what, for which account, who, until when and why.

Plain text: Apprise escapes it for mail and chats that take HTML or Markdown.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

NEWS_OF_TYPE = {
    "intervention.assigned": "to do",
    "intervention.claimed": "claimed",
    "intervention.in_progress": "begun",
    "intervention.escalated": "nobody has taken it up: it is yours now",
    "intervention.overdue": "overdue",
    "intervention.done": "done",
    "intervention.dismissed": "dismissed",
    "intervention.expired": "expired",
}
WHO, UNTIL, WHY, HOW, DOES = "Account", "Until", "Why", "How", "Who does it"
ANYBODY = "anybody of {role}"
MANY = "{count} messages"
MORE = "and {count} more"
MOST_TOGETHER = 20
"""The most messages in one text; of the others it has only the number."""


@dataclass(frozen=True)
class Text:
    title: str
    body: str


def text_of(payload: Mapping[str, Any], name: str | None, timezone: str) -> Text:
    """The text of one message; `name` is the account's, moments are written in the timezone."""
    about = payload["data"]
    lines = [
        (WHO, _account(about, name)),
        (DOES, _doer(about)),
        (UNTIL, _local_time(about.get("due_at"), timezone)),
        (WHY, about.get("reason")),
        (HOW, about.get("say")),
    ]
    return Text(_headline(payload), "\n".join(f"{label}: {_one_line(value)}" for label, value in lines if value))


def text_together(payloads: Sequence[tuple[Mapping[str, Any], str | None]], timezone: str) -> Text:
    """Several messages in one text, a paragraph each, in their order."""
    if len(payloads) == 1:
        return text_of(*payloads[0], timezone)
    texts = [text_of(payload, name, timezone) for payload, name in payloads[:MOST_TOGETHER]]
    paragraphs = [f"{text.title}\n{text.body}" for text in texts]
    if len(payloads) > MOST_TOGETHER:
        paragraphs.append(MORE.format(count=len(payloads) - MOST_TOGETHER))
    return Text(MANY.format(count=len(payloads)), "\n\n".join(paragraphs))


def _headline(payload: Mapping[str, Any]) -> str:
    about = payload["data"]
    what = _one_line(about["playbook"]).replace("_", " ")
    return f"[{about['severity']}] {what}: {NEWS_OF_TYPE.get(payload['type'], payload['type'])}"


def _account(about: Mapping[str, Any], name: str | None) -> str:
    return f"{name} ({about['account_id']})" if name else str(about["account_id"])


def _doer(about: Mapping[str, Any]) -> str:
    role = str(about["role"]).replace("_", " ")
    return f"{about['owner']}, {role}" if about.get("owner") else ANYBODY.format(role=role)


def _local_time(text: str | None, timezone: str) -> str | None:
    return text and f"{datetime.fromisoformat(text).astimezone(ZoneInfo(timezone)):%a %Y-%m-%d %H:%M} {timezone}"


def _one_line(value: object) -> str:
    """A value on one line: a name with a line break must not look like a message of Foresail."""
    return " ".join(str(value).split())
