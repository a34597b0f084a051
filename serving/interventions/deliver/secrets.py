"""Secrets: names of the environment until the moment of use, `${NAME}` again in whatever is said of them."""

import string
from collections.abc import Mapping
from pathlib import Path


class ChannelUnusable(ValueError):
    """A channel cannot be used as it is declared or as the environment is; the message says why, and no secret."""


class Environment:
    """The variables of a process, for filling in and for taking out again.

    Where there is no NAME but a NAME_FILE, the file that it names holds the value: as secrets are mounted into containers.
    """

    def __init__(self, variables: Mapping[str, str]) -> None:
        self._variables = variables
        self._used: dict[str, str] = {}

    def filled(self, text: str) -> str:
        """The text with the variables that it names filled in; ChannelUnusable if there is none of a name."""
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
        """The text without the values that were ever filled in."""
        for name, value in sorted(self._used.items(), key=lambda used: -len(used[1])):
            text = text.replace(value, f"${{{name}}}")
        return text


def _content(name: str, file: str) -> str:
    try:
        return Path(file).read_text("utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        raise ChannelUnusable(f"{name}_FILE names {file}, which cannot be read: {type(error).__name__}") from None
