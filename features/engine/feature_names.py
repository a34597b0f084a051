"""Names of features in an order, quick to look up by."""

from functools import cached_property


class Names(tuple[str, ...]):  # noqa: SLOT001  it keeps its hash
    """A tuple of names that hashes them once: hundreds of names are a key that every request looks up."""

    def __hash__(self) -> int:
        return self._hash

    @cached_property
    def _hash(self) -> int:
        return super().__hash__()
