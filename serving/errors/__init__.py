"""The errors that serving foresees while it answers a request: a class for each kind. No class knows a protocol.

A database that cannot be used is `serving.database.engine.DatabaseUnavailable`; a model that cannot be put into service is
`registry.loader.ModelUnavailable`. `serving.api.problems` says how each kind is answered over HTTP.
"""

from collections.abc import Mapping, Sequence
from typing import Self

from features.errors import ForesailError

__all__ = [
    "Busy",
    "HistoryUnavailable",
    "KeyReused",
    "MalformedEvent",
    "MalformedRequest",
    "NotConfigured",
    "NotReady",
    "ServingError",
    "UnknownAccount",
    "UnknownTarget",
    "pointer",
]


class ServingError(ForesailError):
    """A request that cannot be answered.

    `pointer` is the JSON pointer (RFC 6901, as a URI fragment) of the offending item in the request; `errors` lists several
    items, each with its own detail and pointer.
    """

    def __init__(
        self, message: str, remedy: str = "", *, pointer: str | None = None, errors: Sequence[Mapping[str, str]] = ()
    ) -> None:
        super().__init__(message, remedy)
        self.pointer, self.errors = pointer, tuple(errors)

    @classmethod
    def of_items(cls, errors: Sequence[Mapping[str, str]]) -> Self:
        """One error for all that is wrong with a request: the first item in full, the number of the others, and the list."""
        first, others = errors[0], len(errors) - 1
        more = f" ({others} more, see errors)" if others else ""
        return cls(first["detail"] + more, pointer=first["pointer"], errors=errors)


class UnknownAccount(ServingError):
    """Nothing is known of the account at the moment of the request."""


class UnknownTarget(ServingError):
    """The project has no such target."""


class MalformedRequest(ServingError):
    """The request breaks a rule of its schema."""


class MalformedEvent(ServingError):
    """An event of the request breaks a rule of its stream."""


class KeyReused(ServingError):
    """The idempotency key belongs to another request."""


class Busy(ServingError):
    """More requests are under way than can be answered in time."""


class NotReady(ServingError):
    """The service has not started completely."""


class NotConfigured(ServingError):
    """The settings of the service are absent or wrong."""


class HistoryUnavailable(ServingError):
    """No account has a state yet."""


def pointer(*steps: str | int) -> str:
    """The JSON pointer of an item as a URI fragment: the steps "accounts", 0 and "as_of" give #/accounts/0/as_of."""
    return "#" + "".join("/" + str(step).replace("~", "~0").replace("/", "~1") for step in steps)
