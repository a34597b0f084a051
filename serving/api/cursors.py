"""Opaque cursors: where a page ended, as text that a caller gives back to go on from there."""

import base64
from typing import TypeVar

from pydantic import BaseModel, ValidationError

from serving.errors import MalformedRequest

Place = TypeVar("Place", bound=BaseModel)


def cursor_of(place: BaseModel) -> str:
    """The cursor that leads back to a place."""
    return base64.urlsafe_b64encode(place.model_dump_json().encode()).decode().rstrip("=")


def place_of(cursor: str, kind: type[Place]) -> Place:
    """The place that a cursor was made of; MalformedRequest for a text that is none of ours."""
    try:
        padded = cursor.encode("ascii") + b"=" * (-len(cursor) % 4)
        return kind.model_validate_json(base64.b64decode(padded, altchars=b"-_", validate=True))
    except (ValueError, ValidationError) as error:
        raise foreign(cursor) from error


def foreign(cursor: str) -> MalformedRequest:
    """What is said of a cursor that does not belong to the request."""
    return MalformedRequest(
        f"query parameter 'cursor': '{cursor[:100]}' is not the `next` of an answer to this request; "
        "give it back as it was, with the same sort and order, or leave it out to begin anew"
    )
