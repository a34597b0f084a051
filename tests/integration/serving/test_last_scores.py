"""What the last night left is part of a score on demand: where the account stands, what changed, how severe it is."""

import json
from datetime import timedelta
from types import SimpleNamespace

import numpy as np
import pytest
from serving_company import ACCOUNTS, AS_OF, boosted_card, recency_card, register, settings_of

from features.catalog import named
from features.engine.table import build_feature_table
from serving.accounts.states import refresh_states
from serving.database.engine import writing
from serving.database.tables import account_segments, cuts, score_history, scores
from serving.online.schemas import ScoreRequest
from serving.online.score_request import answer
from serving.runtime.model_watcher import ModelWatcher
from serving.scoring.scores import Rows
from serving.scoring.value_at_stake import VALUE_FEATURES, predicted_values, severity_of
from training.data.targets import ValueTarget

BEFORE = AS_OF - timedelta(days=30)
LONG_AGO = AS_OF - timedelta(days=60)
CUTS = {"severity_medium": 1.0, "severity_high": 10.0, "severity_critical": 100.0}
A7 = ScoreRequest(account_ids=["A7"])
A7_EXPLAINED = ScoreRequest(account_ids=["A7"], explain="top")


@pytest.fixture(scope="module")
def registry(company, tmp_path_factory):
    uri = f"sqlite:///{tmp_path_factory.mktemp('registry')}/mlflow.db"
    register(uri, *boosted_card(company.table))
    register(uri, recency_card())
    register(uri, recency_card(ValueTarget("value", horizon_days=73, active_within_days=None)) | {"answer": "amount"})
    return uri


@pytest.fixture
def watching(company, registry, database):
    """A service whose states are there and whose nights are still to come."""
    refresh_states(database, company.history, AS_OF)
    models = {target: f"wholesaler-{target}" for target in ("churn", "soon", "value")}
    told = SimpleNamespace(folder=company.folder, tracking_uri=registry)
    url = database.url.render_as_string(hide_password=False)
    watch = ModelWatcher({"FORESAIL_SERVING": json.dumps(settings_of(told, models=models, database=url))})
    watch.look()
    return watch


def night(database, at, answer=0.25, *, last=True):
    """What a night leaves of A7 and its target soon."""
    said = {"account_id": "A7", "target": "soon", "as_of": at, "model_version": "1"}
    with writing(database) as connection:
        connection.execute(score_history.insert().values(**said, answer=answer))
        if last:
            columns = {"horizon_days": 30, "probability": answer, "model": "wholesaler-soon", "data_as_of": at}
            connection.execute(scores.insert().values(**said, **columns))
            stands = {"quadrant": "strategic_core", "tier": "growth", "segment": "at_risk", "health": 41.5}
            connection.execute(account_segments.insert().values(account_id="A7", as_of=at, **stands))
            connection.execute(cuts.insert(), [{"name": name, "value": at_, "as_of": at} for name, at_ in CUTS.items()])


def entry(watching, request=A7, as_of=AS_OF):
    return answer(request, watching.in_service(), as_of)[0]


def score_of(found, target="soon"):
    return next(score for score in found.scores if score.target == target)


def test__before_the_first_night__what_it_would_leave_is_null(watching):
    """Nothing is guessed: no segmentation, no severity, no change; what is at stake needs no night."""
    found = entry(watching)
    assert (found.quadrant, found.tier, found.segment, found.health, found.data_as_of) == (None,) * 5
    assert (score_of(found).severity, score_of(found).change) == (None, None)
    assert score_of(found).value_at_stake > 0


def test__after_a_night__standing_and_severity_are_in_the_score(watching, database):
    """A service that runs takes up the cuts of a new night at its next look; the segmentation is there at once."""
    night(database, BEFORE)
    found = entry(watching)
    assert (found.quadrant, found.tier, found.segment, found.health) == ("strategic_core", "growth", "at_risk", 41.5)
    assert found.data_as_of == BEFORE
    watching.look()
    stake = score_of(entry(watching)).value_at_stake
    assert score_of(entry(watching)).severity == severity_of(np.array([stake]), CUTS)[0]


