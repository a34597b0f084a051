"""A playbook's assignments as an experiment: who counts, what is known of them, what became of them."""

from datetime import UTC, datetime, timedelta

import numpy as np
import pandas as pd
import pytest
from simulated import settings, truth_of
from storing import store
from training_company import FIRST_DAY, company

from features.engine.table import build_feature_table
from features.families.eligibility import had_purchase
from foresail.config.project import load
from foresail.operations.effects import NoExperiment, playbook_trial
from foresail.simulation.company import simulate
from foresail.simulation.world import dynamics
from training.uplift import NotRandomised, estimate_effects

PROJECT = """
[project]
name = "Tried"
currency = "EUR"
timezone = "UTC"

[history]
root = "history"
buckets = 4

[targets.churn]
kind = "churn"
horizon_days = 60
active_within_days = 180
"""
KNOWN_BY = FIRST_DAY + timedelta(days=500)
ACCOUNTS = company(accounts=200)


@pytest.fixture(scope="module")
def project(tmp_path_factory):
    """200 accounts over 720 days, with a target."""
    folder = tmp_path_factory.mktemp("tried")
    (folder / "foresail.toml").write_text(PROJECT, encoding="utf-8")
    store(folder / "history", ACCOUNTS)
    return load(folder)


def assigned(arms=("treatment", "control"), decided_by="lot", seed=0):
    """Every account once at a moment of its own between day 200 and 480, and half of them again a month later."""
    rng = np.random.default_rng(seed)
    first = pd.DataFrame(
        {
            "account_id": list(ACCOUNTS),
            "assigned_at": [FIRST_DAY + timedelta(seconds=int(rng.uniform(200, 480) * 86_400)) for _ in ACCOUNTS],
            "playbook": "call",
            "decided_by": decided_by,
            "arm": rng.choice(arms, len(ACCOUNTS)),
        }
    )
    again = first[::2].assign(assigned_at=first["assigned_at"][::2] + timedelta(days=30))
    return pd.concat([again, first])


@pytest.fixture(scope="module")
def tried(project):
    """The call, by lot."""
    return playbook_trial(project, assigned(), "call", "churn", KNOWN_BY)


def test__account__counts_once_from_its_first_assignment(tried):
    """Who is assigned again is who the first one did not help."""
    first = assigned().groupby("account_id")["assigned_at"].min()
    ids, moments = (tried.features.index.get_level_values(level) for level in (0, 1))
    assert ids.is_unique
    assert (moments == pd.DatetimeIndex(first[ids])).all()


def test__horizon_that_had_not_closed__is_left_out_and_counted(tried):
    """An assignment within 60 days of the last that is known has no label yet."""
    first = assigned().groupby("account_id")["assigned_at"].min()
    open_still = first > KNOWN_BY - timedelta(days=60)
    assert tried.left_out["horizon not closed"] == open_still.sum() > 0
    assert not set(first[open_still].index) & set(tried.features.index.get_level_values(0))
    assert len(tried.features) + sum(tried.left_out.values()) == len(first)


def test__label_and_features__are_those_of_the_table_at_the_assignment(project, tried):
    """Nothing known later in the features; the label from the orders of the 60 days after, as far as known by then."""
    for account, moment in tried.features.index[:25]:
        row = build_feature_table(project.history, moment, project.catalog).loc[(account, moment)]
        pd.testing.assert_series_equal(
            tried.features.loc[(account, moment)], row[tried.features.columns], check_exact=True
        )
        orders = [
            one
            for one in ACCOUNTS[account]["purchases"]
            if moment < one["occurred_at"] <= moment + timedelta(days=60) and one["known_at"] <= KNOWN_BY
        ]
        assert tried.happened[(account, moment)] == (not orders)
        assert row["purchases_orders_distinct"] == sum(
            one["known_at"] <= moment for one in ACCOUNTS[account]["purchases"]
        )


def test__not_eligible__is_left_out(project, tried):
    """Without an order in the 180 days before it an account is not scored for churn, and none of these rows is."""
    bought = had_purchase(180)
    for account, moment in tried.features.index[:10]:
        row = build_feature_table(project.history, moment, [bought]).loc[(account, moment)]
        assert row[bought.name] > 0
    assert tried.left_out["not eligible"] > 0


