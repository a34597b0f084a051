"""Conditions: judged before they are used, and harmless whatever they say."""

import duckdb
import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from serving.interventions.declare.columns import ARROW, columns_of_accounts
from serving.interventions.declare.expressions import _connection, columns_in, holding, problems_of
from serving.segmentation.settings import TargetOf

COLUMNS = columns_of_accounts({"churn": TargetOf("churn", 90)})


def rows(**values):
    """Some columns of accounts, None where nothing is known."""
    return pa.table({name: pa.array(column, ARROW[COLUMNS[name].type]) for name, column in values.items()})


GOOD = [
    "churn_band = 'high' and value_at_stake > 5000 and quadrant <> 'routine'",
    "purchases_down_two_quarters",
    "not detractor or surveys_nps_last is null",
    "CHURN_PERCENTILE >= 0.9 -- the riskiest",
    "tier in ('strategic', 'growth') and health between 10 and 40.5",
    "coalesce(surveys_nps_last, 10) < 7 and name like 'A%' and lower(industry) = 'retail'",
    "case when tier = 'strategic' then value > 10 else value / 2 > 1e3 end",
    "region = '北京' and cast(potential as decimal) > 0",
    "least(health, satisfaction) < round(exposure, 1) + abs(-3)",
]


@pytest.mark.parametrize("condition", GOOD)
def test__problems_of__a_condition_over_documented_columns__none(condition):
    assert problems_of(condition, COLUMNS) == []


WRONG = {
    "churn_bnd = 'high'": "there is no column 'churn_bnd'; did you mean churn_band",
    "xyzzy > 1": "there is no column 'xyzzy'; docs/reference/rules.md lists them",
    "tier = 'strategc'": "tier is never 'strategc'; did you mean strategic?",
    "quadrant in ('routine', 'gold')": "quadrant is never 'gold'; it is strategic_core",
    "severity >= 'high'": "words of severity have no order",
    "value > 'much'": "value is a number, and 'much' is none",
    "tier > 5": "Cannot compare values of type text and type number",
    "value": "it is no condition but a number; compare it",
    "name": "it is no condition but a text",
    "value > ": "at its end, after 'value >'",
    "value > 1 tier = 'growth'": "at 'tier = 'growth'', after 'value > 1'",
    "": "it is empty",
    "value > 1; drop table rows": "it is no SQL condition",
    "true) , (false": "more than one condition",
    "true) from rows where (true": "more than one condition",
    "true) from (rows": "more than one condition",
    "true) from read_csv('/etc/passwd') where (true": "more than one condition",
    "value > (select 1)": "a query inside it is not allowed",
    "exists (from read_text('/etc/passwd'))": "a query inside it is not allowed",
    "value > all(select 1)": "a query inside it is not allowed",
    "sum(value) > 1": "the function sum is not allowed; use one of abs",
    "row_number() over () > 1": "a window is not allowed",
    "abs(distinct value) > 1": "the function abs is not allowed",
    "read_csv('/etc/passwd') = 1": "the function read_csv is not allowed",
    "getenv('HOME') = 'x'": "the function getenv is not allowed",
    "name ~ '(a+)+$'": "the function regexp_matches is not allowed",
    "repeat(name, 1000000000) = ''": "the function repeat is not allowed",
    "value > ?": "a parameter is not allowed",
    "value > $1": "a parameter is not allowed",
    "#1": "a column by its position is not allowed",
    "*": "* is not allowed",
    "rows.value > 1": "there is no column 'rows.value'",
    "name::blob = 'x'": "a cast to blob is not allowed",
    "try(value > 1)": "such an operator is not allowed",
    "copy rows to 'left_behind'": "it is no SQL condition",
    "pragma database_list": "it is no SQL condition",
    "value > 1 /*": "it is no SQL condition",
    "value > 1\x00": "it has the character '\\x00'",
    "name = '\ud800'": "it has the character '\\ud800'",
    "value > 1 " * 400: "it has 4,000 characters, and may have 2,000",
    "not " * 400 + "detractor": "nested too deeply",
    "1" + " + 1" * 480 + " > 0": "nested too deeply",
}


@pytest.mark.parametrize("condition", WRONG)
def test__problems_of__what_is_wrong__is_said_with_what_to_do(condition):
    found = problems_of(condition, COLUMNS)
    assert any(WRONG[condition] in problem for problem in found), found


