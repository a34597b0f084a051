"""The line of champions: what a rollback walks back through, whatever was promoted, refused or moved by another hand."""

from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from registry.promotion_log import FORCED, OVERTAKEN, PROMOTED, REFUSED, ROLLED_BACK, Check, Decision, VersionHistory

DAY = datetime(2024, 1, 1, tzinfo=UTC)


def decided(kind, version, before, day=0):
    return Decision(kind, version, before, DAY + timedelta(days=day))


def test__line__two_promotions_and_two_rollbacks__walks_back_to_the_first():
    """1, then 2, then 3; back to 2; back to 1; nothing before that."""
    moves = [decided(PROMOTED, 2, 1), decided(FORCED, 3, 2), decided(ROLLED_BACK, 2, 3), decided(ROLLED_BACK, 1, 2)]
    lines = [VersionHistory((1, 2, 3, 2, 1)[done], tuple(moves[:done])).line for done in range(5)]
    assert lines == [(1,), (1, 2), (1, 2, 3), (1, 2), (1,)]


def test__line__promoted_again_after_a_rollback__goes_back_to_whom_it_replaced():
    """3 disappointed, 2 came back, 4 followed: before 4 there was 2, and 3 is off the line."""
    moves = (decided(PROMOTED, 2, 1), decided(PROMOTED, 3, 2), decided(ROLLED_BACK, 2, 3), decided(PROMOTED, 4, 2))
    assert VersionHistory(4, moves).line == (1, 2, 4)


def test__line__refused_and_overtaken__change_nothing():
    """What did not move the champion is kept, but is no step of the line."""
    moves = (decided(REFUSED, 2, 1), decided(PROMOTED, 3, 1), decided(OVERTAKEN, 4, 1))
    assert VersionHistory(3, moves).line == (1, 3)
    assert VersionHistory(3, moves).first == 1


def test__line__alias_moved_by_another_hand__goes_on_from_there_and_says_so():
    """Somebody clicked in MLflow: 7 is champion; going back leads to the last one on record."""
    moved = VersionHistory(7, (decided(PROMOTED, 2, 1),))
    assert (moved.line, moved.unrecorded) == ((1, 2, 7), True)
    assert not VersionHistory(2, (decided(PROMOTED, 2, 1),)).unrecorded


def test__line__no_decision__is_the_champion_alone():
    """The quiet path: trained once, or never."""
    assert VersionHistory(1).line == (1,)
    assert VersionHistory(None).line == ()


@given(st.lists(st.one_of(st.just(0), st.integers(1, 5)), max_size=20))
def test__line__any_moves__rollback_undoes_the_last_promotion(steps):
    """A stack kept by hand says the same: a number promotes that version, 0 rolls back where there is whereto."""
    stack, moves = [1], []
    for day, step in enumerate(steps):
        before = stack[-1]
        if step and step != before:
            stack.append(step)
            moves.append(decided(PROMOTED, step, before, day))
        elif not step and len(stack) > 1:
            stack.pop()
            moves.append(decided(ROLLED_BACK, stack[-1], before, day))
    assert VersionHistory(stack[-1], tuple(moves)).line == tuple(stack)


def test__decision__kept_and_read__the_same():
    """What the registry keeps is all there is."""
    checks = (Check("log loss", False, "0.3 against 0.2", {"difference": 0.1, "low": None}),)
    one = Decision(REFUSED, 2, None, DAY, "ana", "better data", DAY - timedelta(days=60), checks, ("no fair test",))
    assert Decision.from_json(one.to_json()) == one


def test__why__reason_and_failed_checks__in_one_line():
    """A list of decisions has a line for each."""
    checks = (Check("log loss", True, "better"), Check("profit", False, "worse beyond noise"))
    assert (
        Decision(FORCED, 2, 1, DAY, reason="it is Monday", checks=checks).why
        == "it is Monday; profit: worse beyond noise"
    )


def test__overtaken_by__names_who_won_when_and_why():
    """Who comes second has to be told by whom it was overtaken."""
    late = decided(PROMOTED, 3, 1).overtaken_by(2, Decision(PROMOTED, 2, 1, DAY, "ana", "fresher"))
    assert (late.kind, late.moves) == (OVERTAKEN, False)
    assert late.why == (
        "this was decided with version 1 as the champion in view, but version 2 is, promoted at 2024-01-01T00:00:00+00:00 "
        "by ana (fresher)"
    )
