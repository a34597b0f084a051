"""The Markdown that the generated pages share: tables, and links to the pages that a text names."""

import os
import re
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

DOCS = Path(__file__).parents[2] / "docs"


def table(heads: Sequence[str], rows: Iterable[Sequence[str]]) -> Iterator[str]:
    """A table with a heading row; a bar in a cell does not end the cell."""
    yield _row(heads)
    yield _row(["---"] * len(heads))
    yield from (_row([cell.replace("|", "\\|").replace("\n", " ") for cell in row]) for row in rows)


def _row(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cells)} |"


def linked(text: str, page: str) -> str:
    """The text with a link in the place of each path like docs/reference/rules.md, as seen from `page` (a path below docs/).

    A page is found by its name, wherever in docs/ it lies; ValueError if there is none of that name, or several.
    """
    return re.sub(r"docs/(?:\w+/)*(\w+)\.md", lambda found: _link(found[1], page), text)


def _link(name: str, page: str) -> str:
    found = (path.relative_to(DOCS) for path in DOCS.rglob(f"{name}.md"))
    pages = [path for path in found if path.parts[0] != "decisions"]
    if len(pages) != 1:
        raise ValueError(f"a text names docs/{name}.md; docs/ has {len(pages)} pages of that name")
    path = os.path.relpath(pages[0], Path(page).parent)
    return f"[{name.replace('_', ' ')}]({path})"
