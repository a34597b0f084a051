"""Secrets: names of the environment until the moment of use, `${NAME}` again in whatever is said of them."""

import string
from collections.abc import Mapping


class NotUsable(ValueError):
    """A channel cannot be used as it is declared or as the environment is; the message says why, and no secret."""


class Environment:
    """The variables of a process, for filling in and for taking out again."""

    def __init__(self, variables: Mapping[str, str]) -> None:
        self._variables = variables
        self._used: dict[str, str] = {}

    def filled(self, text: str) -> str:
        """The text with the variables that it names filled in; NotUsable if there is none of a name."""
        template = string.Template(text)
        if not template.is_valid():
            raise NotUsable("a $ that begins no ${NAME} must be written $$")
        missing = [name for name in template.get_identifiers() if not self._variables.get(name)]
        if missing:
            raise NotUsable(f"the environment has no variable {missing[0]}")
        self._used |= {name: self._variables[name] for name in template.get_identifiers()}
        return template.substitute(self._variables)

    def hidden(self, text: str) -> str:
        """The text without the values that were ever filled in."""
        for name, value in sorted(self._used.items(), key=lambda used: -len(used[1])):
            text = text.replace(value, f"${{{name}}}")
        return text
