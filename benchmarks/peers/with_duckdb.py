"""DuckDB, in the forms that its users would try; every answer ends as an Arrow table in memory."""

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq
from task import answer
from training_shape import Question

SQL = {
    "count": "count(*)", "sum": "sum(amount)", "mean": "avg(amount)", "std": "stddev_samp(amount)",
    "min": "min(amount)", "max": "max(amount)", "first": "arg_min(amount, occurred_at)",
    "last": "arg_max(amount, occurred_at)", "product": "sum(amount * quantity)", "quantity_sum": "sum(quantity)",
    "quantity_max": "max(quantity)", "categories": "count(distinct category)",
}  # fmt: skip


def per_date(question: Question) -> pa.Table:
    """A query per date, each reading what was known by then."""
    columns = _columns(question, question.stats)
    return _each_date(
        question,
        f"select account_id, as_of, {columns} from known group by all",
    )


def per_date_newest(question: Question) -> pa.Table:
    """The same, but a category is in a window if its newest event is: no sets to keep."""
    others = _columns(question, [stat for stat in question.stats if stat != "categories"])
    names = ", ".join(question.columns)
    counted = ", ".join(
        f"count(*) filter (newest > as_of - interval {days} day) as categories_{days}" for days in question.windows
    )
    return _each_date(
        question,
        f"""select account_id, as_of, {names}
            from (select account_id, as_of, {others} from known group by all)
            join (select account_id, {counted} from (
                  select account_id, as_of, category, max(occurred_at) as newest from known group by all)
                  group by account_id, as_of) using (account_id)""",
    )


def per_window(question: Question) -> pa.Table:
    """A table in memory, its words as numbers, and of each date a grouping per window, so that no stat has a filter."""
    with _connection() as connection:
        for column in ("account_id", "category"):
            words = f"select distinct {column} from '{question.events}'"
            connection.execute(f"create type {column}_words as enum ({words})")
        connection.execute(f"""
            create table lines as select account_id::account_id_words as account_id, occurred_at, amount, quantity,
            category::category_words as category from '{question.events}'""")
        windows = [_grouped(question, days) for days in question.windows]
        joined = " ".join(f"left join {window} using (account_id)" for window in windows)
        query = f"""select account_id, {{as_of}} as as_of, {", ".join(question.columns)}
            from (select distinct account_id from lines where occurred_at <= {{as_of}}) {joined}"""
        dates = [f"timestamptz '{date}'" for date in question.dates]
        return pa.concat_tables([connection.sql(query.format(as_of=date)).to_arrow_table() for date in dates])


def _grouped(question: Question, days: int) -> str:
    stats = ", ".join(f"{SQL[stat]} as {stat}_{days}" for stat in question.stats)
    return f"""(select account_id, {stats} from lines
        where occurred_at <= {{as_of}} and occurred_at > {{as_of}} - interval {days} day group by account_id)"""


def range_join(question: Question) -> pa.Table:
    """All dates at once: every event joined with the dates that see it."""
    dates = ", ".join(f"(timestamptz '{date}')" for date in question.dates)
    with _connection() as connection:
        return connection.sql(f"""
            select account_id, as_of, {_columns(question, question.stats)}
            from '{question.events}' join (values {dates}) d(as_of) on occurred_at <= as_of
            group by all""").to_arrow_table()


def _columns(question: Question, stats) -> str:
    return ", ".join(
        f"{SQL[stat]} filter (occurred_at > as_of - interval {days} day) as {stat}_{days}"
        for days in question.windows
        for stat in stats
    )


def _each_date(question: Question, query: str) -> pa.Table:
    with _connection() as connection:
        parts = [
            connection.sql(f"""
                with known as (select *, timestamptz '{date}' as as_of from '{question.events}'
                               where occurred_at <= timestamptz '{date}') {query}""").to_arrow_table()
            for date in question.dates
        ]
    return pa.concat_tables(parts)


def _connection() -> duckdb.DuckDBPyConnection:
    connection = duckdb.connect()
    return connection.execute("set timezone = 'UTC'")


FORMS = {
    "a query per date": per_date,
    "per date, newest of a category": per_date_newest,
    "a query per window": per_window,
    "one range join": range_join,
}

if __name__ == "__main__":
    answer(FORMS, lambda table, _, path: pq.write_table(table, path), lambda table: table.nbytes / 2**20)
