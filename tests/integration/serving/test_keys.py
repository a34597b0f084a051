"""API keys: made, recognised, revoked; who may do what with them, and how fast."""

import asyncio
import json
from datetime import UTC, datetime, timedelta

import pytest
import sqlalchemy as sa
from commands import foresail
from hypothesis import given
from hypothesis import strategies as st
from starlette.datastructures import State
from typer.testing import CliRunner

from foresail.cli.main import app
from foresail.config.project import initialise, load
from foresail.operations.serving import check_reach, check_startable
from serving.api.middleware.access import ANY, Access, needed_scope
from serving.database import keys
from serving.database.engine import DatabaseUnavailable, opened, reading
from serving.database.keys import KeyNeeded, KeyRefused
from serving.database.tables import api_keys, audit_log
from serving.runtime.api_keys import STAY_SECONDS, Keyring
from serving.runtime.rate_limit import Pace

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)


def ring(engine, clock=lambda: 0.0):
    found = Keyring(lambda: engine, clock)
    found.look()
    return found


def test__a_key__is_recognised_by_its_text_and_by_no_other(database):
    key, text = keys.create(database, "CRM", ["score", "events"], NOON)
    other, other_text = keys.create(database, "shop", ["score"], NOON)
    found = ring(database)
    assert found.recognised(text) == key
    assert found.recognised(other_text) == other
    secret = text.removeprefix(f"fsk_{key.key_id}_")
    wrong = [
        "",
        "fsk",
        text[:-1],
        text + "x",
        text.swapcase(),
        f"xyz_{key.key_id}_{secret}",
        f"fsk_{other.key_id}_{secret}",
        secret,
    ]
    assert [found.recognised(each) for each in wrong] == [None] * len(wrong)


def test__what_is_stored_of_a_key__is_not_the_key(database):
    key, text = keys.create(database, "CRM", ["score"], NOON)
    secret = text.removeprefix(f"fsk_{key.key_id}_")
    assert len(secret) >= 43, "256 bits"
    with reading(database) as connection:
        stored = str(connection.execute(sa.select(api_keys)).all()) + str(
            connection.execute(sa.select(audit_log)).all()
        )
    assert key.key_id in stored
    assert secret not in stored


def test__a_revoked_key__is_not_recognised_any_more_but_still_counts_as_one(database):
    """Revoking the last key must not open the service to everybody on its machine."""
    key, text = keys.create(database, "CRM", ["score"], NOON)
    revoked = keys.revoke(database, key.key_id, NOON + timedelta(hours=1))
    found = ring(database)
    assert found.recognised(text) is None
    assert not found.is_empty
    assert keys.listed(database) == [revoked]


def test__every_act__is_in_the_audit_log(database):
    key, _ = keys.create(database, "CRM", ["score"], NOON)
    keys.revoke(database, key.key_id, NOON + timedelta(hours=1))
    with reading(database) as connection:
        acts = connection.execute(sa.select(audit_log).order_by(audit_log.c.position)).mappings().all()
    assert [(act["action"], act["subject"], act["actor"]) for act in acts] == [
        ("key_created", key.key_id, "foresail keys"),
        ("key_revoked", key.key_id, "foresail keys"),
    ]
    assert [act["at"] for act in acts] == [NOON, NOON + timedelta(hours=1)]
    assert json.loads(acts[0]["detail"]) == {"name": "CRM", "scopes": ["score"]}


def test__what_cannot_be_done__is_refused_in_words_and_leaves_nothing(database):
    key, _ = keys.create(database, "CRM", ["score"], NOON)
    keys.revoke(database, key.key_id, NOON)
    refusals = [
        (
            lambda: keys.create(database, "x", ["scores"], NOON),
            "no scope 'scores'; there are score, events, interventions, admin",
        ),
        (lambda: keys.create(database, "x", [], NOON), "needs a scope"),
        (lambda: keys.create(database, " ", ["score"], NOON), "needs a name"),
        (lambda: keys.revoke(database, "nobody", NOON), "no key 'nobody'"),
        (lambda: keys.revoke(database, key.key_id, NOON), "revoked 2026-03-01T12:00:00"),
    ]
    for act, words in refusals:
        with pytest.raises(KeyRefused, match=words):
            act()
    assert len(keys.listed(database)) == 1


def test__admin__is_good_for_everything_and_others_for_what_they_name(database):
    admin, _ = keys.create(database, "operator", ["admin"], NOON)
    crm, _ = keys.create(database, "CRM", ["score"], NOON)
    assert all(admin.may(scope) for scope in keys.SCOPES)
    assert [scope for scope in keys.SCOPES if crm.may(scope)] == ["score"]


def test__keyring__database_goes_away__stays_good_for_a_while_and_then_says_so(database):
    """An outage must not lock out callers; nor may cutting the service off keep a revoked key alive for ever."""
    _, text = keys.create(database, "CRM", ["score"], NOON)
    elsewhere, moment = database, 0.0
    found = Keyring(lambda: elsewhere, lambda: moment)
    found.look()
    elsewhere = opened("postgresql+psycopg://me:secret@127.0.0.1:1/foresail", wait_seconds=0.2)
    moment = STAY_SECONDS
    with pytest.raises(DatabaseUnavailable):
        found.look()
    assert found.recognised(text) is not None
    moment += 0.001
    with pytest.raises(DatabaseUnavailable, match="holds the API keys does not answer"):
        found.recognised(text)
    elsewhere = database
    found.look()
    assert found.recognised(text) is not None


