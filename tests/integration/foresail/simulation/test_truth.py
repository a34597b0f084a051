"""The truth is true: it equals what happens, over many seeds, and what acting does when people act."""

import numpy as np
import pandas as pd
import pytest
from scipy.stats import norm
from simulated import numbers_of, settings, truth_of, usual

from foresail.simulation.company import simulate
from foresail.simulation.truth import truth
from foresail.simulation.world import dynamics, projections

SEEDS = range(30)
AT = 641
HORIZON = 90


def outcomes(wanted, histories):
    """What happened in the horizon, by the definitions of the settings: one row per account."""
    states, end = histories.states[0], histories.end
    events = histories.events[(histories.events["day"] >= AT) & (histories.events["day"] < AT + HORIZON)]
    lines = events[events["kind"] == dynamics.ORDER_LINE]
    accounts = len(histories.accounts)
    spent = np.bincount(lines["account"], lines["amount"], minlength=accounts)
    expected = truth.yearly_pace(histories, AT) * HORIZON / 365.0
    replaced = np.bincount(lines["account"][lines["quantity"] == -1], minlength=accounts)
    new = states["last_bought"][lines["account"], lines["word"]] <= AT - 1 - wanted.truth.lookback_days
    notice = events[(events["kind"] == dynamics.CONTRACT) & (events["word"] == dynamics.NOTICE)]["account"]
    running_out = (states["notice"] == 1) & (states["contract_ends"] >= AT) & (states["contract_ends"] < AT + HORIZON)
    return pd.DataFrame(
        {
            "churn": end["orders"] == states["orders"],
            "contraction": spent < (1 - wanted.truth.contraction) * expected,
            "upsell": (spent > (1 + wanted.truth.expansion) * expected) | (replaced > 0),
            "cross_sell": np.bincount(lines["account"], new, minlength=accounts) > 0,
            "contract_churn": running_out | (np.bincount(notice, minlength=accounts) > 0),
            "value": spent,
        }
    )


@pytest.fixture(scope="module")
def many():
    """The truth as of one moment beside what happened, account by account, of thirty companies."""
    parts = []
    for seed in SEEDS:
        wanted = settings(250, seed, truth={"value_days": HORIZON, "days_before_end": [90], "lookback_days": 60})
        histories = simulate(wanted)
        told = truth_of(wanted, histories).targets
        happened = outcomes(wanted, histories).iloc[numbers_of(told["account_id"])].reset_index(drop=True)
        parts.append(told.add_suffix("_true").assign(**happened, seed=seed))
    return pd.concat(parts, ignore_index=True)


@pytest.mark.parametrize("target", ["churn", "contraction", "upsell", "cross_sell", "contract_churn"])
def test__probability__equals_the_frequency_over_many_seeds(many, target):
    """In every fifth of the accounts as much happens as the truth says, within what chance allows.

    Fifths by the probability of churn, which is nearly exact: by a counted one, the luckiest estimates would be lowest.
    """
    rows = many[many["active_true"]]
    fifth = pd.qcut(rows["churn_true"].rank(method="first"), 5, labels=False)
    for _, part in rows.groupby(fifth):
        said, happened = part[f"{target}_true"], part[target].astype(float)
        # Accounts of a seed share their shocks: what is independent is the seed.
        by_seed = (happened - said).groupby(part["seed"]).mean()
        allowed = norm.ppf(1 - 0.0005) * max(by_seed.std() / np.sqrt(len(by_seed)), 0.002)
        assert abs((happened - said).mean()) < allowed, (target, said.mean(), happened.mean())


def test__value__equals_the_mean_ordered_over_many_seeds(many):
    """The expected value is the mean of what is ordered; heavy tails are tamed by the account's own size."""
    rows = many[many["active_true"] & (many["yearly_pace_true"] > 0)]
    said, happened = (rows[name] / rows["yearly_pace_true"] for name in ("value_true", "value"))
    by_seed = (happened - said).clip(-20, 20).groupby(rows["seed"]).mean()
    assert abs(by_seed.mean()) < 3.5 * by_seed.std() / np.sqrt(len(by_seed))
    assert np.corrcoef(many["value_true"], many["value"])[0, 1] > 0.5


def test__churn__computed_day_by_day__is_what_counting_gives():
    """No order in the horizon: multiplied up day by day, or counted in futures that are let run."""
    wanted = settings(150, seed=8, truth={"futures": 1500, "value_days": 90})
    histories = simulate(wanted)
    (course,) = truth.courses_of(wanted)
    told = projections.chances(wanted, histories.accounts, histories.states[0], np.full(150, 1e-9), course)
    known = ~np.isnan(told.churn)
    error = np.sqrt(told.churn * (1 - told.churn) / 1500 + told.churn_error**2)[known]
    z = (told.contraction - told.churn)[known] / np.maximum(error, 1e-3)
    assert abs(z).max() < 5
    assert abs(z.mean()) < 5 / np.sqrt(known.sum())


