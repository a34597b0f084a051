"""The night: every account scored as `score` does, its segmentation decided, all of it loaded and published, each thing once."""

import dataclasses
import os
from datetime import timedelta

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest
import sqlalchemy as sa
from night_company import (
    MODELS,
    NEXT,
    NIGHT,
    clock,
    company_in,
    left_behind,
    plan_of,
    post_events,
    published,
    purchase,
    run,
    stored_events,
    table_of,
    tracking_uri,
)

from features.catalog import CATALOG
from features.engine.table import build_bucket_table, build_feature_table
from registry.errors import NoChampion
from registry.loader import load
from serving.database.engine import DatabaseUnavailable, open_engine, writing
from serving.database.tables import (
    account_segments,
    account_states,
    cuts,
    event_inbox,
    job_runs,
    job_steps,
    score_history,
    scores,
    tier_moves,
)
from serving.nightly import NightlySource, NightRefused, NightRunning
from serving.nightly.night.lock import only_night
from serving.nightly.run import STEPS
from serving.scoring.scores import needed_features, score_table


@pytest.fixture(scope="module")
def company(tmp_path_factory):
    return company_in(tmp_path_factory.mktemp("company"))


@pytest.fixture(scope="module")
def done(company, tmp_path_factory):
    """A first night that went well: its work folder, its database, its result."""
    work = tmp_path_factory.mktemp("work")
    engine = open_engine(f"sqlite:///{work}/operational.db")
    return work, engine, run(plan_of(company, work=work), engine)


def test__scores__are_bit_for_bit_those_of_score_table(company, done):
    work, engine, _ = done
    history = plan_of(company, work=work).history
    found = pd.DataFrame(table_of(engine, scores))
    for target, name in MODELS.items():
        model = load(tracking_uri(company), name)
        expected = score_table(model, build_feature_table(history, NIGHT, needed_features([model])))
        own = found[found["target"] == target].sort_values("account_id")
        assert own["account_id"].tolist() == expected["account_id"].tolist()
        assert own["probability"].to_numpy(float).tobytes() == expected["probability"].to_numpy(float).tobytes()
        assert own["why_not"].fillna("").tolist() == expected["why_not"].fillna("").tolist()


def test__published_scores__are_those_of_the_database(done):
    work, engine, _ = done
    columns = ["account_id", "target", "probability", "value_at_stake", "severity", "model_version"]
    files = pq.read_table(work / "published" / "scores.parquet").to_pandas()[columns]
    database = pd.DataFrame(table_of(engine, scores))[columns]
    order = ["account_id", "target"]
    pd.testing.assert_frame_equal(
        files.sort_values(order, ignore_index=True),
        database.sort_values(order, ignore_index=True),
        check_dtype=False,
    )


def test__reasons__stand_where_the_most_is_at_stake_and_nowhere_else(done):
    _, engine, result = done
    rows = table_of(engine, scores)
    explained = [row for row in rows if row["reasons"] is not None]
    assert len(explained) == result.summary["explained"]
    highest = max((row for row in rows if row["value_at_stake"]), key=lambda row: row["value_at_stake"])
    assert highest in explained
    assert all(row["why_not"] is None for row in explained)


def test__a_complete_night__is_left_alone(company, done):
    work, engine, result = done
    before = left_behind(engine)
    again = run(plan_of(company, work=work), engine)
    assert again.was_complete
    assert again.summary == result.summary
    assert left_behind(engine) == before


def test__every_step__interrupted_after_each__ends_the_same(company, done, tmp_path, monkeypatch):
    """A step that fails once its work is done, as if the power had gone just before it was noted."""
    _, calm, _ = done
    engine = open_engine(f"sqlite:///{tmp_path}/operational.db")

    class PowerCutError(Exception):
        pass

    def cut_after(step):
        def cut(night):
            step(night)
            raise PowerCutError

        return cut

    for name, step in list(STEPS.items()):
        monkeypatch.setitem(STEPS, name, cut_after(step))
        with pytest.raises(PowerCutError):
            run(plan_of(company, work=tmp_path), engine)
        monkeypatch.setitem(STEPS, name, step)
    assert not run(plan_of(company, work=tmp_path), engine).was_complete
    assert left_behind(engine) == left_behind(calm)
    assert published(tmp_path) == published(done[0])


