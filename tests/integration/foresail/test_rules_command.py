"""foresail rules: what is declared, and whom it would mean as of the last night."""

import json
from datetime import UTC, datetime, timedelta

import pytest
import sqlalchemy as sa
from commands import run

from features.history.store import HistoryError
from foresail.cli.rendering.rules import rule_list, rule_tests
from foresail.config.project import ProjectError, load
from foresail.operations.history import ingest_sources
from foresail.operations.rules import entries, try_rules
from serving.database.engine import open_engine, writing
from serving.database.tables import account_segments, scores, tier_moves
from serving.database.upgrade import upgrade
from serving.interventions.declare.library import unusable_playbooks

NIGHT = datetime(2026, 3, 1, tzinfo=UTC)
PROJECT = """
[project]
name = "Machines"
currency = "EUR"
timezone = "UTC"
[history]
buckets = 2
[[sources]]
name = "orders"
stream = "purchases"
from = "orders.json"
[[sources]]
name = "cases"
stream = "service"
from = "cases.json"
[targets.churn]
kind = "churn"
horizon_days = 90
[library]
playbooks = "all"
[roles.boss]
members = ["dana"]
[rules.silent]
when = "purchases_days_since_last > 100"
[rules.fallen]
when = "segment = 'low_frequency' and segment_before = 'high_value'"
[rules.at_risk]
when = "churn_band = 'high'"
severity = "medium"
[rules.likely]
when = "churn_probability >= 0.5"
[sla.urgent]
when = "case_severity = 'urgent' and tier = 'strategic'"
notify = ["boss"]
"""


def order(account_id, days_ago):
    at = (NIGHT - timedelta(days=days_ago)).isoformat()
    return {
        "account_id": account_id,
        "occurred_at": at,
        "kind": "order",
        "amount": 10,
        "event_id": f"{account_id} {at}",
    }


def case(account_id, days_ago, severity="urgent"):
    at = (NIGHT - timedelta(days=days_ago)).isoformat()
    shared = {"account_id": account_id, "occurred_at": at, "case_id": f"{account_id} {days_ago}"}
    return shared | {"kind": "opened", "severity": severity}


def stand(engine):
    """What a night has left: a, b and c, of whom b has most at stake; c fell."""
    upgrade(engine)
    shared = {"target": "churn", "as_of": NIGHT, "horizon_days": 90, "model": "m", "model_version": "1"}
    with writing(engine) as connection:
        connection.execute(
            sa.insert(account_segments),
            [
                {"account_id": "a", "as_of": NIGHT, "name": "Alpha", "tier": "strategic", "segment": "silent", "value_at_stake": 5.0},
                {"account_id": "b", "as_of": NIGHT, "name": None, "tier": "growth", "segment": "silent", "value_at_stake": 50.0},
                {"account_id": "c", "as_of": NIGHT, "name": "Gamma", "tier": "growth", "segment": "low_frequency", "value_at_stake": None},
            ],
        )  # fmt: skip
        connection.execute(
            sa.insert(scores),
            [
                shared | {"account_id": "a", "probability": 0.6, "band": "high"},
                shared | {"account_id": "b", "probability": 0.5, "band": "high"},
                shared | {"account_id": "c", "probability": 0.1, "band": "low"},
            ],
        )
        moved = {"account_id": "c", "scheme": "segment", "before": "high_value", "after": "low_frequency", "why": "-"}
        connection.execute(sa.insert(tier_moves), [moved | {"as_of": NIGHT}])


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("machines")
    (folder / "foresail.toml").write_text(PROJECT, encoding="utf-8")
    orders = [order("a", 150), order("b", 101), order("b", 200), order("c", 3)]
    cases = [case("a", 2), case("a", 9), case("a", 40), case("b", 2), case("a", 1, "low")]
    (folder / "orders.json").write_text("\n".join(map(json.dumps, orders)))
    (folder / "cases.json").write_text("\n".join(map(json.dumps, cases)))
    project = load(folder)
    ingest_sources(project, NIGHT)
    engine = open_engine(project.database)
    stand(engine)
    engine.dispose()
    return folder


def held(tested):
    return {match.entry.name: (match.accounts, [account for account, _ in match.first]) for match in tested.matches}


def test__try_rules__whom_each_means__those_with_most_at_stake_first(folder):
    found = held(try_rules(load(folder)))
    assert found["silent"] == (2, ["b", "a"])
    assert found["fallen"] == (1, ["c"])
    assert found["at_risk"] == (2, ["b", "a"])
    assert found["likely"] == (2, ["b", "a"])
    assert found["repair_plan"] == (0, [])


def test__try_rules__sla__counts_the_events_of_thirty_days_that_it_would_have_begun(folder):
    tested = try_rules(load(folder), ["urgent"])
    (match,) = tested.matches
    assert (match.held, match.accounts, match.first) == (2, 1, (("a", "Alpha"),))
    assert tested.events == 5


def test__try_rules__first__names_so_many_and_counts_all(folder):
    (match,) = try_rules(load(folder), ["silent"], most=1).matches
    assert (match.accounts, match.first) == (2, (("b", None),))


def test__try_rules__name_that_is_not_in_use__the_nearest_is_suggested(folder):
    with pytest.raises(ProjectError, match="has no playbook, rule or SLA 'silnt'; did you mean silent"):
        try_rules(load(folder), ["silnt"])


def test__try_rules__before_the_first_night__says_what_to_do(tmp_path):
    (tmp_path / "foresail.toml").write_text(PROJECT, encoding="utf-8")
    with pytest.raises(HistoryError, match="run `foresail nightly` first"):
        try_rules(load(tmp_path))


def test__entries__say_where_they_come_from_and_what_follows(folder):
    project = load(folder)
    declared = {entry.name: entry for entry in entries(project)}
    assert (declared["silent"].origin, declared["silent"].does) == ("project", "high warning")
    assert (declared["win_back_offer"].origin, declared["win_back_offer"].does) == ("library", "by success_manager")
    shown = rule_list(list(declared.values()), unusable_playbooks(project.library, project.segmentation.targets))
    assert shown.facts["left_out"]["upgrade_plan"].startswith("it needs a target of kind upsell")


def test__commands__list_and_test__answer_people_and_machines(folder):
    """One story, because a process takes a second."""
    shown = run("foresail rules test --rule silent --first 1", folder)
    assert shown.returncode == 0, shown.stderr
    assert "as of the night of 2026-03-01: 3 accounts" in shown.stdout
    assert "b, and 1 more" in shown.stdout
    assert "66.7%" in shown.stdout

    listed = json.loads(run("foresail rules list --json", folder).stdout)
    assert {"silent", "urgent", "win_back_offer"} <= {entry["name"] for entry in listed["entries"]}


def test__rules_tested__facts__are_those_of_the_table(folder):
    facts = rule_tests(try_rules(load(folder), ["urgent"]), {}, "UTC").facts
    assert facts["matches"][0]["first"] == [{"account_id": "a", "name": "Alpha"}]
    assert (facts["as_of"], facts["accounts"], facts["events"]) == (NIGHT, 3, 5)
