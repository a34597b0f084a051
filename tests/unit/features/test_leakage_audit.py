"""The leakage audit: declared features pass it, and every kind of leak that a builder can have is caught by its own probe."""

import json
import random
from datetime import timedelta
from functools import partial

import numpy as np
import pandas as pd
import pytest
from histories import AS_OF
from storing import store

from features.catalog import CATALOG
from features.definitions import Aggregate, Bound, Constant, Derived, Feature, OneOf, Season, events, less
from features.engine.plan import FeatureSet
from features.engine.table import build_feature_table
from features.history.store import History
from features.leakage_audit.audit import NOTHING, REMOVED, THE_ROW, AuditError, audit, take_sample
from features.leakage_audit.probes import aggregates_of, leak_probes

ORDERS = events("purchases", kind="order")
OURS = FeatureSet(
    [
        Feature("amount_90d", ORDERS.sum("amount", days=90), "", "", ""),
        Feature("since_last", ORDERS.days_since_last(), "", "", ""),
        Feature("poor_ratings", events("service", kind="rated", topic="fault").count(days=30), "", "", ""),
        Feature("size", events("accounts").last("size"), "", "", ""),
    ]
)
DAY = timedelta(days=1)


def company(accounts=120, seed=0):
    """Accounts that bought up to a dozen times in the last year, and half of which we later hear more of."""
    draw = random.Random(seed)
    return {f"account {number}": one_account(draw, number) for number in range(accounts)}


def one_account(draw, number):
    days = sorted(draw.uniform(2, 365) for _ in range(draw.randint(0, 12)))
    late = [{"occurred_at": AS_OF - DAY, "known_at": AS_OF + 9 * DAY, "kind": "order", "amount": 7.0}] * (number % 2)
    return {
        "purchases": [bought(AS_OF - days_ago * DAY, draw.uniform(1, 99)) for days_ago in days] + late,
        "accounts": [{"occurred_at": AS_OF - 400 * DAY, "known_at": AS_OF - 400 * DAY, "size": float(number)}],
    }


def bought(moment, amount):
    return {"occurred_at": moment, "known_at": moment, "kind": "order", "amount": amount}


@pytest.fixture(scope="module")
def history(tmp_path_factory):
    return store(tmp_path_factory.mktemp("audited"), company())


@pytest.fixture(scope="module")
def of_catalog(history):
    return audit(history, AS_OF)


def caught(report):
    """The probes that moved any feature."""
    return {moved.probe for moved in report.moved}


def test__audit__the_catalog__nothing_moves(of_catalog):
    """Zero is the only passing number."""
    assert of_catalog.moved == ()
    assert of_catalog.blind == ()
    assert of_catalog.passed
    assert (of_catalog.accounts, of_catalog.features) == (120, tuple(CATALOG.names))


def test__audit__the_catalog__every_feature_would_have_noticed(of_catalog):
    """Segmentation still proves something only of a feature that moves when the same rows are visible: all that read events."""
    blind_by_nature = {feature.name for feature in CATALOG if not reads_events(feature.definition)}
    assert set(of_catalog.unexercised) == blind_by_nature
    assert min(of_catalog.probes.values()) > 0


def reads_events(definition):
    if isinstance(definition, Derived):
        return reads_events(definition.first) or reads_events(definition.second)
    return isinstance(definition, Aggregate)


def test__audit__same_seed__same_report_and_another_seed_other_accounts(history):
    """A finding can be looked at again."""
    leaky = partial(build_feature_table, features=OURS, leak_until=AS_OF + 90 * DAY)
    reports = [audit(history, AS_OF, OURS, accounts=5, seed=seed, builder=leaky) for seed in (3, 3, 4)]
    assert reports[0] == reports[1] != reports[2]


def test__audit__table_built_with_leak_until__every_feature_is_caught_by_what_is_known_late(history):
    """The one way in which our own door looks ahead, meant for labels alone."""
    leaky = partial(build_feature_table, features=OURS, leak_until=AS_OF + 90 * DAY)
    report = audit(history, AS_OF, OURS, builder=leaky)
    assert not report.passed
    assert set(report.leaking) == set(OURS.names)
    assert caught(report) == {"known late", "known at the edge", "attributes known later", REMOVED}


def test__audit__a_finding__names_feature_account_moment_and_both_values(history):
    """Enough to open the account and look."""
    leaky = partial(build_feature_table, features=OURS, leak_until=AS_OF + 90 * DAY)
    report = audit(history, AS_OF, OURS, builder=leaky)
    (moved,) = (
        candidate for candidate in report.moved if (candidate.feature, candidate.probe) == ("since_last", REMOVED)
    )
    assert (moved.as_of, moved.before, moved.accounts) == (AS_OF, 1.0, 60)
    assert int(moved.account_id.removeprefix("account ")) % 2 == 1
    assert moved.after is None or moved.after >= 2
    assert json.loads(json.dumps(report.to_json()))["leaking"] == list(report.leaking)


