"""The streams beyond orders: what their checks let pass, what they refuse and in which words, and what an absence means."""

from datetime import UTC, datetime

import pytest
from ingesting import bring, counts, rows, source
from storing import store

from features.catalog import named
from features.engine.table import build_feature_table
from features.history.streams import STREAMS


def brought(folder, stream, header, *lines):
    """Ingest lines of one stream, all of one account and one moment; the report."""
    text = f"account_id,occurred_at,known_at,{header}\n" + "".join(
        f"a,2011-05-01,2011-05-01,{line}\n" for line in lines
    )
    return bring(folder, source(folder, text, name="rows", stream=stream))


def reasons(report):
    return list(report.reasons)


@pytest.mark.parametrize(
    ("stream", "header", "line", "reason"),
    [
        ("engagement", "kind,scale,score", "survey,nps,11", "a score of nps lies between 0 and 10"),
        ("engagement", "kind,scale,score", "survey,csat,0", "a score of csat lies between 1 and 5"),
        ("engagement", "kind,scale,score", "survey,ces,7.5", "a score of ces lies between 1 and 7"),
        ("engagement", "kind,scale,score", "survey,,9", "score needs a scale: nps, csat, ces"),
        ("engagement", "kind,status", "meeting,left", "status of a meeting must be one of held, cancelled, missed"),
        (
            "engagement",
            "kind,status",
            "login,held",
            "only cart, mail, campaign, meeting, community, loyalty, intervention, reference, champion, project have a status",
        ),
        ("engagement", "kind,sentiment", "opinion,-2", "sentiment must lie between -1 and 1"),
        ("service", "case_id,kind,effort", "c,rated,8", "effort must lie between 1 and 7"),
        ("contracts", "contract_id,kind,ends_at", "s,signed,2920-01-01", "ends_at must lie between 1900 and 2200"),
        (
            "contracts",
            "contract_id,kind,ends_at,term",
            "s,signed,2012-01-01,open",
            "term must be fixed with ends_at, and open without",
        ),
        ("contacts", "contact_id,stance", "m,friendly", "stance must be one of champion, neutral, critic"),
        ("accounts", "market_share", "25", "market_share must lie between 0 and 1"),
        ("accounts", "willing_to_be_reference", "maybe", "willing_to_be_reference must be one of yes, no"),
    ],
)
def test__row_that_breaks_a_check__is_refused_in_words_that_say_what_to_do(tmp_path, stream, header, line, reason):
    """A score of 11 on a scale of 10 would be believed by every average after it."""
    report = brought(tmp_path, stream, header, line)
    assert (counts(report), reasons(report)) == ((1, 0, 0, 1), [reason])


@pytest.mark.parametrize(
    ("stream", "header", "line"),
    [
        ("engagement", "kind,scale,score", "survey,nps,0"),
        ("engagement", "kind,scale,score", "survey,ces,7"),
        ("engagement", "kind,scale,score", "survey,,"),
        ("engagement", "kind,status,level,subject", "meeting,cancelled,executive,strategy"),
        ("engagement", "kind,status", "meeting,"),
        ("purchases", "kind,amount,margin,unit_price", "cancellation,-5,-2,5"),
        ("service", "case_id,kind,hours_to_answer", "c,answered,0"),
        ("contracts", "contract_id,kind,ends_at", "s,signed,2035-01-01"),
        ("accounts", "founded_at", "1887-03-01"),
        ("accounts", "joined_at", "2012-09-01"),
    ],
)
def test__row_at_the_edge_of_a_check__is_kept(tmp_path, stream, header, line):
    """The end of a contract lies ahead, a founding day may lie before all history: neither is a slip of the pen."""
    assert counts(brought(tmp_path, stream, header, line)) == (1, 1, 0, 0)


def test__contract__without_an_end__is_open_and_with_one_is_fixed(tmp_path):
    """Nobody has to say it twice."""
    brought(tmp_path, "contracts", "contract_id,kind,ends_at", "s,signed,2035-01-01", "t,signed,")
    assert {row["contract_id"]: row["term"] for row in rows(tmp_path, "contracts")} == {"s": "fixed", "t": "open"}


def test__contact__without_a_status__has_joined(tmp_path):
    """Whoever is listed is there."""
    brought(tmp_path, "contacts", "contact_id", "m")
    assert [row["status"] for row in rows(tmp_path, "contacts")] == ["joined"]


def test__attribute__known_only_later__is_not_seen_earlier(tmp_path):
    """The share of wallet of January, found out in March: a row of February does not have it, one of April does."""
    january, february, march, april = (datetime(2011, month, 1, tzinfo=UTC) for month in (1, 2, 3, 4))
    found_out = {"occurred_at": january, "known_at": march, "market_share": 0.25}
    first = {"occurred_at": january, "known_at": january, "name": "Acme"}
    history = store(tmp_path, {"a": {"accounts": [first, found_out]}})
    table = build_feature_table(history, [february, april], named(["account_market_share_last"]))
    assert table.iloc[:, 0].fillna(-1).tolist() == [-1, 0.25]


def test__columns__every_one_says_what_it_means_and_what_its_absence_means():
    """The page that companies map their files by is written from this."""
    for stream in STREAMS.values():
        assert stream.grain
        for column in stream.columns:
            assert column.meaning, f"{stream.name}.{column.name}"
            assert column.absent, f"{stream.name}.{column.name}"
            assert not (column.required and column.default), f"{stream.name}.{column.name}"


def test__columns_that_are_no_moments_of_history__are_those_that_may_lie_anywhere():
    """Every other time is checked against the history's bounds."""
    anywhere = {column.name for stream in STREAMS.values() for column in stream.columns if column.any_time}
    assert anywhere == {"ends_at", "founded_at", "joined_at"}
    own = {column.name for stream in STREAMS.values() for column in stream.own_columns if column.type == "time"}
    assert own == anywhere


def test__ids__of_rows_that_lack_the_new_columns__are_what_they_were(tmp_path):
    """A stream may gain columns: reading last year's file again must not double what is stored."""
    bring(tmp_path, source(tmp_path, "account_id,occurred_at,amount,order_id\na,2011-05-01,5,o\n"))
    (row,) = rows(tmp_path)
    assert row["event_id"] == "d3103dbdf5027cef4a2cf148f3eccb33"