def test__habit__is_refused_without_leave(project):
    """Managers chose whom to call: others are set beside them, at the same moments, and a plain comparison is refused."""
    chosen = assigned(arms=["treatment"], decided_by="manager")
    half = chosen[chosen["account_id"].isin(list(ACCOUNTS)[:100])]
    tried = playbook_trial(project, half, "call", "churn", KNOWN_BY, seed=1)
    assert not tried.by_lot
    control = tried.features.index[~tried.treated]
    assert len(control) > 20
    first = half.groupby("account_id")["assigned_at"].min()
    assert all(account not in first or first[account] > moment for account, moment in control)
    assert set(control.get_level_values(1)) <= set(pd.DatetimeIndex(first))
    with pytest.raises(NotRandomised, match="'call' was not given by lot"):
        tried.effects()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda rows: rows.drop(columns="arm"), "assignments has no column 'arm'"),
        (lambda rows: rows.assign(playbook="mail"), "nobody was assigned to 'call'; there are assignments to mail"),
        (lambda rows: rows.assign(arm="pilot"), "'call' has the arm 'pilot'"),
    ],
)
def test__assignments__that_are_no_experiment__are_refused_in_words(project, change, message):
    with pytest.raises(NoExperiment, match=message):
        playbook_trial(project, change(assigned()), "call", "churn", KNOWN_BY)


def test__simulated_company__true_mean_effect__lies_in_the_interval():
    """An offer by lot to new accounts: what it truly does, known from simulating each account with and without it."""
    idle = {name: {"programme": "none"} for name in settings().playbooks}
    offer = {
        "programme": "experiment", "situation": "new", "monthly": 1.0, "satisfaction": 0.7, "rival": -0.7, "boost": 0.8,
    }  # fmt: skip
    wanted = settings(
        4000, seed=11, accounts={"existing_share": 0.1}, playbooks={**idle, "win_back_offer": offer},
        programme={"rest_days": 3000}, truth={"days_before_end": [100, 250, 400, 550]},
    )  # fmt: skip
    histories = simulate(wanted)
    rows = first_assignments(histories, 731 - wanted.truth.horizon_days)
    made = histories.accounts.made[rows["account"]]
    features = pd.DataFrame({name: made[name] for name in ("size", "fit", "pace", "industry", "software")})
    found = estimate_effects(
        features, rows["serial"] == dynamics.TREATED, churned_after(histories, rows, wanted.truth.horizon_days),
        direction="lower_is_better", propensity=0.5, learners=(),
    ).only  # fmt: skip
    effects = truth_of(wanted, histories).effects
    true = effects.loc[effects["playbook"] == "win_back_offer", "churn_change"].mean()
    for estimate in (found.difference, found.average):
        assert estimate.low < true < estimate.high < 0


def first_assignments(histories, before):
    """The first assignment of each account whose horizon has closed."""
    rows = histories.events[(histories.events["kind"] == dynamics.ASSIGNED) & (histories.events["day"] < before)]
    return pd.DataFrame({name: rows[name] for name in ("account", "day", "serial")}).drop_duplicates("account")


def churned_after(histories, rows, days):
    """1 without an order in so many days after the assignment."""
    lines = histories.events[histories.events["kind"] == dynamics.ORDER_LINE]
    orders = pd.DataFrame({"account": lines["account"], "on": lines["day"]}).merge(rows, on="account")
    within = orders[(orders["on"] > orders["day"]) & (orders["on"] <= orders["day"] + days)]
    return (~rows["account"].isin(within["account"])).astype(float)


def test__moments__without_a_zone__are_utc(project):
    """As a CSV file has them."""
    rows = assigned()
    plain = rows.assign(assigned_at=rows["assigned_at"].dt.tz_convert("UTC").dt.strftime("%Y-%m-%d %H:%M:%S"))
    tried = playbook_trial(project, plain, "call", "churn", KNOWN_BY)
    assert tried.features.index.get_level_values(1).max() < datetime(2024, 1, 1, tzinfo=UTC)
    assert len(tried.features) > 50