def by_hand(history, sees, features=("amount", "count")):
    """A company's own table, from the rows of purchases that `sees` lets pass; absent accounts are absent."""
    rows = history.read("purchases", 0, ["account_id", "occurred_at", "known_at", "amount"]).to_pandas()
    rows = rows[sees(rows)].astype({"account_id": "str"})
    return rows.groupby("account_id").agg(amount=("amount", "sum"), count=("amount", "size"))[list(features)]


def fair(history, as_of):
    return by_hand(history, lambda rows: (rows["known_at"] <= as_of) & (rows["occurred_at"] <= as_of))


def test__audit__a_builder_of_ones_own_that_is_fair__passes(history):
    """Whoever keeps to known_at need not use our door."""
    report = audit(history, AS_OF, OURS, builder=fair)
    assert report.passed
    assert report.exercised == ("amount", "count")


@pytest.mark.parametrize(
    ("builder", "probes"),
    [
        # When it happened is not when it was known: nothing but late arrivals tells the two apart.
        (
            lambda history, as_of: by_hand(history, lambda rows: rows["occurred_at"] <= as_of),
            {"known late", "known at the edge", "accounts first heard of later", REMOVED},
        ),
        # One microsecond too many.
        (lambda history, as_of: fair(history, as_of + timedelta(microseconds=1)), {"at the edge", "known at the edge"}),
        # What became known within the minute, as a clock that is cut to minutes has it.
        (
            lambda history, as_of: by_hand(
                history, lambda rows: (rows["occurred_at"] <= as_of) & (rows["known_at"] < as_of + timedelta(minutes=1))
            ),
            {"known at the edge"},
        ),
        # No look at time at all.
        (
            lambda history, as_of: by_hand(history, lambda rows: rows["amount"] > 0),
            {
                "known late",
                "at the edge",
                "known at the edge",
                "in the future",
                "accounts first heard of later",
                REMOVED,
            },
        ),
        # A share among all accounts is moved by accounts that nobody knew yet.
        (
            lambda history, as_of: fair(history, as_of).assign(
                share=lambda table: table["amount"] / by_hand(history, lambda rows: rows["amount"] > 0)["amount"].sum()
            ),
            {"known late", "at the edge", "known at the edge", "in the future", "accounts first heard of later"},
        ),
        # Never twice the same.
        (
            lambda history, as_of: fair(history, as_of).assign(
                noise=lambda table: np.random.default_rng().random(len(table))
            ),
            {NOTHING},
        ),
    ],
    ids=[
        "known_at ignored",
        "off by one",
        "known within the minute",
        "time ignored",
        "share among the unknown",
        "random",
    ],
)
def test__audit__a_leaky_builder__is_caught_by_the_probe_of_its_mistake(history, builder, probes):
    """Each mistake has its own probe, so that the report says what was done wrong."""
    report = audit(history, AS_OF, OURS, builder=builder)
    assert not report.passed
    assert caught(report) >= probes
    if NOTHING not in probes:
        assert caught(report) - {REMOVED} == probes - {REMOVED}


def test__audit__attributes_taken_as_they_are_today__are_caught(history):
    """The commonest leak of all: today's owner, region or size in the rows of last year."""

    def today(history, as_of):
        rows = history.read("accounts", 0, ["account_id", "known_at", "size"]).to_pandas().astype({"account_id": "str"})
        known = rows[rows["known_at"] <= as_of]["account_id"].unique()
        return rows.groupby("account_id")[["size"]].last().loc[sorted(known)]

    report = audit(history, AS_OF, OURS, builder=today)
    assert "attributes known later" in caught(report)


def test__audit__account_in_the_table_before_it_is_known__is_found_as_its_row(history):
    """A row too many is a leak as well: the account was not known."""
    report = audit(
        history, AS_OF, OURS, builder=lambda history, _: by_hand(history, lambda rows: rows["amount"] > -1e9)
    )
    assert THE_ROW in report.leaking


def test__audit__a_builder_that_stops_short_of_as_of__is_blind_there(history):
    """What is known exactly at as_of is known by as_of: not a leak, but not the truth either."""
    report = audit(
        history, AS_OF, OURS, builder=lambda history, as_of: fair(history, as_of - timedelta(microseconds=1))
    )
    assert report.moved == ()
    assert report.blind == ("amount", "count")
    assert not report.passed