def test__first_day__is_the_first_on_which_enough_futures_have_ordered():
    """By hand: after one day a tenth of ten futures has ordered, after two half, after four all."""
    curve = np.array([9.0, 5.0, 5.0, 0.0])
    assert [projections._first_day(curve, 10, share) for share in (0.1, 0.5, 0.51, 0.9, 1.0)] == [1, 2, 4, 4, 4]
    assert projections._first_day(curve[:3], 10, 0.9) == np.inf


@pytest.fixture(scope="module")
def strong():
    """Companies that try an offer so strong that who is in its control group matters for the truth."""
    idle = {name: {"programme": "none"} for name in settings().playbooks}
    offer = {"programme": "experiment", "situation": "any", "monthly": 1, "boost": 2, "satisfaction": 0, "rival": 0,
             "response": 1, "response_noise": 0, "response_size": 0, "response_champion": 0}  # fmt: skip
    parts = []
    for seed in range(6):
        wanted = settings(
            600, seed, playbooks={**idle, "win_back_offer": offer}, programme={"rest_days": 20, "fatigue": 0}
        )
        histories = simulate(wanted)
        told = truth_of(wanted, histories).targets
        number = numbers_of(told["account_id"])
        first = list(wanted.playbooks).index("win_back_offer")
        treated = (histories.accounts.made["arms"][number] >> first & 1) == 1
        churned = (histories.end["orders"] == histories.states[0]["orders"])[number]
        parts.append(told.assign(treated=treated, churned=churned.astype(float), seed=seed)[told["active"]])
    return pd.concat(parts)


@pytest.mark.parametrize("treated", [True, False])
def test__probability__knows_the_arm_of_an_account(strong, treated):
    """Who is in control stays there in every future: the truth of both arms is that of what happens to them."""
    arm = strong[strong["treated"] == treated]
    by_seed = (arm["churned"] - arm["churn"]).groupby(arm["seed"]).mean()
    assert abs(by_seed.mean()) < 4 * by_seed.std() / np.sqrt(len(by_seed)) + 0.004
    assert strong.groupby("treated")["churn"].mean().diff().iloc[1] < -0.05


def test__shift__at_the_very_moment__is_in_the_truth():
    """Drivers that change on the day of which the truth speaks hold from that day on, in lives and futures alike."""
    off = []
    for seed in range(8):
        wanted = settings(300, seed, shift={"at_day": AT, "orders": 5.0}, truth={"horizon_days": 7, "value_days": 7})
        histories = simulate(wanted)
        told = truth_of(wanted, histories).targets
        orders = histories.events[
            (histories.events["kind"] == dynamics.ORDER_LINE)
            & (histories.events["day"] >= AT)
            & (histories.events["day"] < AT + 7)
        ]
        silent = ~np.isin(numbers_of(told["account_id"]), orders["account"])
        off.append((silent - told["churn"])[told["active"]].mean())
    assert abs(np.mean(off)) < 4 * np.std(off) / np.sqrt(len(off)) + 0.004


def test__next_order__agrees_with_churn():
    """The chance of an order within 90 days says on which side of them its quantiles lie."""
    told = truth_of(settings(200, seed=9, truth={"futures": 400}), simulate(settings(200, seed=9))).targets
    there = told[told["churn"] < 1]
    for share, column in ((0.1, "next_order_p10"), (0.5, "next_order_p50"), (0.9, "next_order_p90")):
        within = there[column] <= 90
        sure = (there["churn"] - (1 - share)).abs() > 0.06
        assert (within == (there["churn"] <= 1 - share))[sure].all(), column
    assert (there["next_order_p10"] <= there["next_order_p50"]).all()
    assert (there["next_order_p50"] <= there["next_order_p90"]).all()


def test__account_that_has_left__churns_for_certain():
    wanted = settings(300, seed=2, leaving={"a_year": 0.5})
    told = truth_of(wanted, simulate(wanted))
    gone = told.states["has_left"]
    assert gone.sum() > 30
    assert (told.targets["churn"][gone] == 1).all()
    assert (told.targets["value"][gone] == 0).all()
    assert (told.targets["churn"][~gone] < 1).all()
    assert not told.effects["account_id"].isin(told.states["account_id"][gone]).any()


def test__signal_off__everybody_is_alike():
    """Nothing tells accounts apart: one probability for all, and nobody leaves."""
    wanted = settings(300, seed=1, signal=0)
    histories = simulate(wanted)
    churn = truth_of(wanted, histories).targets["churn"]
    assert churn.max() - churn.min() < 1e-12
    assert 0.05 < churn.mean() < 0.6
    assert (histories.end["left"] < 0).all()


