"""docs/reference/project_file.md: every table and key of foresail.toml, written from what the reader of the file checks."""

from collections.abc import Iterator
from importlib.resources import files
from typing import Any

from pydantic import BaseModel
from pydantic.fields import FieldInfo

from foresail.config.project_file import TABLES
from foresail.docgen.markdown import linked, table

PAGE = "reference/project_file.md"


def project_file_page() -> str:
    """Every table of the file with its keys and defaults, then the file that `foresail init` writes."""
    template = files("foresail.config").joinpath("foresail.toml.template").read_text("utf-8")
    return "\n".join(
        [
            "# Project file",
            "",
            "A project is a folder with a `foresail.toml`. `foresail init FOLDER` writes one in which comments explain every",
            "setting. Foresail checks the file as a whole when it reads it: an unknown key, a wrong unit or an impossible value",
            "is an error that names the key and says what to do (exit code 3). Written by `python -m foresail.docgen.reference`.",
            "",
            "**Bold** keys must be there. `${NAME}` in a URL or a secret is a variable of the environment.",
            *(line for path, model in TABLES.items() if path for line in _table(path, model)),
            "",
            "## The file that foresail init writes",
            "",
            "A line that begins with `# ` and a key is a setting that may be left out; it shows the default or an example.",
            "",
            "```toml",
            *template.rstrip().splitlines(),
            "```",
            "",
        ]
    )


def _table(path: tuple[str, ...], model: type[BaseModel]) -> Iterator[str]:
    keys = ((_key(name, field), _default(field), _meaning(field)) for name, field in model.model_fields.items())
    yield from ["", f"## {_heading(path)}", "", *table(["key", "default", "must be"], keys)]


def _heading(path: tuple[str, ...]) -> str:
    """The head of the table as the file writes it: [project], [[sources]], [targets.NAME]."""
    name = ".".join("NAME" if part == "*" else part for part in path)
    listed = path == ("sources", "*") or (path[-1] == "*" and path[-2] in {"rules", "steps"} and len(path) > 2)
    return f"[[{name.removesuffix('.NAME')}]]" if listed else f"[{name}]"


def _key(name: str, field: FieldInfo) -> str:
    key = f"`{field.alias or name}`"
    return f"**{key}**" if field.is_required() else key


def _default(field: FieldInfo) -> str:
    if field.is_required():
        return "required"
    return _toml(field.get_default(call_default_factory=True))


def _toml(value: Any) -> str:
    """A default as the file would write it; nothing for one that only the absence of the key can say."""
    if isinstance(value, BaseModel):
        return "see below" if any(type(value) is model for model in TABLES.values()) else ""
    if isinstance(value, bool):
        return f"`{str(value).lower()}`"
    if value is None or value in ("", (), {}):
        return ""
    if isinstance(value, int | float):
        return f"`{value:_}`" if isinstance(value, int) else f"`{value:g}`"
    return f"`{value}`"


def _meaning(field: FieldInfo) -> str:
    return linked(field.description or "", PAGE)
