"""A night that decides: the same interventions however often it is killed, each begun once, told once, logged once."""

import dataclasses
from collections import Counter
from datetime import timedelta

import numpy as np
import pytest
import sqlalchemy as sa
from night_company import NEXT, NIGHT, company_in, plan_of, run, table_of

from serving.database.audit_log import verify
from serving.database.engine import open_engine, writing
from serving.database.tables import (
    assignments,
    audit_log,
    deadlines,
    intervention_steps,
    interventions,
    not_chosen,
    outbox,
    scores,
    warnings,
)
from serving.interventions.declare.settings import (
    Channel,
    EffectPrior,
    InterventionSettings,
    Limits,
    Playbook,
    Role,
    Rule,
    Step,
)
from serving.nightly import NightRefused, decide_now
from serving.nightly.run import STEPS

CALL = Playbook(
    when="churn_probability > 0.2", **{"for": "churn"}, role="team", cost=1.0, effect=EffectPrior(prior=0.1),
    control=0.2, cooldown_days=30, steps=(Step(do="call", within="2d"),),
)  # fmt: skip
TOLD = InterventionSettings(
    roles={"team": Role(members=("Ann", "Bo"), capacity_per_week=2, channels=("chat",))},
    playbooks={"call": CALL},
    rules={
        "silent": Rule(when="purchases_days_since_last > 300", start="call", severity="high"),
        "complains": Rule(when="service_open_complaints_count > 0", severity="low"),
    },
    channels={"chat": Channel(kind="people", url="${CHAT}")},
    policy=Limits(holdout=0.1),
)
DECIDED = (interventions, intervention_steps, deadlines, assignments, outbox, warnings, not_chosen)


@pytest.fixture(scope="module")
def company(tmp_path_factory):
    return company_in(tmp_path_factory.mktemp("company"))


def deciding(company, as_of=NIGHT, work=None, told=TOLD):
    return plan_of(company, as_of, work, interventions=told)


def left(engine):
    """Every row of every table that decisions fill; acts without the hashes, which hold the order of portions."""
    rows = {table.name: sorted(map(repr, table_of(engine, table))) for table in DECIDED}
    return rows | {"acts": sorted((row["action"], row["subject"]) for row in table_of(engine, audit_log))}


@pytest.fixture(scope="module")
def calm(company, tmp_path_factory):
    """A night that nobody disturbed."""
    work = tmp_path_factory.mktemp("calm")
    engine = open_engine(f"sqlite:///{work}/operational.db")
    return engine, run(deciding(company, work=work), engine)


def test__a_night__begins_what_pays_within_capacity__logs_the_lot_and_says_so_in_its_summary(calm):
    engine, result = calm
    begun, logged = table_of(engine, interventions), table_of(engine, assignments)
    decided = result.summary["decided"]
    assert len(begun) == decided["interventions"]["call"] == 4
    assert Counter(row["owner"] for row in begun) == {"Ann": 2, "Bo": 2}
    arms = Counter(row["arm"] for row in logged)
    assert (arms["treatment"], arms["control"], arms["holdout"]) == (4, decided["control"], decided["holdout"])
    assert decided["control"] + decided["holdout"] > 0
    assert {row["intervention_id"] for row in logged if row["arm"] == "treatment"} == {
        row["intervention_id"] for row in begun
    }
    assert decided["low"] < decided["expected_value"] < decided["high"]
    assert np.isclose(decided["expected_value"], sum(row["expected"] for row in begun))


def test__a_night__rests_on_its_own_scores_and_features(calm):
    """What was at stake is what the table scores says; a rule that holds is a warning, since that night."""
    engine, result = calm
    stakes = {row["account_id"]: row["value_at_stake"] for row in table_of(engine, scores) if row["target"] == "churn"}
    begun = table_of(engine, interventions)
    assert all(row["value_at_stake"] == (stakes[row["account_id"]] or 0.0) for row in begun)
    warned = table_of(engine, warnings)
    assert {row["rule"] for row in warned} == {"silent", "complains"}
    assert len(warned) == result.summary["decided"]["warnings"]
    silent = {row["account_id"] for row in warned if row["rule"] == "silent"}
    assert {row["account_id"] for row in begun if row["origin"] == "rule"} <= silent
    assert all(row["since"] == row["as_of"] == NIGHT for row in warned)
    assert any("no order for" in row["reason"] for row in begun)


def test__a_night__tells_of_each_intervention_once_in_the_transaction_that_begins_it(calm):
    engine, _ = calm
    told = [row["intervention_id"] for row in table_of(engine, outbox)]
    assert sorted(told) == sorted(row["intervention_id"] for row in table_of(engine, interventions))
    assert verify(engine).broken_at is None


@pytest.mark.parametrize("step", ["decide", "act"])
def test__killed_after_each_portion__the_night_ends_the_same(company, calm, tmp_path, database, monkeypatch, step):
    """The power goes after one portion after the other, and after the whole step."""
    monkeypatch.setattr("serving.interventions.run.write_decisions.AT_ONCE", 3)

    class PowerCutError(Exception):
        pass

    def dies(*_):
        raise PowerCutError

    whole = STEPS[step]

    def cut(night):
        note = type(night.journal).note

        def noted(journal, *what, **how):
            note(journal, *what, **how)
            if what and what[0] == step and how.get("within") is None:
                raise PowerCutError
            if what and what[0] == step:
                monkeypatch.setattr("serving.nightly.steps.decide.act_on", dies)

        monkeypatch.setattr(type(night.journal), "note", noted)
        try:
            whole(night)
        finally:
            monkeypatch.undo()
            monkeypatch.setattr("serving.interventions.run.write_decisions.AT_ONCE", 3)
        raise PowerCutError

    for _ in range(4):
        monkeypatch.setitem(STEPS, step, cut)
        with pytest.raises(PowerCutError):
            run(deciding(company, work=tmp_path), database)
    monkeypatch.undo()
    monkeypatch.setattr("serving.interventions.run.write_decisions.AT_ONCE", 3)
    run(deciding(company, work=tmp_path), database)
    assert left(database) == left(calm[0])
    assert verify(database).broken_at is None