def test__playbook_without_push__changes_nothing_at_all():
    """With the same chance in both futures an action that does nothing has no effect: 0, and of sums but a rounding."""
    idle = {"situation": "any", "satisfaction": 0.0, "rival": 0.0, "boost": 0.0}
    wanted = settings(200, playbooks={"insight_report": idle}, programme={"rest_days": 0})
    effects = truth_of(wanted, simulate(wanted)).effects
    empty = effects[effects["playbook"] == "insight_report"]
    assert len(empty) > 100
    assert (empty["churn_change"] == 0).all()
    assert empty["value_change"].abs().max() < 1e-6
    assert (effects[effects["playbook"] != "insight_report"]["churn_change"] != 0).mean() > 0.9


def test__control_group__lives_as_if_there_were_no_experiment():
    """Experiments that treat nobody leave all lives as they are without a programme: control is truly left alone."""
    names = settings().playbooks
    control = simulate(settings(200, playbooks={name: {"treated": 0.0, "programme": "experiment"} for name in names}))
    none = simulate(settings(200, playbooks={name: {"programme": "none"} for name in names}))
    others = control.events[control.events["kind"] != dynamics.ASSIGNED]
    assert len(control.events) > len(others) + 500
    assert others.tobytes() == none.events.tobytes()


def test__effects__are_heterogeneous():
    """Some are persuadable, some safe, some lost or unmoved, and some annoyed into leaving."""
    wanted = settings(1500, seed=1, truth={"futures_of_actions": 12})
    effects = truth_of(wanted, simulate(wanted)).effects
    kinds = effects[effects["playbook"] == "win_back_offer"]["kind"].value_counts(normalize=True)
    assert kinds["persuadable"] > 0.2
    assert kinds["annoyed"] > 0.1
    assert {"safe", "unmoved"} <= set(effects["kind"])
    assert "lost" in set(
        truth_of(settings(300, leaving={"a_year": 3.0}), simulate(settings(300, leaving={"a_year": 3.0}))).effects[
            "kind"
        ]
    )


def test__true_effects__are_what_an_experiment_finds():
    """New accounts, by lot given an offer or left alone, differ by the mean true effect, within what chance allows."""
    idle = {name: {"programme": "none"} for name in settings().playbooks}
    offer = {
        "programme": "experiment",
        "situation": "new",
        "monthly": 1.0,
        "satisfaction": 0.7,
        "rival": -0.7,
        "boost": 0.8,
    }
    wanted = settings(
        6000, seed=11, accounts={"existing_share": 0.1}, playbooks={**idle, "win_back_offer": offer},
        programme={"rest_days": 3000}, truth={"days_before_end": [100, 250, 400, 550]},
    )  # fmt: skip
    histories = simulate(wanted)
    assigned = histories.events[
        (histories.events["kind"] == dynamics.ASSIGNED) & (histories.events["day"] < 731 - HORIZON)
    ]
    first = pd.DataFrame({name: assigned[name] for name in ("account", "day", "serial")}).drop_duplicates("account")
    lines = histories.events[histories.events["kind"] == dynamics.ORDER_LINE]
    orders = pd.DataFrame({"account": lines["account"], "on": lines["day"]}).merge(first, on="account")
    within = orders[(orders["on"] > orders["day"]) & (orders["on"] <= orders["day"] + HORIZON)]
    churned, treated = ~first["account"].isin(within["account"]), first["serial"] == dynamics.TREATED
    effects = truth_of(wanted, histories).effects
    true = effects[effects["playbook"] == "win_back_offer"]["churn_change"].mean()
    found = churned[treated].mean() - churned[~treated].mean()
    error = np.sqrt(sum(churned[arm].var() / arm.sum() for arm in (treated, ~treated)))
    assert treated.mean() == pytest.approx(0.5, abs=0.03)
    assert true < -3 * error
    assert found == pytest.approx(true, abs=3 * error)


def test__habit__looks_better_than_it_is():
    """Managers visit those who like them: those visited order more, though the visit does nothing."""
    idle = {name: {"programme": "none"} for name in settings().playbooks}
    visit = {"programme": "habit", "situation": "any", "monthly": 0.05, "satisfaction": 0.0, "rival": 0.0}
    histories = simulate(settings(3000, seed=4, playbooks={**idle, "business_review": visit}))
    visited = np.unique(
        histories.events["account"][(histories.events["kind"] == dynamics.DELIVERED) & (histories.events["day"] < AT)]
    )
    there = np.flatnonzero((histories.states[0]["left"] < 0) & (histories.states[0]["orders"] > 0))
    churned = histories.end["orders"] == histories.states[0]["orders"]
    seen = np.isin(there, visited)
    assert churned[there[seen]].mean() < churned[there[~seen]].mean() - 0.02


def test__usual_company__is_as_described():
    """The figures that docs and demo rest on: how many leave, how many orders, how large the state's spread is."""
    histories = usual(2000, 1)
    assert (histories.end["left"] >= 0).mean() == pytest.approx(0.12, abs=0.04)
    assert histories.states[0]["satisfaction"].std() == pytest.approx(1.0, abs=0.15)
    assert len(histories.events) / 2000 > 200
