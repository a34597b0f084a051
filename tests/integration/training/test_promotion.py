"""Champion and challenger on a real history and a real registry, and the way back."""

import multiprocessing
import shutil
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from training_company import promote_together, rule_model, small_model

from registry.card import ModelCard
from registry.errors import NoModel
from registry.promotion_log import FORCED, OVERTAKEN, PROMOTED, REFUSED, ROLLED_BACK, version_history
from registry.versions import load_alias
from registry.writer import log_and_register
from training.backtest.backtest import OtherFeatures
from training.evaluation.profit import Campaign
from training.promotion.promotion import Order, promote, rollback

T = datetime(2023, 9, 1, tzinfo=UTC)
NAME = "acme-churn"
GOOD, BETTER, UPSIDE_DOWN = (-3.0, 0.8), (-3.5, 1.0), (1.0, -1.0)
"""Intercept and weight on the logarithm of the days since the last order."""


def register(uri, *rules, **more):
    """One version a rule; the first of all is champion."""
    for intercept, weight in rules:
        log_and_register(rule_model(weight, intercept, **more), uri)


def order(day=1, **more):
    return Order(datetime(2023, 9, day, tzinfo=UTC), **more)


def asked(history, uri, version, given=None, as_of=T):
    return promote(history, version, given or order(), name=NAME, tracking_uri=uri, as_of=as_of)


@pytest.fixture(scope="module")
def uri(blank_store, tmp_path_factory):
    """1 good (champion), 2 upside down, 3 better, 4 trained within the judged horizon, 5 for another horizon."""
    uri = f"sqlite:///{shutil.copy(blank_store, tmp_path_factory.mktemp('registry') / 'mlflow.db')}"
    register(uri, GOOD, UPSIDE_DOWN, BETTER)
    register(uri, UPSIDE_DOWN, trained_as_of=datetime(2023, 8, 1, tzinfo=UTC))
    register(uri, GOOD, horizon_days=30)
    return uri


def test__promote__challenger_upside_down__refused_forced_and_rolled_back(history, uri):
    """It ranks who has just ordered highest: refused on log loss and profit; by force promoted, and said so; and back."""
    refused = asked(history, uri, 2)
    assert (refused.kind, refused.before, refused.judged_on) == (REFUSED, 1, T - timedelta(days=60))
    assert {"log loss", "profit"} <= {check.name for check in refused.failed}
    assert load_alias(uri, NAME).version == 1
    forced = asked(history, uri, 2, order(2, by="ana", reason="a drill", force=True))
    assert (forced.kind, forced.failed) == (FORCED, refused.failed)
    assert forced.why.startswith("a drill; log loss: ")
    assert load_alias(uri, NAME).version == 2
    back = rollback(order(3, reason="the drill is over"), name=NAME, tracking_uri=uri)
    assert (back.kind, back.version, back.before) == (ROLLED_BACK, 1, 2)
    assert [one.kind for one in version_history(uri, NAME).decisions] == [REFUSED, FORCED, ROLLED_BACK]
    with pytest.raises(NoModel, match="has had no champion before the present one"):
        rollback(order(4), name=NAME, tracking_uri=uri)


def test__promote__better_challenger__promoted_with_its_figures(history, uri):
    """All four checks are passed, and neither training has seen the horizon: nothing to note."""
    one = asked(history, uri, 3)
    assert (one.kind, one.failed, one.notes) == (PROMOTED, (), ())
    assert [check.name for check in one.checks] == ["log loss", "profit", "calibration", "scores"]
    assert version_history(uri, NAME).decisions[-1] == one
    assert rollback(order(9), name=NAME, tracking_uri=uri).version == 1


def test__promote__same_question_asked_twice__same_figures(history, uri):
    """Seeded: the decision can be reckoned again, bit for bit."""
    assert asked(history, uri, 2) == asked(history, uri, 2)


def test__promote__champion_itself__stays_and_nothing_is_kept(history, uri):
    """Nothing was decided."""
    before = version_history(uri, NAME)
    assert asked(history, uri, before.champion).moves
    assert version_history(uri, NAME) == before


def test__promote__version_that_is_not_there__champion_stays(history, uri):
    """A typing error must not leave a company without scores, by force or not."""
    with pytest.raises(NoModel, match="'acme-churn' has no version 7; it has 5, 4, 3, 2, 1"):
        asked(history, uri, 7, order(force=True))


