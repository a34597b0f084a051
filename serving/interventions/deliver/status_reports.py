"""Status reports: another system's webhook says what became of an intervention, at the declared places of its JSON."""

from dataclasses import dataclass
from typing import Any

from features.errors import ExitCode, ForesailError
from serving.database.intervention_states import CLAIMED, DISMISSED, DONE, IN_PROGRESS
from serving.interventions.declare.settings import IncomingWebhook

FORESAIL_WORDS = {word: word for word in (CLAIMED, IN_PROGRESS, DONE, DISMISSED)}
"""Foresail's own words for a status need no declaration."""


class UnreadableReport(ForesailError, ValueError):
    """The report lacks a declared text; the message says where it should be."""

    exit_code = ExitCode.DATA


@dataclass(frozen=True)
class StatusReport:
    """The intervention, the sender's word for its status, and the state that the word means: None for an undeclared word."""

    intervention_id: str
    word: str
    to: str | None
    actor: str | None


def read_status_report(declared: IncomingWebhook, body: Any) -> StatusReport:
    """The status report in the body of a webhook. UnreadableReport."""
    own, word = _text_at(body, declared.intervention_id), _text_at(body, declared.status)
    actor = _text_at(body, declared.actor) if declared.actor else None
    return StatusReport(own, word, {**FORESAIL_WORDS, **declared.words}.get(word), actor)


def _text_at(body: Any, path: str) -> str:
    value = body
    for name in path.split("."):
        value = value.get(name) if isinstance(value, dict) else None
    if not isinstance(value, str) or not 0 < len(value) <= 200 or not _can_be_kept(value):
        raise UnreadableReport(f"there is no text of up to 200 characters at {path} of the message")
    return value


def _can_be_kept(text: str) -> bool:
    r"""Whether a database can: JSON may hold \0, and halves of characters."""
    return "\0" not in text and text.encode(errors="ignore").decode() == text
