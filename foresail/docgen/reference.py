"""The reference pages in docs/, written from the declarations so that they cannot drift: python -m foresail.docgen.reference."""

from collections.abc import Iterator, Sequence
from pathlib import Path

from features.catalog import CATALOG, FAMILIES
from features.definitions import Constant, Definition, Derived, Feature, Season
from features.history.streams import ENGAGEMENT, ENGAGEMENT_KINDS, STATUSES, STREAMS, Column, Stream
from foresail.docgen.cli_page import cli_page
from foresail.docgen.http_page import http_page
from foresail.docgen.playbooks_page import playbooks_page
from foresail.docgen.project_file_page import project_file_page
from foresail.docgen.published_page import published_page
from foresail.docgen.rules_page import rules_page
from foresail.docgen.simulation_page import simulation_page
from foresail.docgen.targets_page import targets_page
from foresail.simulation import causes

DOCS = Path(__file__).parents[2] / "docs"


def streams_page() -> str:
    """docs/reference/streams.md: every stream with its grain and columns."""
    return "\n".join(
        [
            "# Streams",
            "",
            "A source's `select` gives its columns these names. Required ones must be there; the others may be left out.",
            "A column that the stream does not have is an error, so that a misspelt name cannot become an absent value.",
            "Times without an offset are read in the project's timezone. A row that breaks a check goes to quarantine with",
            "the reason. Written by `python -m foresail.docgen.reference`.",
            *(line for stream in STREAMS.values() for line in _stream(stream)),
            "",
        ]
    )


def features_page() -> str:
    """docs/reference/features.md: the whole catalog, family by family."""
    return "\n".join(
        [
            "# Features",
            "",
            f"{len(CATALOG)} features, one value per account and as_of, from what was known by then. Windows are",
            "(as_of − w, as_of]; a day is 24 hours. A trend is (now − before) / (now + before): −1 stopped, 0 unchanged, +1 new.",
            "Absent is NaN unless it says 0. Names say family, what, stat and window; `lag90d` is a window that ended 90 days",
            "ago. Written by `python -m foresail.docgen.reference`.",
            "",
            *(f"- [{title}](#{title}): {what}" for title, what, _ in _families()),
            *(line for title, what, features in _families() for line in _family(title, what, features)),
            "",
        ]
    )


def _families() -> Iterator[tuple[str, str, Sequence[Feature]]]:
    """Each family's name, what it tells, and its features."""
    for family in FAMILIES:
        first_line = (family.__doc__ or "").strip().splitlines()[0]
        yield family.__name__.rsplit(".", 1)[-1], first_line[0].lower() + first_line[1:], family.FEATURES


def _family(title: str, what: str, features: Sequence[Feature]) -> Iterator[str]:
    yield from ["", f"## {title}", "", what[0].upper() + what[1:], ""]
    yield from ["| feature | meaning | unit | absent | stream |", "| --- | --- | --- | --- | --- |"]
    for one in features:
        yield f"| `{one.name}` | {one.meaning} | {one.unit} | {one.absent} | {_streams(one.definition)} |"


def _stream(stream: Stream) -> Iterator[str]:
    yield from ["", f"## {stream.name}", "", f"Grain: {stream.grain}.", ""]
    yield from ["| column | type | meaning | if missing | checked |", "| --- | --- | --- | --- | --- |"]
    yield from map(_column, stream.columns)
    if stream is ENGAGEMENT:
        yield from ["", "| kind | what happened | its status |", "| --- | --- | --- |"]
        yield from (f"| `{kind}` | {meaning} | {_status(kind)} |" for kind, meaning in ENGAGEMENT_KINDS.items())


def _status(kind: str) -> str:
    return ", ".join(STATUSES.get(kind, ()))


def _column(column: Column) -> str:
    name = f"**`{column.name}`**" if column.required else f"`{column.name}`"
    kind = f"{column.type}, {column.unit}" if column.unit else column.type
    checks = "; ".join(check.otherwise for check in column.checks)
    return f"| {name} | {kind} | {column.meaning} | {column.absent} | {checks} |"


def _streams(definition: Definition) -> str:
    """Where the events come from, each stream once."""
    return " and ".join(dict.fromkeys(_read(definition)))


def _read(definition: Definition) -> Iterator[str]:
    if isinstance(definition, Derived):
        yield from _read(definition.first)
        yield from _read(definition.second)
    elif isinstance(definition, Season):
        yield "the calendar"
    elif not isinstance(definition, Constant):
        yield definition.stream


PAGES = {
    "reference/streams.md": streams_page,
    "reference/features.md": features_page,
    "reference/targets.md": targets_page,
    "explanation/simulation.md": simulation_page,
    "reference/published.md": published_page,
    "reference/rules.md": rules_page,
    "reference/playbooks.md": playbooks_page,
    "reference/project_file.md": project_file_page,
    "reference/cli.md": cli_page,
    "reference/http.md": http_page,
}

if __name__ == "__main__":
    for name, page in PAGES.items():
        (DOCS / name).write_text(page(), encoding="utf-8")
    causes.draw(DOCS / "images" / "simulation.svg")
