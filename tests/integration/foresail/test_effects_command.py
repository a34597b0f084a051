"""`foresail effects`: what playbooks did, from the operational database and the history, on both databases."""

import json
from datetime import timedelta

import numpy as np
import pandas as pd
import pytest
import sqlalchemy as sa
from commands import run
from learnt import learnt_by_night
from storing import store
from training_company import FIRST_DAY, company

from features.history.arrivals import note
from foresail.config.project import load
from foresail.operations.effect_report import effects
from serving.database.engine import opened, writing
from serving.database.tables import assignments, interventions
from serving.database.upgrade import upgrade
from serving.interventions.decide.effects import effects_of, is_harmful
from serving.interventions.decide.experiments import arms

PROJECT = """
[project]
name = "Proven"
currency = "EUR"
timezone = "UTC"

[history]
root = "history"
buckets = 4

[database]
url = "{database}"

[targets.churn]
kind = "churn"
horizon_days = 60
active_within_days = 180

[targets.growth]
kind = "upsell"
horizon_days = 60
active_within_days = 180

[roles.manager]
members = ["Ada"]

[playbooks.call]
when = "true"
for = "churn"
role = "manager"
cost = 10
effect = {{ prior = 0.10, strength = 200 }}
control = 0.4
"""
KNOWN_BY = FIRST_DAY + timedelta(days=500)
ACCOUNTS = {
    account: streams
    for account, streams in company(accounts=300).items()
    if streams["purchases"] and min(one["known_at"] for one in streams["purchases"]) < FIRST_DAY + timedelta(days=200)
}
"""Those that were known before the first assignment."""


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """The history of some 200 accounts, for every project of these tests."""
    folder = tmp_path_factory.mktemp("proven")
    store(folder / "history", ACCOUNTS)
    return folder


@pytest.fixture
def project(folder, empty_database, tmp_path):
    """A project on that history with a database of its own, and all accounts assigned to the call, by lot."""
    text = PROJECT.format(database=empty_database).replace('"history"', f'"{folder}/history"')
    (tmp_path / "foresail.toml").write_text(text, encoding="utf-8")
    assign(empty_database, given())
    return load(tmp_path)


def given(target="churn", playbook="call"):
    """Every account once between day 200 and 470, half of them again a month later, in the other arm if that could be."""
    rng, drawn = np.random.default_rng(0), arms(list(ACCOUNTS), playbook, 0.4, 0.0)
    rows = []
    for account, arm in zip(ACCOUNTS, drawn, strict=True):
        at = FIRST_DAY + timedelta(days=int(rng.integers(200, 470)))
        told = {"value_at_stake": 300.0, "probability": 0.3, "cost": 10.0, "quadrant": "routine", "control": 0.4}
        row = {"playbook": playbook, "account_id": account, "assigned_at": at, "arm": arm, "target": target, **told}
        rows.append(row)
        if rng.random() < 0.5:
            rows.append({**row, "assigned_at": at + timedelta(days=30), "arm": "treatment"})
    return rows


def assign(url, rows):
    """Write assignments, and of each in treatment an intervention, every fourth of which expired and the others were done."""
    engine = opened(url)
    upgrade(engine)
    written = [
        {**row, "intervention_id": f"iv_{at}" if row["arm"] == "treatment" else None} for at, row in enumerate(rows)
    ]
    begun = [begun_of(row, at) for at, row in enumerate(written) if row["intervention_id"]]
    with writing(engine) as connection:
        connection.execute(sa.insert(assignments), written)
        connection.execute(sa.insert(interventions), begun)
    engine.dispose()


def begun_of(row, at):
    fixed = {"origin": "decision", "role": "manager", "severity": "high", "reason": "by lot", "cost": 10.0}
    named = {name: row[name] for name in ("intervention_id", "account_id", "playbook")}
    when = {"decided_at": row["assigned_at"], "changed_at": row["assigned_at"]}
    return {**fixed, **named, **when, "status": "expired" if at % 4 == 0 else "done"}


def first(rows):
    return pd.DataFrame(rows).sort_values("assigned_at", kind="stable").drop_duplicates("account_id")


def test__effects__by_an_obvious_computation(project):
    """First assignments whose horizon has closed: rates and orders of the 60 days after them, arm by arm."""
    (found,) = effects(project, KNOWN_BY).playbooks
    own = first(given())
    closed = own[own["assigned_at"] + timedelta(days=60) <= KNOWN_BY]
    lost = np.array([not orders_after(row) for row in closed.itertuples()])
    ordered = np.array([sum(order["amount"] for order in orders_after(row)) for row in closed.itertuples()])
    treated = (closed["arm"] == "treatment").to_numpy()
    assert found.assigned == {arm: (own["arm"] == arm).sum() for arm in ("treatment", "control")}
    assert found.left_out["horizon not closed"] == len(own) - len(closed)
    assert (found.effect.treatment, found.effect.control) == (treated.sum(), (~treated).sum())
    for figure, outcome, sign in ((found.effect.avoided, lost, -1), (found.effect.revenue, ordered, 1)):
        plain = sign * (outcome[treated].mean() - outcome[~treated].mean()) * treated.sum()
        assert figure.value == pytest.approx(plain) or figure.removed > 0
        assert abs(figure.value - plain) < 2 * figure.once.standard_error


