"""What must hold in every simulated company, whatever its settings."""

from itertools import pairwise

import numpy as np
import pandas as pd
import pytest
from simulated import exported, settings, truth_of, usual

from features.timestamps import DAY
from foresail.simulation.company import simulate
from foresail.simulation.world import dynamics

START = int(pd.Timestamp("2023-01-01", tz="UTC").timestamp() * 1_000_000)
BUSY = {
    "leaving": {"a_year": 0.3},
    "reporting": {"corrected_share": 0.05},
    "orders": {"returned": 0.1, "called_off": 0.05},
}


@pytest.fixture(scope="module")
def busy():
    """A company in which much goes wrong: settings, histories, and the rows of every export."""
    wanted = settings(400, seed=2, **BUSY)
    histories = simulate(wanted)
    return wanted, histories, exported(wanted, histories)


def test__company__same_settings__same_bytes():
    """Deterministic by seed: the book, the states and the truth; another seed is another company."""
    first, again, other = (simulate(settings(60, seed)) for seed in (1, 1, 2))
    assert first.events.tobytes() == again.events.tobytes()
    assert first.end.tobytes() == again.end.tobytes()
    assert first.events.tobytes() != other.events.tobytes()
    one, two = (truth_of(settings(60, 1), histories) for histories in (first, again))
    pd.testing.assert_frame_equal(one.targets, two.targets, check_exact=True)
    pd.testing.assert_frame_equal(one.effects, two.effects, check_exact=True)


def test__block__does_not_matter():
    """Accounts simulated alone, in blocks, or in a larger company live the same histories."""
    whole, larger = simulate(settings(90)), simulate(settings(200), 0, 90)
    assert whole.events.tobytes() == larger.events.tobytes()
    parts = [simulate(settings(90), *span) for span in pairwise((0, 17, 60, 90))]
    assert np.concatenate([part.end for part in parts]).tobytes() == whole.end.tobytes()
    together = np.concatenate([part.events for part in parts])
    for name in set(whole.events.dtype.names) - {"account"}:
        np.testing.assert_array_equal(together[name], whole.events[name])


def test__playbook_more__changes_nobody_elses_luck():
    """A playbook that is declared and never used leaves every life as it was."""
    more = settings(90, playbooks={"new_idea": {"satisfaction": 1.0, "programme": "none"}})
    assert simulate(more).events.tobytes() == simulate(settings(90)).events.tobytes()


def test__events__lie_between_joining_and_leaving(busy):
    """Nothing happens to an account before it exists or after it has left, in any export."""
    _, histories, rows = busy
    assert (histories.end["left"] >= 0).sum() > 50
    joined = START + histories.accounts.made["first_day"].astype(np.int64) * DAY
    left = np.where(
        histories.end["left"] >= 0, START + (histories.end["left"] + 1).astype(np.int64) * DAY, np.iinfo(np.int64).max
    )
    for name, frame in rows.items():
        account = frame["account_no"].str[1:].astype(int).to_numpy()
        assert len(frame), name
        assert (frame["happened"] >= joined[account]).all(), name
        assert (frame["happened"] < left[account]).all(), name
    times = rows["cases"][["first_reply_at", "escalated_at", "solved_at", "rated_at"]]
    account = rows["cases"]["account_no"].str[1:].astype(int).to_numpy()
    for column in times:
        known = times[column].notna()
        at = pd.DatetimeIndex(times[column][known]).as_unit("us").asi8
        assert known.any()
        assert (at < left[account[known]]).all(), column


def test__orders__bring_what_the_lives_spent(busy):
    """What was ordered, less what was booked wrong, plus what was booked again, is the account's revenue to the cent."""
    _, histories, rows = busy
    orders = rows["orders"]
    booking = orders["position"] // 100
    assert booking.value_counts().loc[[0, 1, 2, 3]].min() > 50
    booked = orders[booking != 1].groupby("account_no")["net"].sum()
    spent = pd.Series(histories.end["spent"], index=[f"A{number:07}" for number in histories.accounts.numbers])
    assert booked.to_numpy() == pytest.approx(spent[booked.index].to_numpy(), abs=0.006 * 60)
    assert spent.drop(booked.index).sum() == 0