def test__repeated__nothing_is_begun_or_told_twice(company, tmp_path, database):
    run(deciding(company, work=tmp_path), database)
    before = left(database)
    assert not run(deciding(company, work=tmp_path), database, again=True).was_complete
    # What was not chosen has another reason now: the week is used up.
    assert {**left(database), "not_chosen": None} == {**before, "not_chosen": None}


def test__repeated_with_other_conditions__what_the_week_and_each_account_have_got_already_counts(
    company, tmp_path, database
):
    """Without its rule the night would choose others: they would be begun beside the four that the week has places for."""
    run(deciding(company, work=tmp_path), database)
    first = {row["intervention_id"] for row in table_of(database, interventions)}
    run(deciding(company, work=tmp_path, told=TOLD.model_copy(update={"rules": {}})), database, again=True)
    assert {row["intervention_id"] for row in table_of(database, interventions)} == first


def test__the_next_night__acts_on_others_and_counts_what_the_week_has_used(company, tmp_path, database):
    """Monday's four places are used; of a larger team two are left on Tuesday, and go to accounts not yet assigned."""
    assert NIGHT.weekday() == 0
    run(deciding(company, work=tmp_path), database)
    first = {row["account_id"] for row in table_of(database, assignments)}
    larger = TOLD.roles["team"].model_copy(update={"members": ("Ann", "Bo", "Cy")})
    run(deciding(company, NEXT, tmp_path, TOLD.model_copy(update={"roles": {"team": larger}})), database)
    second = [row for row in table_of(database, assignments) if row["assigned_at"] == NEXT]
    assert sum(row["arm"] == "treatment" for row in second) == 2
    assert first.isdisjoint(row["account_id"] for row in second)
    begun = [row for row in table_of(database, interventions) if row["decided_at"] == NEXT]
    assert {row["owner"] for row in begun} == {"Cy"}
    since = {row["since"] for row in table_of(database, warnings)}
    assert since == {NIGHT}


def test__what_happens_after_the_night_s_moment__does_not_change_it(company, calm, tmp_path, database):
    """An intervention that an event began since, of somebody who would be acted on, is of tomorrow."""
    chosen = table_of(calm[0], interventions)[0]
    later = {**chosen, "intervention_id": "later", "decided_at": NIGHT + timedelta(hours=1)}
    with writing(database) as connection:
        connection.execute(sa.insert(interventions).values(later))
    run(deciding(company, work=tmp_path), database)
    own = {row["intervention_id"] for row in table_of(database, interventions)} - {"later"}
    assert own == {row["intervention_id"] for row in table_of(calm[0], interventions)}


def test__without_playbooks_and_rules__nothing_is_decided(company, tmp_path):
    engine = open_engine(f"sqlite:///{tmp_path}/operational.db")
    result = run(dataclasses.replace(deciding(company, work=tmp_path), interventions=InterventionSettings()), engine)
    assert result.summary["decided"] is None
    assert table_of(engine, interventions) == []


def test__left_to_the_command__the_night_begins_nothing__and_the_command_what_the_night_would_have(
    company, calm, tmp_path, database
):
    told = TOLD.model_copy(update={"policy": Limits(holdout=0.1, decided_by="command")})
    result = run(deciding(company, work=tmp_path, told=told), database)
    assert result.summary["decided"] is None
    assert table_of(database, interventions) == table_of(database, warnings) == []
    plan = deciding(company, work=tmp_path, told=told)
    planned = decide_now(lambda _: plan, database, lambda: NEXT, progress=lambda *_: None)
    own, by_night = table_of(database, interventions), table_of(calm[0], interventions)
    assert planned.begun == len(own) == 4
    assert {row["intervention_id"] for row in own} == {row["intervention_id"] for row in by_night}


def commanded(company, work, **told):
    """Of a night that leaves deciding to the command, the plan with these settings."""
    left_to_it = TOLD.model_copy(update={"policy": Limits(decided_by="command"), **told})
    return deciding(company, work=work, told=left_to_it)


def test__decided_for_a_later_moment_before__counts_for_an_earlier_one(company, tmp_path, database):
    plan = commanded(company, tmp_path)
    run(plan, database)
    for at in (NIGHT + timedelta(hours=20), NIGHT):
        decide_now(lambda _: plan, database, lambda: NEXT, at=at, progress=lambda *_: None)
    begun = table_of(database, interventions)
    assert len(begun) == len({row["account_id"] for row in begun}) == 4


def test__a_playbook_for_a_target_that_the_night_did_not_score__is_refused(company, tmp_path, database):
    run(commanded(company, tmp_path), database)
    since = commanded(company, tmp_path, playbooks={"call": CALL.model_copy(update={"outcome": "upsell"})})
    with pytest.raises(NightRefused, match=r"playbooks\.call is for 'upsell', which the last night did not score"):
        decide_now(lambda _: since, database, lambda: NEXT, progress=lambda *_: None)