def test__keyring__never_read__lets_nobody_in(database):
    """Nobody can tell whether there are keys: neither 'open to this machine' nor 'wrong key' would be true."""
    found = Keyring(lambda: database)
    for ask in (lambda: found.is_empty, lambda: found.recognised("fsk_a_b")):
        with pytest.raises(DatabaseUnavailable, match="holds the API keys does not answer"):
            ask()


@pytest.mark.parametrize(
    ("path", "scope"),
    [
        ("/score", "score"), ("/v1/scores", "score"), ("/v1/accounts", "score"), ("/v1/accounts/A1", "score"),
        ("/v1/accounts/A1/timeline", "score"), ("/v1/what-if", "score"), ("/v1/models", "score"), ("/v1/events", "events"),
        ("/", ANY), ("/docs.json", ANY), ("/v1/openapi.json", ANY), ("/static_content/index.css", ANY),
        ("/metrics", "admin"), ("/v1/accountsx", "admin"), ("/v1", "admin"), ("/v1/", "admin"), ("//score", "admin"),
        ("/scorex", "admin"), ("/new/app", "admin"), ("//", "admin"),
    ],
)  # fmt: skip
def test__needed_scope__a_path_and_all_below_it__and_admin_for_what_nobody_thought_of(path, scope):
    assert needed_scope(path) == scope


@given(
    st.floats(0.1, 100),
    st.integers(1, 20),
    st.lists(st.floats(0, 5), min_size=1, max_size=100),
)
def test__pace__never_more_than_the_burst_and_what_the_time_has_brought(per_second, burst, gaps):
    """In any stretch of time, however it is asked: at most burst + rate × length; and who waits as told is let in."""
    moment = 0.0
    pace = Pace(per_second, burst, lambda: moment)
    let_in = []
    for gap in gaps:
        moment += gap
        wait = pace.wait_seconds("a")
        if wait == 0.0:
            let_in.append(moment)
    for first in range(len(let_in)):
        for last in range(first, len(let_in)):
            allowed = burst + per_second * (let_in[last] - let_in[first])
            assert last - first + 1 <= allowed + 1e-6
    while (wait := pace.wait_seconds("a")) == 0.0:
        pass  # until the bucket is empty
    moment += wait + 1e-6
    assert pace.wait_seconds("a") == 0.0


def test__pace__callers_do_not_share_a_bucket():
    pace = Pace(1.0, 1, lambda: 0.0)
    assert [pace.wait_seconds(caller) for caller in ("a", "b", "a")] == [0.0, 0.0, 1.0]


def test__websocket__is_refused_before_any_app_sees_it():
    """There is no way to send a problem there, and no app that needs one."""
    sent = []

    async def send(message):
        sent.append(message)

    async def app(*_):
        raise AssertionError("it must not be asked")

    asyncio.run(Access(app, State())({"type": "websocket", "path": "/v1/events"}, None, send))
    assert [message["type"] for message in sent] == ["websocket.close"]


def run(*arguments):
    return CliRunner().invoke(app, ["keys", *arguments])


def test__command_line__creates_lists_and_revokes(tmp_path):
    """The database is made by whoever needs it first."""
    initialise(tmp_path)
    where = ("--project", str(tmp_path), "--json")
    made = json.loads(run("create", "CRM", "--scope", "score", "--scope", "events", *where).stdout)
    assert made["key"].startswith(f"fsk_{made['key_id']}_")
    (listed,) = json.loads(run("list", *where).stdout)
    assert "key" not in listed
    assert (listed["name"], listed["scopes"], listed["revoked_at"]) == ("CRM", ["score", "events"], None)
    assert json.loads(run("revoke", made["key_id"], *where).stdout)["revoked_at"] is not None
    shown = run("list", "--project", str(tmp_path)).stdout
    assert "CRM" in shown
    secret = made["key"].split("_", 2)[2]
    assert secret not in shown


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.0.2.1", "foresail.example"])
def test__serve__beyond_this_machine_without_a_key__does_not_start_and_says_how(tmp_path, host):
    project = load(initialise(tmp_path).parent)
    with pytest.raises(KeyNeeded, match="foresail keys create NAME"):
        check_startable(project, host, 3000)
    for here in ("127.0.0.1", "::1", "localhost"):
        check_reach(project, here)
    keys.create(project.engine(), "CRM", ["score"], NOON)
    check_reach(project, host)


def test__serve__beyond_this_machine_without_a_key__exit_code_2(tmp_path):
    initialise(tmp_path)
    ended = foresail("serve", "--host", "0.0.0.0", "--project", tmp_path)
    assert (ended.returncode, ended.stdout) == (2, "")
    assert "there is no API key yet" in ended.stderr


def test__command_line__without_a_key__says_what_that_means(tmp_path):
    initialise(tmp_path)
    assert "this machine alone" in run("list", "--project", str(tmp_path)).stdout
