"""Secrets: the environment holds their values; texts for people and logs have `${NAME}` in their place."""

import string
from collections.abc import Mapping
from pathlib import Path

from features.errors import ExitCode, ForesailError


class ChannelUnusable(ForesailError, ValueError):
    """A channel cannot be used as declared or with this environment; the message says why, and contains no secret."""

    exit_code = ExitCode.PROJECT


class Environment:
    """The variables of a process: fills them into a text, and hides their values in a text.

    Without a variable NAME the file named by NAME_FILE holds the value, as secrets are mounted into containers.
    """

    def __init__(self, variables: Mapping[str, str]) -> None:
        self._variables = variables
        self._used: dict[str, str] = {}

    def filled(self, text: str) -> str:
        """The text with its variables filled in; ChannelUnusable for an unknown variable."""
        template = string.Template(text)
        if not template.is_valid():
            raise ChannelUnusable("a $ that begins no ${NAME} must be written $$")
        values = {name: self._value(name) for name in template.get_identifiers()}
        self._used |= values
        return template.substitute(values)

    def _value(self, name: str) -> str:
        value, file = self._variables.get(name), self._variables.get(f"{name}_FILE")
        if not value and file:
            value = _content(name, file)
        if not value:
            raise ChannelUnusable(f"the environment has no variable {name}, nor {name}_FILE")
        return value

    def hidden(self, text: str) -> str:
        """The text with the names of variables instead of the values that were filled in."""
        for name, value in sorted(self._used.items(), key=lambda used: -len(used[1])):
            text = text.replace(value, f"${{{name}}}")
        return text


def _content(name: str, file: str) -> str:
    try:
        return Path(file).read_text("utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        raise ChannelUnusable(f"{name}_FILE names {file}, which cannot be read: {type(error).__name__}") from None
