"""KPIs worked out by hand, and the laws that they obey."""

from datetime import UTC, date, datetime, timedelta

import numpy as np
import pytest
from histories import busy_history
from storing import store

from features.kpis import COLUMNS, KPIS, kpis
from features.kpis.concentration import concentration
from features.kpis.periods import Calendar

AS_OF = datetime(2021, 1, 1, tzinfo=UTC)
DAY = timedelta(days=1)


def at(text):
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def line(when, amount, category=None, known=None, kind=None):
    kind = kind or ("order" if amount > 0 else "return")
    known_at = at(known or when)
    return {"occurred_at": at(when), "known_at": known_at, "kind": kind, "amount": float(amount), "category": category}


def survey(when, scale, score):
    return {"occurred_at": at(when), "known_at": at(when), "kind": "survey", "scale": scale, "score": float(score)}


def case(when, kind, **values):
    return {"occurred_at": at(when), "known_at": at(when), "case_id": "k", "kind": kind, **values}


def attributes(**values):
    return {"occurred_at": at("2018-01-01"), "known_at": at("2018-01-01"), **values}


def contract(when, kind, value, ends_at, contract_id="c"):
    return {
        "occurred_at": at(when), "known_at": at(when), "kind": kind, "contract_id": contract_id,
        "value": float(value), "ends_at": at(ends_at), "term": "fixed",
    }  # fmt: skip


COMPANY = {
    # 2019: 100, then silent. 2020: 300 − 20 returned, of which 50 in a category that is new to it.
    "a": {
        "accounts": [attributes(region="north")],
        "purchases": [
            line("2019-01-10", 100, "tools"), line("2020-02-10", 250, "tools"), line("2020-02-11", 50, "paint"),
            line("2020-03-01", -20, "tools"), line("2020-11-01", 500, "tools", known="2021-02-01"),
        ],
        "engagement": [survey("2020-05-01", "nps", 10), survey("2020-05-02", "nps", 7), survey("2020-06-01", "ces", 5)],
    },
    # Less than the year before, then gone: 60 days after 1 March is 30 April.
    "b": {
        "accounts": [attributes(region="south")],
        "purchases": [line("2019-02-20", 400, "tools"), line("2020-03-01", 100, "tools")],
        "engagement": [survey("2020-05-03", "nps", 6)],
        "service": [case("2020-05-04", "resolved", hours_to_resolve=10.0), case("2020-05-05", "resolved", hours_to_resolve=30.0),
                    case("2020-05-05", "rated", satisfaction=4.0, effort=6.0), case("2020-05-06", "rated", satisfaction=2.0)],
    },
    # New in December, and still a customer at the year's end.
    "c": {"purchases": [line("2020-12-20", 40, "paint")]},
}  # fmt: skip


@pytest.fixture(scope="module")
def company(tmp_path_factory):
    return store(tmp_path_factory.mktemp("kpis"), COMPANY)


@pytest.fixture(scope="module")
def figures(company):
    return kpis(company, AS_OF, churn_days=60, by=["region"], labels={"tier": {"a": "growth"}})


def figure(figures, kpi, period, start, member="all"):
    dimension = {"all": "all", "growth": "tier"}.get(member, "region")
    wanted = {"kpi": kpi, "period": period, "period_start": start, "dimension": dimension, "member": member}
    row = figures[np.logical_and.reduce([figures[name] == value for name, value in wanted.items()])]
    assert len(row) == 1, wanted
    return row["value"].item(), row["n"].item()


YEAR_2020 = date(2020, 1, 1)


@pytest.mark.parametrize(
    ("kpi", "value", "n"),
    [
        ("revenue", 420, 3),  # 300 − 20 + 100 + 40; the order of November is not known yet
        ("active_accounts", 3, 3),
        ("new_accounts", 1, 1),  # c
        ("cross_sell_revenue", 50, 1),  # paint of a; c's first order is no cross-selling
        ("upsell_revenue", 130, 1),  # a: 280 − 50 above 100
        ("net_revenue_retention", 380 / 500, 2),  # 280 + 100 of 100 + 400
        ("gross_revenue_retention", 200 / 500, 2),  # 100 + 100
        ("lifetime_value", 920 / 3, 3),
        ("lifetime_value_change", 920 / 3 - 500 / 2, 3),
        ("nps", 0, 3),  # one promoter, one passive, one detractor
        ("csat", 0.5, 2),
        ("ces", 5.5, 2),
        ("resolution_hours_median", 20, 2),
        ("resolution_hours_p90", 28, 2),
        ("top_20_percent_share", 280 / 420, 3),
    ],
)
def test__kpi__of_2020__by_hand(figures, kpi, value, n):
    assert figure(figures, kpi, "year", YEAR_2020) == pytest.approx((value, n))


def test__churned_accounts__silent_for_60_days__by_hand(figures):
    """Both fell silent in 2019 and again in April 2020, a 60 days after 11 February; c is still a customer."""
    assert figure(figures, "churned_accounts", "year", date(2019, 1, 1)) == (2, 2)
    assert figure(figures, "churned_accounts", "month", date(2020, 4, 1)) == (2, 2)
    # What they brought in the 365 days up to that order: a 250 + 50, before the return; b 100.
    assert figure(figures, "churned_value", "month", date(2020, 4, 1)) == (300 + 100, 2)
    assert figure(figures, "churn_rate", "month", date(2020, 4, 1)) == (1.0, 2)


