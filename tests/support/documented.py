"""The fenced blocks of README and of every page of the documentation, by language.

`sh` and `python` run in the tests; `console`, with `$ ` before each command, and `py` do not. All other languages are data.
"""

import re
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[2]
FRONT = [ROOT / name for name in ("README.md", "CONTRIBUTING.md", "CHANGELOG.md", "SECURITY.md")]
PAGES = [*FRONT, *sorted((ROOT / "docs").rglob("*.md"))]
LANGUAGES = {"sh", "console", "python", "py", "toml", "json", "yaml", "sql", "ini", "cron", "text"}
FENCE = re.compile(r"^( *)```(\w*)\n(.*?)^\1```$", re.DOTALL | re.MULTILINE)


@dataclass(frozen=True)
class Block:
    """A fenced block, with the page that holds it (a path below the clone)."""

    page: str
    language: str
    text: str


def blocks(*languages):
    """The blocks of these languages, page by page; all blocks without a language."""
    found = [
        Block(path.relative_to(ROOT).as_posix(), language, text)
        for path in PAGES
        for _, language, text in FENCE.findall(path.read_text(encoding="utf-8"))
    ]
    return [block for block in found if not languages or block.language in languages]


def commands(block):
    """The commands of a block, without comments and without what is printed between them."""
    lines = [line.strip() for line in block.text.splitlines() if line.strip()]
    if block.language == "console":
        lines = [line.removeprefix("$ ") for line in lines if line.startswith("$ ")]
    return [re.split(r"\s+# ", line)[0].strip() for line in lines]


def shape(line):
    """A line of a transcript without its numbers and its widths, which differ from run to run and machine to machine."""
    return re.sub(r"[─━ ]+", " ", re.sub(r"\d[\d,.]*", "0", line)).strip()


def absent_from(transcript, said):
    """The lines of a transcript that an output does not have; a line of dots, or one that begins with a prompt, stands for others."""
    there = {shape(line) for line in said.splitlines()}
    lines = (line for line in transcript.splitlines() if not line.startswith(("...", "$ ")))
    return [line for line in lines if shape(line) not in there]
