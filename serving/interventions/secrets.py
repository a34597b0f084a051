"""What is secret, read from the environment at the moment of use; it is in no file, database or log of ours."""

import os
import string


class MissingSecret(LookupError):
    """The environment lacks a variable; the message names it, and nothing of what it should hold."""


def revealed(declared: str) -> str:
    """A declared text with what the environment has in the place of each ${NAME}. MissingSecret."""
    try:
        return string.Template(declared).substitute(os.environ)
    except KeyError as missing:
        raise MissingSecret(
            f"the environment has no variable {missing.args[0]}; set it where the service is started"
        ) from None
    except ValueError as odd:
        raise MissingSecret("a secret is declared that is no name of the environment; write it as ${NAME}") from odd