@pytest.fixture(scope="module")
def two_nights(company, lasting_database, tmp_path_factory):
    """Work folder and database after two nights, and the scores of the first; who repeats the second leaves them so."""
    work, engine = tmp_path_factory.mktemp("work"), open_engine(lasting_database)
    run(plan_of(company, work=work), engine)
    first = {(row["account_id"], row["target"]): row for row in table_of(engine, scores)}
    run(plan_of(company, NEXT, work), engine)
    yield work, engine, first
    engine.dispose()


def test__the_next_night__tells_what_was_before_and_moves_nobody_for_nothing(two_nights):
    _, database, first = two_nights
    for row in table_of(database, scores):
        before = first[row["account_id"], row["target"]]
        assert row["as_of"] == NEXT
        assert row["previous_as_of"] == NIGHT
        assert row["previous"] == before["probability"]
    assert len(table_of(database, score_history)) == 2 * len(first)
    moves = table_of(database, tier_moves)
    assert all(row["before"] is None for row in moves if row["as_of"] == NIGHT)
    assert all(row["before"] != row["after"] for row in moves)
    assert {row["as_of"] for row in table_of(database, cuts)} == {NEXT}
    assert table_of(database, job_steps) == []


def test__again__repeats_the_last_night_with_what_stood_before_it(company, two_nights):
    work, database, _ = two_nights
    expected, files = left_behind(database), published(work)
    result = run(plan_of(company, NEXT, work), database, again=True)
    assert not result.was_complete
    assert left_behind(database) == expected
    assert published(work) == files


def test__again__cut_off_after_it_has_loaded__still_knows_what_stood_before_it(company, two_nights, monkeypatch):
    """The second repetition finds the moves of the first."""
    work, database, _ = two_nights
    expected, files = left_behind(database), published(work)
    with monkeypatch.context() as patched:
        patched.setitem(STEPS, "publish", cut_off)
        with pytest.raises(RuntimeError):
            run(plan_of(company, NEXT, work), database, again=True)
    run(plan_of(company, NEXT, work), database, again=True)
    assert left_behind(database) == expected
    assert published(work) == files


def test__again__cut_off_before_a_slice_is_loaded__loses_no_move(company, two_nights, monkeypatch):
    """Where accounts stood before this night is told by its own moves: they must not go before all is written."""
    work, database, _ = two_nights
    expected = left_behind(database)
    with monkeypatch.context() as patched:
        patched.setattr("serving.nightly.steps.load.ready", cut_off)
        with pytest.raises(RuntimeError):
            run(plan_of(company, NEXT, work), database, again=True)
    run(plan_of(company, NEXT, work), database, again=True)
    assert left_behind(database) == expected


def cut_off(*_):
    raise RuntimeError


def test__old_history__is_dropped_and_accounts_that_are_gone_lose_score_and_standing(company, tmp_path, database):
    run(plan_of(company, work=tmp_path), database)
    stranger = {"account_id": "gone", "as_of": NIGHT}
    with writing(database) as connection:
        connection.execute(sa.insert(account_segments).values(stranger))
    run(dataclasses.replace(plan_of(company, NEXT, tmp_path), keep_scores_days=1), database)
    assert {row["as_of"] for row in table_of(database, score_history)} == {NIGHT, NEXT}
    later = NEXT + timedelta(hours=5)
    run(dataclasses.replace(plan_of(company, later, tmp_path), keep_scores_days=1), database)
    assert {row["as_of"] for row in table_of(database, score_history)} == {NEXT, later}
    assert "gone" not in {row["account_id"] for row in table_of(database, account_segments)}


def test__posted_events__are_folded_counted_and_leave_the_inbox__those_known_later_wait(company, tmp_path, database):
    engine = database
    post_events(engine, [purchase("A1", 1), purchase("newcomer", 2), purchase("A1", 3, known_at=NEXT)])
    result = run(plan_of(company, work=tmp_path), engine)
    assert result.summary["folded"] == 2
    assert {("A1", "posted 1"), ("newcomer", "posted 2")} <= set(stored_events(tmp_path))
    assert [row["event_id"] for row in table_of(engine, event_inbox)] == ["posted 3"]
    assert "newcomer" in {row["account_id"] for row in table_of(engine, account_states)}
    assert "newcomer" in {row["account_id"] for row in table_of(engine, scores)}