def test__audit__a_builder_that_stops_short_of_what_is_known_at_as_of__is_blind_there(history):
    """The moment itself counts for when it was known as it does for when it happened."""

    def short(history, as_of):
        return by_hand(history, lambda rows: (rows["occurred_at"] <= as_of) & (rows["known_at"] < as_of))

    def short_of_arrivals(history, as_of):
        return by_hand(
            history,
            lambda rows: (rows["known_at"] < as_of) | ((rows["occurred_at"] == as_of) & (rows["known_at"] == as_of)),
        )

    for builder in (short, short_of_arrivals):
        report = audit(history, AS_OF, OURS, builder=builder)
        assert (report.moved, report.blind) == ((), ("amount", "count"))


def test__audit__a_window_longer_than_the_calendar__is_probed_as_one_without_an_end(history):
    """Python has no moment a million days ago."""
    ever = [
        Feature("ever", ORDERS.count(days=999_999), "", "", ""),
        Feature("lag", ORDERS.count(lag_days=1e7), "", "", ""),
    ]
    report = audit(history, AS_OF, ever, accounts=5)
    assert (report.passed, report.exercised) == (True, ("ever",))


def test__audit__a_feature_that_nothing_can_move__is_not_counted_as_proved(history):
    """A probe that no feature could notice proves nothing, and the report says of which."""
    never = Feature("never", less(ORDERS.count(), Constant(-1.0)), "", "", "")
    season = Feature("season", Season.SINE, "", "", "")
    report = audit(history, AS_OF, [*OURS, never, season], accounts=10)
    assert report.unexercised == ("never", "season")
    assert report.passed


def test__audit__streams_that_a_company_does_not_have__are_probed_all_the_same(tmp_path):
    """A feature over an empty stream must not see the stream's first row before it is known."""
    history = store(tmp_path, {"a": {"purchases": [bought(AS_OF - DAY, 5.0)]}})
    report = audit(history, AS_OF)
    leaky = audit(history, AS_OF, builder=partial(build_feature_table, features=CATALOG, leak_until=AS_OF + 90 * DAY))
    assert report.passed
    streams = {name.partition("_")[0] for name in leaky.leaking}
    assert streams >= {"purchases", "service", "engagement"}


def test__audit__the_history_itself__is_left_alone(tmp_path):
    """Probes go into a copy."""
    history = store(tmp_path, company(5))
    versions, before = history.versions(), sorted(tmp_path.rglob("*"))
    audit(history, AS_OF, OURS)
    assert (history.versions(), sorted(tmp_path.rglob("*"))) == (versions, before)


def test__audit__nobody_known_yet__says_so(tmp_path):
    with pytest.raises(AuditError, match="no account is known as of 2020-06-01"):
        audit(History(tmp_path), AS_OF)


@pytest.mark.parametrize(
    ("table", "message"),
    [
        (pd.DataFrame({"amount": [1.0]}), "has no index level account_id"),
        (
            pd.DataFrame({"amount": [1.0, 2.0]}, index=pd.Index(["a", "a"], name="account_id")),
            "has several rows for account 'a'; it must have one row per account",
        ),
    ],
)
def test__audit__a_table_that_cannot_be_compared__says_what_it_needs(history, table, message):
    with pytest.raises(AuditError, match=message):
        audit(history, AS_OF, OURS, builder=lambda *_: table)


def test__audit__progress__counts_up_to_the_end(history):
    seen = []
    audit(history, AS_OF, OURS, accounts=3, progress=lambda *step: seen.append(step))
    assert seen == [(number, len(seen)) for number in range(1, len(seen) + 1)]


def test__leak_probes__every_aggregate_of_the_catalog__has_rows_that_it_counts(history):
    """Every kind and word that features test for occurs in the probes, inside the window that they look at."""
    aggregates = {aggregate for feature in CATALOG for aggregate in aggregates_of(feature.definition)}
    late, *_ = leak_probes(take_sample(history, AS_OF, 3, seed=0), CATALOG, AS_OF, seed=0)
    for aggregate in aggregates:
        assert any(counts(aggregate, row) for row in late.visible[aggregate.stream]), aggregate


def counts(aggregate, row):
    """Whether a row passes the aggregate's conditions, inside its window."""
    conditions = (*aggregate.conditions, *(aggregate.newest.conditions if aggregate.newest else ()))
    age = (AS_OF - row["occurred_at"]) / DAY - aggregate.lag_days
    return 0 <= age < aggregate.days and all(passes(condition.test, row[condition.column]) for condition in conditions)


def passes(test, value):
    if isinstance(test, OneOf):
        return value in test.allowed
    if isinstance(test, Bound):
        return value is not None and (value <= test.bound if test.side == "at_most" else value >= test.bound)
    return value is not None and value > AS_OF
