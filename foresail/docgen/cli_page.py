"""docs/reference/cli.md: every command with its options, and the exit codes, written from the commands' own help."""

from collections.abc import Iterator
from enum import Enum
from pathlib import Path
from typing import Any, NamedTuple

import typer

from features.errors import ExitCode
from foresail.cli.main import app
from foresail.docgen.markdown import linked, table

PAGE = "reference/cli.md"
MANY = -1
"""How typer says that an argument may be repeated."""


class Command(NamedTuple):
    """A command as the command line has it, with the words that call it and the heading that lists it."""

    words: str
    heading: str
    command: Any


def cli_page() -> str:
    """The commands by heading, each with its help, and what each exit code means."""
    commands = list(_commands(typer.main.get_command(app), "foresail", ""))
    return "\n".join(
        [
            "# Command line",
            "",
            "Every command with its options, as `foresail COMMAND --help` shows them. A project is a folder with a",
            "`foresail.toml`; `--project` names it. Times are dates or ISO timestamps; without an offset they are read in the",
            "project's timezone. Written by `python -m foresail.docgen.reference`.",
            "",
            *_overview(commands),
            "",
            "## Exit codes",
            "",
            *_exit_codes(),
            "",
            "An error is one sentence on standard error. With `--json` it is one JSON object with `error` and `exit_code`.",
            *(line for one in commands for line in _command(one)),
            "",
        ]
    )


def _commands(command: Any, words: str, heading: str) -> Iterator[Command]:
    heading = command.rich_help_panel or heading
    if hasattr(command, "commands"):
        for name, below in command.commands.items():
            yield from _commands(below, f"{words} {name}", heading)
    else:
        yield Command(words, heading, command)


def _overview(commands: list[Command]) -> Iterator[str]:
    links: dict[str, list[str]] = {}
    for one in commands:
        link = f"[{one.words.removeprefix('foresail ')}](#{one.words.replace(' ', '-')})"
        links.setdefault(one.heading, []).append(link)
    yield from table(["", "commands"], ((heading, ", ".join(found)) for heading, found in links.items()))


def _exit_codes() -> Iterator[str]:
    yield from table(["code", "meaning"], [(str(int(code)), code.meaning) for code in ExitCode])


def _command(one: Command) -> Iterator[str]:
    yield from ["", f"## {one.words}", "", "```text", _usage(one), "```", ""]
    yield from _help(one.command.help or "")
    rows = [_row(each) for each in one.command.params if not each.hidden]
    if rows:
        yield from ["", *table(["option", "default", "meaning"], rows)]


def _usage(one: Command) -> str:
    arguments = (each for each in one.command.params if each.param_type_name == "argument")
    return " ".join([one.words, *map(_argument, arguments), "[OPTIONS]"])


def _argument(each: Any) -> str:
    name = str(each.name).upper()
    return f"{name if each.required else f'[{name}]'}{'...' if each.nargs == MANY else ''}"


def _help(text: str) -> Iterator[str]:
    """The paragraphs of a help text; one that shows a command is code."""
    for number, paragraph in enumerate(text.strip().split("\n\n")):
        lines = [line.strip() for line in paragraph.splitlines()]
        if number:
            yield ""
        if lines[0].startswith("foresail "):
            yield from ["```text", *lines, "```"]
        else:
            yield from (linked(line, PAGE) for line in lines)


def _row(each: Any) -> tuple[str, str, str]:
    return _names(each), _default(each), linked(each.help or "", PAGE)


def _names(each: Any) -> str:
    if each.param_type_name == "argument":
        return f"`{_argument(each)}`"
    value = "" if each.is_flag else f" {_value(each)}"
    return ", ".join(f"`{name}{value if name.startswith('--') else ''}`" for name in sorted(each.opts, reverse=True))


def _value(each: Any) -> str:
    choices = [choice.value for choice in type(each.default)] if isinstance(each.default, Enum) else []
    return each.metavar or "|".join(map(str, choices)) or str(each.name).upper()


def _default(each: Any) -> str:
    if each.required:
        return "required"
    if isinstance(each.show_default, str):
        return each.show_default
    default = each.default.value if isinstance(each.default, Enum) else each.default
    if default in {None, False, "", ()} or isinstance(default, Path):
        return ""
    return f"`{default}`"