def test__churned_accounts__of_high_value__are_the_highest_fifth(figures):
    """Values are 300, 100 and 40; four fifths of the way lies 220: a alone, and b's 400 of 2019, which was more."""
    assert figure(figures, "churned_high_value_accounts", "month", date(2020, 4, 1)) == (1, 1)
    assert figure(figures, "churned_high_value_value", "year", date(2019, 1, 1)) == (400, 1)


def test__kpi__of_a_member__counts_its_accounts_alone(figures):
    assert figure(figures, "revenue", "year", YEAR_2020, "north") == (280, 1)
    assert figure(figures, "revenue", "year", YEAR_2020, "south") == (100, 1)
    assert figure(figures, "revenue", "year", YEAR_2020, "not recorded") == (40, 1)
    assert figure(figures, "nps", "year", YEAR_2020, "south") == (-100, 1)
    assert figure(figures, "revenue", "year", YEAR_2020, "growth") == (280, 1)


def test__member__called_as_what_has_none__is_one_with_it(tmp_path):
    """Somebody has written into the CRM what we say of those of whom nothing is written there."""
    labelled = {"a": {"accounts": [attributes(region="not recorded")], "purchases": [line("2020-01-01", 7)]}}
    figures = kpis(store(tmp_path, labelled | {"b": {"purchases": [line("2020-01-01", 5)]}}), AS_OF, by=["region"])
    assert figure(figures, "revenue", "month", YEAR_2020, "not recorded") == (12, 2)


def test__member__is_the_newest_that_was_known__and_takes_its_past_along(tmp_path):
    """The move of 2020 was known, that of 2019 is learnt of only later; what a row leaves out stays as it was."""
    moved = [
        attributes(region="north"),
        {"occurred_at": at("2020-03-01"), "known_at": at("2020-03-02"), "region": "south"},
        {"occurred_at": at("2020-06-01"), "known_at": at("2021-01-02"), "region": "east"},
        {"occurred_at": at("2020-07-01"), "known_at": at("2020-07-01"), "name": "A"},
    ]
    history = store(tmp_path, {"a": {"accounts": moved, "purchases": [line("2020-01-01", 7)]}})
    figures = kpis(history, AS_OF, by=["region"])
    assert set(figures["member"]) == {"all", "south", "not recorded"}
    assert figure(figures, "revenue", "month", YEAR_2020, "south") == (7, 1)


def test__kpi__nothing_to_measure__is_absent_and_not_zero(figures):
    """Nobody answered in February; nobody bought in July, which is a revenue of 0."""
    value, n = figure(figures, "nps", "month", date(2020, 7, 1))
    assert (np.isnan(value), n) == (True, 0)
    assert figure(figures, "revenue", "month", date(2020, 7, 1)) == (0, 0)


def test__periods__have_ended_and_begin_with_the_history(tmp_path):
    """Nothing of the month that is under way, nothing before the first event, nothing that looks back beyond it."""
    history = store(tmp_path, {"a": {"purchases": [line("2019-02-10", 1), line("2020-12-31", 1)]}})
    figures = kpis(history, at("2020-12-31T23:59"))
    starts = figures.groupby(["kpi", "period"])["period_start"].agg(["min", "max"])
    assert tuple(starts.loc["revenue", "month"]) == (date(2019, 2, 1), date(2020, 11, 1))
    assert tuple(starts.loc["revenue", "quarter"]) == (date(2019, 4, 1), date(2020, 7, 1))
    assert tuple(starts.loc["net_revenue_retention", "month"]) == (date(2020, 2, 1), date(2020, 11, 1))
    assert ("revenue", "year") not in starts.index
    assert not {"nps", "resolution_hours_median", "contract_value"} & set(figures["kpi"])


def test__period__event_at_midnight_of_the_zone__belongs_to_the_month_that_begins(tmp_path):
    """[start, end), where the company is: 23:00 UTC is midnight in Berlin in winter."""
    lines = [line("2020-01-01", 1), line("2020-10-31T23:00", 10), line("2020-10-31T22:59:59.999999", 100)]
    figures = kpis(store(tmp_path, {"a": {"purchases": lines}}), AS_OF, timezone="Europe/Berlin")
    assert figure(figures, "revenue", "month", date(2020, 11, 1))[0] == 10
    assert figure(figures, "revenue", "month", date(2020, 10, 1))[0] == 100


