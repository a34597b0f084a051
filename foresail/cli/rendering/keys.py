"""API keys on the terminal. Hashes are nobody's business."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from rich.text import Text

from foresail.cli.rendering.answers import Shown, day, grid

if TYPE_CHECKING:
    from serving.database.keys import Key


def key_created(key: "Key", text: str) -> Shown:
    """A new key in full, for the only time."""
    heading = f"key {key.key_id} for {key.name}, good for {', '.join(key.scopes)}; it is shown this once:"
    header = f"callers send it as  Authorization: Bearer {text}"
    return Shown([heading, Text(text, style="bold"), header], {**_facts(key), "key": text})


def key_revoked(key: "Key") -> Shown:
    """A key that was ended."""
    return Shown([f"key {key.key_id} ({key.name}) is revoked; a running service refuses it in seconds"], _facts(key))


def key_list(keys: "Sequence[Key]", timezone: str) -> Shown:
    """Every key, or what it means that there is none."""
    facts = [_facts(key) for key in keys]
    if not keys:
        return Shown(
            ["no key yet: the service answers this machine alone; foresail keys create NAME --scope score"], facts
        )
    table = grid("key", "name", "scopes", "created", "revoked")
    for key in keys:
        revoked = day(key.revoked_at, timezone) if key.revoked_at else ""
        table.add_row(key.key_id, key.name, ", ".join(key.scopes), day(key.created_at, timezone), revoked)
    return Shown([table], facts)


def _facts(key: "Key") -> dict[str, Any]:
    return {
        "key_id": key.key_id, "name": key.name, "scopes": list(key.scopes),
        "created_at": key.created_at, "revoked_at": key.revoked_at,
    }  # fmt: skip