def test__a_source_that_fails__stops_nobody_and_scores_say_how_old_their_data_is(company, tmp_path):
    engine = open_engine(f"sqlite:///{tmp_path}/operational.db")
    good = plan_of(company, work=tmp_path)
    run(good, engine)
    later = plan_of(company, NEXT, tmp_path)
    sources = [NightlySource("service", "service", lambda: "no such file"), *later.sources[:2], later.sources[3]]
    result = run(dataclasses.replace(later, sources=sources), engine)
    assert result.failures == {"service": "no such file"}
    assert {row["data_as_of"] for row in table_of(engine, scores)} == {NIGHT}


def test__a_source_that_was_never_read__makes_the_age_of_data_unknown(company, tmp_path):
    engine = open_engine(f"sqlite:///{tmp_path}/operational.db")
    plan = plan_of(company, work=tmp_path)
    sources = [*plan.sources[:3], NightlySource("accounts", "accounts", lambda: "gone")]
    run(dataclasses.replace(plan, sources=sources), engine)
    assert {row["data_as_of"] for row in table_of(engine, scores)} == {None}


def test__a_moment_before_the_last_night_or_in_the_future__is_refused(company, done):
    work, engine, _ = done
    with pytest.raises(NightRefused, match="lies before it"):
        run(plan_of(company, NIGHT - timedelta(days=1), work), engine)
    with pytest.raises(NightRefused, match="future"):
        run(plan_of(company, clock() + timedelta(seconds=1), work), engine)


def test__a_second_night_on_another_machine__is_told_who_holds_the_database(company, tmp_path, database):
    if database.dialect.name == "sqlite":
        with (
            only_night(tmp_path / "nights", database),
            pytest.raises(NightRunning, match=r"another night \(process \d+"),
        ):
            run(plan_of(company, work=tmp_path), database)
        return
    with (
        only_night(tmp_path / "one machine", database),
        pytest.raises(NightRunning, match=r"another night runs at .* \(from .*, its process \d+\)"),
    ):
        run(plan_of(company, work=tmp_path / "another"), database)


def test__the_lock_of_a_night_that_ended__is_free(company, tmp_path, database):
    """Not because there is no lock: while the first holds it, nobody else gets it."""
    with only_night(tmp_path / "nights", database), pytest.raises(NightRunning):
        only_night(tmp_path / "nights", database).__enter__()
    with only_night(tmp_path / "nights", database):
        assert (tmp_path / "nights" / ".lock").read_text() == str(os.getpid())


def test__a_target_without_a_model__is_an_error_before_anything_is_scored(company, tmp_path):
    engine = open_engine(f"sqlite:///{tmp_path}/operational.db")
    plan = plan_of(company, work=tmp_path, models=MODELS | {"upsell": "wholesaler-upsell"})
    with pytest.raises(NoChampion, match="wholesaler-upsell"):
        run(plan, engine)
    assert table_of(engine, scores) == []


def test__a_new_champion_in_the_middle__is_taken_by_the_next_night_alone(company, tmp_path, monkeypatch):
    """A night that is resumed goes on with the versions that it began with."""
    engine = open_engine(f"sqlite:///{tmp_path}/operational.db")

    def cut(night):
        raise RuntimeError

    with monkeypatch.context() as patched:
        patched.setitem(STEPS, "score", cut)
        with pytest.raises(RuntimeError):
            run(plan_of(company, work=tmp_path), engine)
        patched.setattr("serving.nightly.steps.pin.champions", lambda *_: {"churn": "99", "soon": "99"})
    run(plan_of(company, work=tmp_path), engine)
    assert {row["model_version"] for row in table_of(engine, scores)} == {"1"}


def begun(company, work, engine, **changed):
    """A night that was cut off once it was pinned."""
    with pytest.MonkeyPatch.context() as patched:
        patched.setitem(STEPS, "score", cut_off)
        with pytest.raises(RuntimeError):
            run(plan_of(company, work=work, **changed), engine)


def test__a_target_that_went_in_the_middle__is_refused_and_the_night_ends_with_it_or_anew_without(company, tmp_path):
    for name, models, how in (("back", MODELS, {}), ("anew", {"churn": MODELS["churn"]}, {"again": True})):
        engine = open_engine(f"sqlite:///{tmp_path}/{name}.db")
        begun(company, tmp_path / name, engine)
        with pytest.raises(
            NightRefused, match=r"2020-06-01 00:00 UTC was begun with the target 'soon'.*put it back .*--again"
        ):
            run(plan_of(company, work=tmp_path / name, models={"churn": MODELS["churn"]}), engine)
        assert table_of(engine, scores) == []
        run(plan_of(company, work=tmp_path / name, models=models), engine, **how)
        assert {row["target"] for row in table_of(engine, scores)} == set(models)


