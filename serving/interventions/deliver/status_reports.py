"""What another system's message says of an intervention, by the places in its JSON that are declared."""

from dataclasses import dataclass
from typing import Any

from serving.database.intervention_states import CLAIMED, DISMISSED, DONE, IN_PROGRESS
from serving.interventions.declare.settings import IncomingWebhook

FORESAIL_WORDS = {word: word for word in (CLAIMED, IN_PROGRESS, DONE, DISMISSED)}
"""What needs no declaration: Foresail's own."""


class UnreadableReport(ValueError):
    """The message lacks what is declared to be in it; the message says what and where it was looked for."""


@dataclass(frozen=True)
class StatusReport:
    """Which intervention, the sender's word for its status, and the state that it means: None for a word that nobody declared."""

    intervention_id: str
    word: str
    to: str | None
    actor: str | None


def read_status_report(declared: IncomingWebhook, body: Any) -> StatusReport:
    """The report in a message. UnreadableReport."""
    own, word = _text_at(body, declared.intervention_id), _text_at(body, declared.status)
    actor = _text_at(body, declared.actor) if declared.actor else None
    return StatusReport(own, word, {**FORESAIL_WORDS, **declared.words}.get(word), actor)


def _text_at(body: Any, path: str) -> str:
    found = body
    for name in path.split("."):
        found = found.get(name) if isinstance(found, dict) else None
    if not isinstance(found, str) or not 0 < len(found) <= 200 or not _can_be_kept(found):
        raise UnreadableReport(f"there is no text of up to 200 characters at {path} of the message")
    return found


def _can_be_kept(text: str) -> bool:
    r"""Whether a database can: JSON may hold \0, and halves of characters."""
    return "\0" not in text and text.encode(errors="ignore").decode() == text