HOSTILE = st.lists(
    st.sampled_from([
        "select 1", "(", ")", ";", "--", "/*", "*/", "'", '"', "$$", ",", "from rows", "from '/etc/passwd'",
        "read_csv('/etc/passwd')", "copy rows to 'left_behind'", "attach 'left_behind' as x", "pragma version",
        "set threads = 1", "install httpfs", "value", "tier", "= 'strategic'", "> 1", "and", "or", "not", "is null",
        "in (1, 2)", "::", "[1]", "{'a': 1}", "lambda x: x", "union all", "where true", "limit 1", "case when", "end",
        "\n", "\u202e", "é", "0x", "1e999", ".", "*", "?", "@", "\\",
    ])
    | st.text(max_size=8),
    max_size=12,
)  # fmt: skip


@given(HOSTILE)
@example(["value > 1", "--", "\n", "or read_csv('/etc/passwd')"])
@example(["(" * 900, "value > 1", ")" * 900])
@settings(max_examples=150, deadline=None)
def test__whatever_is_written__either_has_problems_or_answers_for_each_row(parts):
    """No text makes it raise, and none that it lets pass does anything but answer."""
    condition = " ".join(parts)
    problems = problems_of(condition, COLUMNS)
    assert all(isinstance(problem, str) and problem for problem in problems)
    if not problems:
        table = pa.table({name: pa.nulls(2, ARROW[column.type]) for name, column in COLUMNS.items()})
        assert holding(table, {"it": condition})["it"].shape == (2,)


@pytest.mark.parametrize(
    "query",
    [
        "select * from read_text('{folder}/there')",
        "copy (select 1) to '{folder}/left_behind.csv'",
        "attach '{folder}/left_behind.db' as x",
        "set enable_external_access = true",
        "install httpfs",
        "select * from in_python",
    ],
)
def test__connection__asked_directly__reaches_nothing(query, tmp_path):
    """The second wall: what the lists above would ever let through by mistake."""
    in_python, there = pd.DataFrame({"secret": [1]}), tmp_path / "there"
    there.write_text("secret", encoding="utf-8")
    with pytest.raises(duckdb.Error):
        _connection().cursor().execute(query.format(folder=tmp_path))
    assert list(tmp_path.iterdir()) == [there]
    assert len(in_python) == 1


def test__holding__is_what_pandas_says__row_by_row():
    """Another computation of the issue's example, null being no."""
    random = np.random.default_rng(7)
    bands, quadrants = np.array(["low", "high", None]), np.array(["routine", "strategic_core", None])
    stake = np.where(random.random(5_000) < 0.2, np.nan, random.uniform(0, 10_000, 5_000))
    band, quadrant = random.choice(bands, 5_000), random.choice(quadrants, 5_000)
    table = rows(
        churn_band=band, quadrant=quadrant, value_at_stake=[None if np.isnan(each) else each for each in stake]
    )
    there = pd.Series(quadrant).notna()
    expected = (band == "high") & (stake > 5000) & there & (quadrant != "routine")
    found = holding(table, {"win_back": GOOD[0], "all": "true", "none": "value_at_stake < 0"})
    assert found["win_back"].tolist() == expected.tolist()
    assert found["all"].all()
    assert not found["none"].any()
    assert found["win_back"].any()
    assert found["win_back"].dtype == np.bool_


@given(st.permutations(range(6)))
@settings(deadline=None)
def test__holding__rows_in_another_order__answers_in_that_order(order):
    table = rows(value=[1.0, None, 3.0, 4.0, None, 6.0])
    straight = holding(table, {"it": "value > 2"})["it"]
    assert holding(table.take(list(order)), {"it": "value > 2"})["it"].tolist() == straight[list(order)].tolist()


def test__holding__what_cannot_be_reckoned_for_one_row__does_not_hold_for_it_alone():
    table = rows(name=["7", "seven", None, "9"])
    assert holding(table, {"it": "cast(name as integer) > 6"})["it"].tolist() == [True, False, False, True]


def test__holding__no_rows__or_no_conditions__is_nothing():
    assert holding(rows(value=[]), {"it": "value > 2"})["it"].shape == (0,)
    assert holding(rows(value=[1.0]), {}) == {}


def test__holding__reads_only_the_columns_that_it_needs():
    """An SLA can be asked with a row that has no features."""
    assert columns_in("tier = 'growth' and VALUE > 1") == {"tier", "value"}
    assert holding(rows(tier=["growth"], value=[2.0]), {"it": "tier = 'growth' and VALUE > 1"})["it"].all()
