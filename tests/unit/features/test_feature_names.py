"""Names are the tuple that they look like, and cheap to look up by."""

from typing import Self

from features.engine.feature_names import Names


class Counted(str):
    """A name that counts how often it is hashed."""

    __slots__ = ("times",)

    def __new__(cls, name: str) -> Self:
        counted = super().__new__(cls, name)
        counted.times = 0
        return counted

    def __hash__(self) -> int:
        self.times += 1
        return super().__hash__()


def test__names__looked_up_by_again__are_hashed_once():
    """Every request looks some two hundred names up, several times."""
    name = Counted("purchases_days_since_last")
    places = {Names([name]): 0}
    names = Names([name])
    name.times = 0
    assert [places[names], places[names]] == [0, 0]
    assert name.times == 1


def test__names__beside_a_plain_tuple__are_the_same_key():
    """What one of them was stored under is found by the other."""
    assert {("a", "b"): 1}[Names("ab")] == {Names("ab"): 1}["a", "b"] == 1