def test__change__the_latest_score_before_as_of__and_what_moved_it(watching, database):
    """What a key-account manager asks first: what is new? Told by one model at both moments, with both values."""
    night(database, LONG_AGO, 0.1, last=False)
    night(database, BEFORE, 0.25)
    score = score_of(entry(watching, A7_EXPLAINED))
    change = score.change
    assert (change.previous_as_of, change.previous, change.model_version) == (BEFORE, 0.25, "1")
    assert change.difference == score.probability - 0.25
    (moved,) = change.reasons
    days = [row_of(watching, at)["purchases_days_since_last"] for at in (BEFORE, AS_OF)]
    assert (moved.before, moved.value) == tuple(days)
    model = watching.in_service().models["soon"].model
    then, now = (model.contributions([[value]])[0, 0] for value in days)
    assert moved.size == now - then
    assert moved.direction == ("raises" if now > then else "lowers")


def row_of(watching, as_of):
    accounts = watching.in_service().accounts
    return dict(zip(accounts.features.names, accounts.rows(["A7"], as_of)[0].tolist(), strict=True))


@pytest.mark.parametrize(("as_of", "previous"), [(AS_OF, 0.25), (BEFORE, 0.1), (LONG_AGO, None)])
def test__change__asked_for_an_earlier_moment__knows_no_later_score(watching, database, as_of, previous):
    """A score speaks for its moment: the night of that very moment is not before it, and later ones have not been."""
    night(database, LONG_AGO, 0.1, last=False)
    night(database, BEFORE, 0.25)
    change = score_of(entry(watching, as_of=as_of)).change
    assert (change.previous if change else None) == previous


def test__change__score_before_was_none__no_difference(watching, database):
    """From not scored to a probability is a change, but no number."""
    night(database, BEFORE, None)
    change = score_of(entry(watching)).change
    assert (change.previous, change.difference) == (None, None)


def test__change__not_asked_to_explain__no_reasons(watching, database):
    """Reasons cost milliseconds; the number of the score before costs nothing."""
    night(database, BEFORE)
    assert score_of(entry(watching)).change.reasons == []


def test__value_at_stake__value_model__its_amount_scaled_to_a_year(watching):
    """A fifth of a year's horizon: five times the amount, times the probability."""
    found = entry(watching)
    amount = score_of(found, "value").amount
    assert score_of(found).value_at_stake == pytest.approx(score_of(found).probability * amount * 365 / 73, rel=1e-12)
    assert score_of(found, "value").value_at_stake is None


def test__predicted_values__no_value_model__net_purchases_of_a_year_or_contracts(company):
    """Without a model the year behind stands for the year ahead; more returned than ordered is worth nothing, not less."""
    table = build_feature_table(company.history, AS_OF, named(VALUE_FEATURES))
    values = predicted_values(None, Rows.of(table), {})
    assert values.tolist() == [max(0.0, net, contracts) for net, contracts in table.to_numpy().tolist()]


@pytest.mark.parametrize(
    ("stake", "word"), [(0.0, "low"), (1.0, "medium"), (9.99, "medium"), (10.0, "high"), (100.0, "critical")]
)
def test__severity__at_a_cut__the_higher_one(stake, word):
    """As bands: whoever reaches the cut is beyond it."""
    assert severity_of(np.array([stake]), CUTS) == [word]


def test__inline_account__named_like_a_known_one__stands_nowhere(watching, database):
    """An id beside inline events is a label: it must not borrow what another account was told."""
    night(database, BEFORE)
    inline = ScoreRequest.model_validate({"accounts": [{"account_id": "A7", "events": ACCOUNTS["A7"]}]})
    found = entry(watching, inline)
    assert (found.tier, score_of(found).change) == (None, None)
