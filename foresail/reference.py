"""The reference pages in docs/, written from the declarations so that they cannot drift: python -m foresail.reference."""

from collections.abc import Iterator
from pathlib import Path

from features.catalog import CATALOG
from features.definitions import Aggregate, Definition, Derived, Season
from features.streams import STREAMS, Column, Stream

DOCS = Path(__file__).parent.parent / "docs"


def streams_page() -> str:
    """docs/streams.md: every stream with its grain and columns."""
    return "\n".join(
        [
            "# Streams",
            "",
            "A source's `select` gives its columns these names. Required ones must be there; the others may be left out.",
            "A column that the stream does not have is an error, so that a misspelt name cannot become an absent value.",
            "Times without an offset are read in the project's timezone. A row that breaks a check goes to quarantine with",
            "the reason. Written by `python -m foresail.reference`.",
            *(line for stream in STREAMS.values() for line in _stream(stream)),
            "",
        ]
    )


def features_page() -> str:
    """docs/features.md: the whole catalog."""
    rows = [
        f"| `{one.name}` | {_streams(one.definition)} | {one.meaning} | {one.unit} | {one.absent} |" for one in CATALOG
    ]
    return "\n".join(
        [
            "# Features",
            "",
            f"{len(CATALOG)} features, one value per account and as_of, from what was known by then. Windows are",
            "(as_of − w, as_of]; a day is 24 hours. A trend is (now − before) / (now + before): −1 stopped, 0 unchanged, +1 new.",
            "Absent is NaN unless it says 0. Written by `python -m foresail.reference`.",
            "",
            "| feature | stream | meaning | unit | absent |",
            "| --- | --- | --- | --- | --- |",
            *rows,
            "",
        ]
    )


def _stream(stream: Stream) -> Iterator[str]:
    yield from ["", f"## {stream.name}", "", f"Grain: {stream.grain}.", ""]
    yield from ["| column | type | meaning | if missing | checked |", "| --- | --- | --- | --- | --- |"]
    yield from map(_column, stream.columns)


def _column(column: Column) -> str:
    name = f"**`{column.name}`**" if column.required else f"`{column.name}`"
    kind = f"{column.type}, {column.unit}" if column.unit else column.type
    checks = "; ".join(check.otherwise for check in column.checks)
    return f"| {name} | {kind} | {column.meaning} | {column.absent} | {checks} |"


def _streams(definition: Definition) -> str:
    if isinstance(definition, Aggregate):
        return definition.stream
    if isinstance(definition, Derived):
        return " and ".join(dict.fromkeys([_streams(definition.first), _streams(definition.second)]))
    return "the calendar" if isinstance(definition, Season) else ""


PAGES = {"streams.md": streams_page, "features.md": features_page}

if __name__ == "__main__":
    for name, page in PAGES.items():
        (DOCS / name).write_text(page(), encoding="utf-8")