def orders_after(row):
    """The orders of the 60 days after an assignment, as known at the end."""
    return [
        one
        for one in ACCOUNTS[row.account_id]["purchases"]
        if row.assigned_at < one["occurred_at"] <= row.assigned_at + timedelta(days=60) and one["known_at"] <= KNOWN_BY
    ]


def test__delivered_and_done__of_first_assignments__and_what_was_carried_out_costs(project):
    """Expired ones cost nothing; those whose horizon is open are delivered, and not yet measured."""
    (found,) = effects(project, KNOWN_BY).playbooks
    rows = pd.DataFrame(given())
    rows["status"] = ["expired" if at % 4 == 0 else "done" for at in range(len(rows))]
    own = rows.sort_values("assigned_at", kind="stable").drop_duplicates("account_id")
    treated = own[own["arm"] == "treatment"]
    assert found.delivered == len(treated)
    assert found.done == (treated["status"] == "done").sum()
    closed = treated[treated["assigned_at"] + timedelta(days=60) <= KNOWN_BY]
    assert found.effect.cost == 10.0 * (closed["status"] == "done").sum()


def test__done__after_the_moment_asked_for__was_not_done_then(project):
    engine = opened(project.database)
    with writing(engine) as connection:
        connection.execute(sa.update(interventions).values(closed_at=KNOWN_BY + timedelta(days=1)))
    engine.dispose()
    (found,) = effects(project, KNOWN_BY).playbooks
    assert found.done == 0 < found.delivered
    assert found.effect.cost == 10.0 * found.effect.treatment


def test__effects__earlier__know_less(project):
    """Nothing assigned later, and no horizon that closed later."""
    early = FIRST_DAY + timedelta(days=250)
    (found,) = effects(project, early).playbooks
    own = first(given())
    assert sum(found.assigned.values()) == (own["assigned_at"] <= early).sum()
    assert found.effect.verdict == "not yet known"


def test__effects__beyond_what_was_read__silence_is_no_loss(project):
    """A source that was read up to day 300 alone tells of no horizon that closed later."""
    file, read_until = project.directory / "foresail.toml", FIRST_DAY + timedelta(days=300)
    source = '[[sources]]\nname = "orders"\nstream = "purchases"\nfrom = "orders.parquet"\n'
    file.write_text(file.read_text(encoding="utf-8") + source, encoding="utf-8")
    note(project.history, "orders", "purchases", read_until, 1, 0)
    (found,) = effects(load(project.directory), KNOWN_BY).playbooks
    closes = first(given())["assigned_at"] + timedelta(days=60)
    assert found.left_out["what came of it not read yet"] == ((closes <= KNOWN_BY) & (closes > read_until)).sum()
    assert found.effect.treatment + found.effect.control == (closes <= read_until).sum()


def test__growth__counts_what_was_won(project):
    """A label of 1 is good: won accounts, and what was at stake is what would not have come."""
    engine = opened(project.database)
    with writing(engine) as connection:
        rows = [{**row, "intervention_id": None} for row in given("growth", "plan")]
        connection.execute(sa.insert(assignments), rows)
    engine.dispose()
    (found,) = effects(project, KNOWN_BY, playbook="plan").playbooks
    own = first(given("growth", "plan"))
    closed = own[own["assigned_at"] + timedelta(days=60) <= KNOWN_BY]
    moments = sorted(set(closed["assigned_at"]))
    labels = project.target("growth").labels(project.history, moments, KNOWN_BY)
    pairs = pd.MultiIndex.from_frame(closed[["account_id", "assigned_at"]])
    label = labels[labels.index.isin(pairs)].reindex(pairs).to_numpy()
    treated = (closed["arm"] == "treatment").to_numpy()
    plain = (np.nanmean(label[treated]) - np.nanmean(label[~treated])) * treated.sum()
    assert not found.is_risk
    assert abs(found.effect.avoided.value - plain) < 2 * found.effect.avoided.once.standard_error


def test__learn__is_registered_and_decided_by(project):
    """The newest version counts; shrunk to the assumption by how much the experiment tells."""
    for version in (1, 2):
        (found,) = effects(project, KNOWN_BY, learn=True).playbooks
        assert found.learnt_version == version
    learnt = learnt_by_night(project.tracking_uri, project.slug, ["call", "never tried"])
    assert list(learnt) == ["call"]
    assert learnt["call"].version == "2"
    effect = effects_of(project.interventions.playbooks["call"], learnt["call"], pd.DataFrame(index=range(3)))
    n = found.effect.as_even_split
    assert effect.mean == pytest.approx((n * found.effect.share.value + 200 * 0.10) / (n + 200))
    assert effect.source == "mixed"
    assert is_harmful(learnt["call"]) == found.effect.is_harmful


def test__command__says_it_to_people_and_machines(project):
    """And in words what there is instead, with exit code 5, where nobody was assigned."""
    said = run("foresail effects --as-of 2023-05-16", project.directory)
    assert said.returncode == 0, said.stderr
    assert "call (for churn): not yet known" in said.stdout
    assert "Which interval" in said.stdout
    told = json.loads(run("foresail effects call --json --as-of 2023-05-16", project.directory).stdout)
    assert told[0]["avoided"]["always_low"] < told[0]["avoided"]["low"] < told[0]["avoided"]["high"]
    refused = run("foresail effects mail", project.directory)
    assert refused.returncode == 5
    assert "nobody was assigned to 'mail'; there are assignments to call" in refused.stderr