def test__churned__silence_of_exactly_the_churn_days__depends_on_the_next_order(tmp_path):
    """(order, order + 60 days]: one that comes at the last moment has come in time, a microsecond later it is too late."""
    in_time = [line("2020-03-01", 1), line("2020-04-30", 1), line("2020-12-31", 1)]
    too_late = [line("2020-03-01", 1), line("2020-04-30T00:00:00.000001", 1), line("2020-12-31", 1)]
    open_still = [line("2020-11-02", 1)]
    history = store(
        tmp_path, {"a": {"purchases": in_time}, "b": {"purchases": too_late}, "c": {"purchases": open_still}}
    )
    figures = kpis(history, AS_OF, churn_days=60)
    assert figure(figures, "churned_accounts", "month", date(2020, 4, 1)) == (1, 1)
    later = kpis(history, AS_OF + 31 * DAY, churn_days=60)
    assert figure(later, "churned_accounts", "month", date(2021, 1, 1))[0] == 1


CONTRACTS = {
    # Worth 100, renewed at 150; worth 300, renewed at 200; not renewed.
    "a": {"contracts": [contract("2019-01-01", "signed", 100, "2020-01-01"), contract("2019-12-01", "renewed", 150, "2021-06-01")]},
    "b": {"contracts": [contract("2019-01-01", "signed", 300, "2020-03-01"), contract("2020-03-01", "renewed", 200, "2022-01-01")]},
    "c": {"contracts": [contract("2019-01-01", "signed", 600, "2020-05-15")]},
}  # fmt: skip


def test__contracts__by_hand(tmp_path):
    """1,000 in force in 2019's middle, 350 a year later; signed at midnight of New Year, so that 2019 is a whole year."""
    figures = kpis(store(tmp_path, CONTRACTS), AS_OF)
    assert figure(figures, "contract_value", "month", date(2019, 6, 1)) == (1000, 3)
    assert figure(figures, "contract_value", "year", YEAR_2020) == (350, 2)
    assert figure(figures, "contract_churned_accounts", "month", date(2020, 5, 1)) == (1, 1)
    assert figure(figures, "contract_churned_value", "year", YEAR_2020) == (600, 1)
    assert figure(figures, "contract_net_retention", "month", date(2020, 6, 1)) == (0.35, 3)
    assert figure(figures, "contract_gross_retention", "month", date(2020, 6, 1)) == (0.3, 3)


def test__concentration__of_a_year__as_the_report_says(tmp_path):
    """A year of 365 days ends at midnight: the same accounts, the same revenue, if every account has ordered."""
    lines = {f"a{number}": {"purchases": [line("2019-01-01T12:00", number**2 + 1)]} for number in range(23)}
    history, end = store(tmp_path, lines), at("2020-01-01")
    report, figures = concentration(history, end), kpis(history, end)
    assert figure(figures, "gini", "year", date(2019, 1, 1)) == (pytest.approx(report.gini), 23)
    assert figure(figures, "top_20_percent_share", "year", date(2019, 1, 1))[0] == pytest.approx(report.top[3].share)


def test__kpis__no_history__an_empty_table(tmp_path):
    figures = kpis(store(tmp_path, {}), AS_OF, by=["region"])
    assert (len(figures), tuple(figures.columns)) == (0, COLUMNS)


def test__kpis__every_one_is_defined_and_of_its_unit(figures):
    assert set(figures["kpi"]) <= set(KPIS)
    assert all(figures["unit"] == figures["kpi"].map(lambda name: KPIS[name].unit))


SEEN = datetime(2020, 6, 1, tzinfo=UTC)
"""Around which the random histories lie."""


def company_of(seeds):
    return {f"a{seed}": busy_history(seed) for seed in seeds}


def known_by(moment, accounts):
    return {
        account: {stream: [row for row in rows if row["known_at"] <= moment] for stream, rows in streams.items()}
        for account, streams in accounts.items()
    }


def test__what_becomes_known_later__moves_nothing(tmp_path):
    """The law of time: with and without it every figure is the same to the last bit."""
    accounts = company_of(range(30))
    everything, known = (kpis(store(tmp_path / name, rows), SEEN, by=["region", "industry"]) for name, rows in
                         (("all", accounts), ("known", known_by(SEEN, accounts))))  # fmt: skip
    assert len(everything) > 1000
    assert everything.equals(known)


def test__threads__do_not_matter(tmp_path):
    history = store(tmp_path, company_of(range(20)))
    single, four = (kpis(history, SEEN, by=["region"], threads=threads) for threads in (1, 4))
    assert single.equals(four)


def test__members__add_up_to_the_company(tmp_path):
    """Of what is counted or summed, a division leaves nobody out."""
    figures = kpis(store(tmp_path, company_of(range(25))), SEEN, by=["region"])
    summed = figures[figures["unit"].isin(["currency", "accounts"]) & ~figures["kpi"].str.startswith("lifetime")]
    parts = summed.groupby(["kpi", "period", "period_start", "dimension"])["value"].sum().unstack()
    assert len(parts) > 200
    np.testing.assert_allclose(parts["all"], parts["region"], rtol=1e-9, atol=1e-6)


def test__calendar__periods_are_whole_and_in_step():
    """Quarters and years are made of the months of their own year."""
    for period in Calendar.until(at("2020-11-20"), "UTC").periods():
        months = (period.end.year - period.start.year) * 12 + period.end.month - period.start.month
        assert months == period.last - period.first == {"month": 1, "quarter": 3, "year": 12}[period.kind]
        assert (period.start.month - 1) % months == 0