def test__promote__training_has_seen_the_horizon__judged_and_said_with_the_day_of_a_fair_test(history, uri):
    """Trained as of 2023-08-01 it knew half of what it is judged on; from then on 60 days give the first fair horizon."""
    [note] = asked(history, uri, 4).notes
    assert "to 2023-09-01, version 4 has seen part of it in training" in note
    assert note.endswith("The first that neither has seen closes on 2023-09-30")


def test__promote__memorised_the_horizon__judged_as_it_was_before(history, uri):
    """A challenger that fits what it has seen, and was upside down before it had: what it was before decides."""
    seen_since, before = rule_model(BETTER[1], BETTER[0], trained_as_of=T), rule_model(UPSIDE_DOWN[1], UPSIDE_DOWN[0])
    kept = {"as_of_dates": {"test": "2023-06-01T00:00:00+00:00"}, "as_judged": before.card.to_json()}
    version = log_and_register(
        replace(seen_since, card=ModelCard.from_json(seen_since.card.to_json() | kept)), uri
    ).version
    one = asked(history, uri, version)
    assert one.kind == REFUSED
    assert {"log loss", "profit"} <= {check.name for check in one.failed}
    assert one.notes == (
        f"version {version} has seen all of this horizon in training; it is judged as it was fitted on 2023-06-01, before that",
    )


def test__promote__campaign_of_the_company__takes_the_place_of_what_is_assumed(history, uri):
    """Half of the accounts at 900 each is another profit than a tenth of them at next to nothing."""
    own = Campaign(capacity=0.5, contact_cost=900.0)
    said = promote(history, 3, order(), name=NAME, tracking_uri=uri, as_of=T, campaign=own)
    profit = next(check for check in said.checks if check.name == "profit")
    assert "50% contacted" in profit.words
    assert profit.figures["challenger"] < -100
    assert rollback(order(9), name=NAME, tracking_uri=uri).version == 1


def test__promote__other_question__refused(history, uri):
    """30 days and 60 days: no comparison says anything."""
    one = asked(history, uri, 5)
    assert (one.kind, one.failed[0].name) == (REFUSED, "comparable")
    assert "different questions" in one.failed[0].words


def test__promote__history_ends_long_before__refused_because_nothing_can_be_judged(history, uri):
    """A year after the last purchase everybody looks churned."""
    one = asked(history, uri, 3, as_of=T + timedelta(days=400))
    assert one.kind == REFUSED
    assert "every account would look churned" in one.why


def test__promote__champion_that_cannot_be_computed_here__replaced_and_said(history, new_store):
    """Its features are gone, so it serves nobody; the other way round nothing helps, not even force."""
    uri = new_store
    log_and_register(replace(small_model("purchases_gone"), name=NAME), uri)
    log_and_register(rule_model(), uri)
    one = asked(history, uri, 2)
    assert (one.kind, one.checks) == (PROMOTED, ())
    assert one.notes[0].startswith("nothing to compare with: version 1 of 'acme-churn' cannot be computed here")
    with pytest.raises(OtherFeatures):
        asked(history, uri, 1, order(force=True))


def test__rollback__twice__two_champions_back(history, new_store):
    """1, 2, 3 one after the other; then 2, then 1."""
    uri = new_store
    register(uri, GOOD, GOOD, GOOD)
    assert [asked(history, uri, version, order(version)).kind for version in (2, 3)] == [PROMOTED, PROMOTED]
    assert [rollback(order(day), name=NAME, tracking_uri=uri).version for day in (4, 5)] == [2, 1]


def test__promote__two_processes_at_once__one_wins_and_the_other_is_told_who(history, new_store):
    """Both have judged against version 1 when they settle; without the lock both would move the alias."""
    uri = new_store
    register(uri, GOOD, GOOD, GOOD)
    spawn = multiprocessing.get_context("spawn")
    barrier, answers = spawn.Barrier(2), spawn.Queue()
    processes = [
        spawn.Process(target=promote_together, args=(history.root, uri, version, barrier, answers))
        for version in (2, 3)
    ]
    for process in processes:
        process.start()
    told = {kind: (version, why) for version, kind, why in (answers.get(timeout=200) for _ in processes)}
    for process in processes:
        process.join(60)
    assert set(told) == {PROMOTED, OVERTAKEN}
    winner = told[PROMOTED][0]
    assert load_alias(uri, NAME).version == winner
    assert (
        f"version {winner} is, promoted at 2023-09-01T0{winner}:00:00+00:00 by process {winner}" in told[OVERTAKEN][1]
    )
    assert sorted(one.kind for one in version_history(uri, NAME).decisions) == [OVERTAKEN, PROMOTED]