def test__order__lines_add_up_to_it(busy):
    """An order's value is split among its lines, and nothing is lost in rounding."""
    _, histories, rows = busy
    values = histories.events[histories.events["kind"] == dynamics.ORDER_LINE]
    lines = rows["orders"].iloc[: len(values)]
    key = pd.Series(values["account"].astype(str)) + "-" + pd.Series(values["serial"].astype(str))
    wrong = rows["orders"][rows["orders"]["position"] // 100 == 3]
    untouched = ~lines["order_no"].isin(wrong["order_no"])
    booked = lines["net"].groupby(key.to_numpy()).sum()
    true = pd.Series(values["amount"]).groupby(key.to_numpy()).sum()
    whole = untouched.groupby(key.to_numpy()).all()
    assert whole.mean() > 0.5
    assert booked[whole].to_numpy() == pytest.approx(true[whole].round(2).to_numpy(), abs=1e-6)


def test__returns_and_cancellations__undo_lines_that_were_booked(busy):
    """Each is the negative of a line of its order, later than it; a line is undone once."""
    orders = busy[2]["orders"]
    first = orders[orders["position"] < 100].set_index(["order_no", "position"])
    undone = orders[orders["position"] // 100 == 1]
    assert set(undone["booking"]) == {"return", "cancellation"}
    of = first.loc[list(zip(undone["order_no"], undone["position"] % 100, strict=True))]
    np.testing.assert_allclose(undone["net"], -of["net"].to_numpy())
    assert (undone["happened"].to_numpy() > of["happened"].to_numpy()).all()
    assert not undone.duplicated(["order_no", "position"]).any()


def test__revenue__is_heavy_tailed():
    """A fifth of the accounts bring about four fifths of the revenue."""
    spent = np.sort(usual(2000, 1).end["spent"])[::-1]
    assert spent[: len(spent) // 5].sum() / spent.sum() == pytest.approx(0.8, abs=0.06)


def test__contracts__end_or_go_on_in_one_of_four_ways(busy):
    """Signed first; each renewal ends 52 weeks after the end before it; nothing comes after a cancellation but the end."""
    for _, one in busy[2]["contracts"].sort_values("happened").groupby("contract_no"):
        assert one["event"].iloc[0] == "signed"
        ends = one[one["event"] != "cancelled"]["ends_on"]
        assert (ends.diff().dropna() == pd.Timedelta(weeks=52)).all()
        assert not one["event"].iloc[:-1].eq("cancelled").any()


def test__use__stops_when_a_contract_ends():
    """Logins and minutes are those of a contract in force."""
    wanted = settings(300, seed=4)
    histories = usual(300, 4)
    rows = exported(wanted, histories)
    contracts = rows["contracts"].sort_values("happened").groupby("account_no").last()
    cancelled = contracts[
        (contracts["event"] == "cancelled") & (contracts["ends_on"] < pd.Timestamp(wanted.end, tz="UTC"))
    ]
    assert len(cancelled) > 5
    for name in ("logins", "usage"):
        used = rows[name].set_index("account_no")
        used = used[used.index.isin(cancelled.index)]
        assert (pd.to_datetime(used["happened"], unit="us", utc=True) < cancelled["ends_on"][used.index]).all()


def test__faults__announce_a_replacement_some_three_months_ahead():
    """C5: machines that are replaced report several times the faults in the three months before, and not earlier."""
    histories = simulate(settings(1500, seed=5))
    replaced = histories.events[
        (histories.events["kind"] == dynamics.ORDER_LINE) & (histories.events["quantity"] == -1)
    ]
    replaced = replaced[replaced["day"] > 250]
    readings = exported(settings(1500, seed=5), histories)["telemetry"]
    readings = readings.assign(
        day=(readings["happened"] - START) // DAY, account=readings["account_no"].str[1:].astype(int)
    )
    joined = readings.merge(pd.DataFrame({"account": replaced["account"], "on": replaced["day"]}), on="account")
    ahead = joined["on"] - joined["day"]
    warning, before = (joined["faults"][(ahead > low) & (ahead <= high)].mean() for low, high in ((0, 70), (120, 250)))
    assert len(replaced) > 30
    assert warning > 4 * before


def test__telemetry__energy_rises_with_wear():
    histories = usual(300, 4)
    rows = exported(settings(300, seed=4), histories)["telemetry"]
    worn = histories.events[histories.events["kind"] == dynamics.READING]["amount"] >= 1.0
    assert rows["energy_kwh"][worn].mean() > rows["energy_kwh"][~worn].mean() + 10


def test__surveys__are_answered_by_the_content_and_the_furious():
    """Who answers is no sample of all: those who feel something answer more often, and their answers go with satisfaction."""
    histories = usual(2000, 1)
    sent = histories.events[histories.events["kind"] == dynamics.SURVEY]
    answered = exported(settings(2000, 1), histories)["surveys"]
    day = (answered["happened"] - START) // DAY
    answers = pd.Index(list(zip(answered["account_no"].str[1:].astype(int), day, strict=True)))
    did = pd.Index(list(zip(sent["account"], sent["day"], strict=True))).isin(answers)
    feeling = np.abs(sent["mood"])
    assert len(answers) == did.sum()
    assert 0.2 < did.mean() < 0.6
    assert feeling[did].mean() > feeling[~did].mean() + 0.2
    for side in (sent["mood"] < -1.5, sent["mood"] > 1.5):
        assert did[side].mean() > did[np.abs(sent["mood"]) < 0.5].mean() + 0.1
    states = pd.Series(histories.end["satisfaction"], index=[f"A{number:07}" for number in histories.accounts.numbers])
    last = answered[answered["happened"] > START + 640 * DAY].groupby("account_no")["score"].last()
    assert np.corrcoef(last, states[last.index])[0, 1] > 0.6


def test__opted_out__is_never_acted_on():
    """Who does not want to be contacted enters no playbook, by lot or by habit."""
    histories = simulate(settings(300, seed=6, accounts={"opted_out_share": 0.5}))
    acted = histories.events[np.isin(histories.events["kind"], (dynamics.ASSIGNED, dynamics.DELIVERED))]
    out = histories.accounts.attributes["opted_out"]
    assert out.mean() == pytest.approx(0.5, abs=0.1)
    assert not out[acted["account"]].any()
    assert len(acted) > 100


def test__cohorts__join_evenly_over_time():
    """The accounts that are new come from the first day to the last, and a new one orders soon."""
    histories = usual(2000, 1)
    new = histories.accounts.attributes["joined"] >= 0
    assert new.mean() == pytest.approx(0.4, abs=0.05)
    joined = histories.accounts.attributes["joined"][new]
    assert np.histogram(joined, 4, (0, 731))[0] == pytest.approx(np.full(4, new.sum() / 4), rel=0.2)
    early = new & (histories.accounts.attributes["joined"] < 500)
    assert (histories.end["orders"][early] > 0).mean() > 0.95


def test__shock__hits_many_accounts_of_an_industry_at_once():
    """With large and frequent shocks, orders of an industry fall together; without, they do not."""

    def unevenness(size):
        histories = simulate(settings(1200, seed=3, world={"shock_size": size, "shocks_per_year": 2, "season": 0.0}))
        lines = histories.events[histories.events["kind"] == dynamics.ORDER_LINE]
        industry = histories.accounts.attributes["industry"][lines["account"]]
        counts = np.array([np.histogram(lines["day"][industry == one], 12, (0, 731))[0] for one in range(6)])
        shares = counts / counts.sum(axis=0)
        return (shares.std(axis=1) / shares.mean(axis=1)).mean()

    assert unevenness(3.0) > 1.5 * unevenness(0.0)


def test__shift__changes_the_drivers_at_its_date_and_not_before():
    """Concept drift: the same lives up to the day, others after it."""
    usual_lives = simulate(settings(200))
    drifted = simulate(settings(200, shift={"at_day": 400, "satisfaction": 0.0, "rival": 3.0, "orders": 0.5}))
    for histories in (usual_lives, drifted):
        assert (histories.events["day"] < 400).any()
    before = [histories.events[histories.events["day"] < 400] for histories in (usual_lives, drifted)]
    assert before[0].tobytes() == before[1].tobytes()
    after = [
        (histories.events["kind"][histories.events["day"] >= 430] == dynamics.ORDER_LINE).sum()
        for histories in (usual_lives, drifted)
    ]
    assert after[1] < 0.75 * after[0]