def test__a_target_that_came_in_the_middle__is_taken_by_the_next_night_alone(company, tmp_path):
    engine = open_engine(f"sqlite:///{tmp_path}/operational.db")
    begun(company, tmp_path, engine, models={"churn": MODELS["churn"]})
    run(plan_of(company, work=tmp_path), engine)
    assert {row["target"] for row in table_of(engine, scores)} == {"churn"}


def test__a_database_that_may_only_be_read__is_said_and_a_later_run_completes(company, done, tmp_path, database):
    plan = plan_of(company, work=tmp_path)
    set_read_only(database, read_only=True)
    with pytest.raises(DatabaseUnavailable, match=r"(?i)read-?only"):
        run(plan, database)
    set_read_only(database, read_only=False)
    run(plan, database)
    assert left_behind(database)["scores"] == left_behind(done[1])["scores"]


def set_read_only(engine, *, read_only):
    """For every connection from now on."""
    if engine.dialect.name == "sqlite":

        def told(connection, _):
            connection.execute(f"pragma query_only = {'on' if read_only else 'off'}")

        engine.dispose()
        sa.event.listen(engine, "connect", told)
        return
    with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.exec_driver_sql("set default_transaction_read_only = off")
        name = connection.execute(sa.text("select current_database()")).scalar_one()
        connection.exec_driver_sql(f"alter database {name} set default_transaction_read_only = {read_only}")
    engine.dispose()


def test__a_full_disk__is_said_in_words_and_a_later_run_completes(company, done, tmp_path, monkeypatch):
    engine = open_engine(f"sqlite:///{tmp_path}/operational.db")

    def no_space(*_, **__):
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patched:
        patched.setattr("serving.nightly.night.folder.pq.write_table", no_space)
        with pytest.raises(OSError, match=r"cannot be written \(No space left on device\).*goes on where it stopped"):
            run(plan_of(company, work=tmp_path), engine)
    run(plan_of(company, work=tmp_path), engine)
    assert left_behind(engine) == left_behind(done[1])


def test__a_work_folder_that_was_lost__is_made_again(company, done, tmp_path, monkeypatch):
    """Another machine takes over, or somebody has cleaned up."""
    engine = open_engine(f"sqlite:///{tmp_path}/operational.db")

    def cut(night):
        night.folder.remove_all()
        raise RuntimeError

    with monkeypatch.context() as patched:
        patched.setitem(STEPS, "states", cut)
        with pytest.raises(RuntimeError):
            run(plan_of(company, work=tmp_path), engine)
    run(plan_of(company, work=tmp_path), engine)
    assert left_behind(engine) == left_behind(done[1])
    assert published(tmp_path) == published(done[0])


def test__what_a_killed_run_was_sorting__is_in_the_folder_of_the_night_and_goes_with_it(company, tmp_path, monkeypatch):
    engine = open_engine(f"sqlite:///{tmp_path}/operational.db")

    def killed(tables, to, as_of, progress, spill):
        (spill / "duckdb.tmp").write_text("accounts")
        raise RuntimeError

    with monkeypatch.context() as patched:
        patched.setattr("serving.nightly.steps.tables.publish", killed)
        with pytest.raises(RuntimeError):
            run(plan_of(company, work=tmp_path), engine)
    assert [path.name for path in (tmp_path / "nights").glob("*/publish/*")] == ["duckdb.tmp"]
    run(plan_of(company, work=tmp_path), engine)
    assert [path.name for path in (tmp_path / "nights").iterdir()] == [".lock"]


def test__a_complete_night__leaves_no_files_of_accounts_but_the_published(company, done):
    work, engine, _ = done
    assert [path.name for path in (work / "nights").iterdir()] == [".lock"]
    assert [row["ended_at"] for row in table_of(engine, job_runs)] == [clock()]


def test__bucket_table__is_the_whole_table_bit_for_bit(company, done):
    history = plan_of(company, work=done[0]).history
    whole = build_feature_table(history, NIGHT, CATALOG)
    parts = [build_bucket_table(history, bucket, NIGHT, CATALOG) for bucket in range(history.buckets)]
    together = pd.concat(parts).sort_index()
    assert together.index.equals(whole.index)
    assert np.array_equal(together.to_numpy(), whole.to_numpy(), equal_nan=True)
