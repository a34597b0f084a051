"""docs/reference/published.md: the tables for other tools and the KPIs in one of them, written from the declarations."""

from collections.abc import Iterator

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql
from sqlalchemy.schema import CreateTable

from features.kpis import Kpi
from features.kpis.definitions import CONCENTRATION, CONTRACTS, PURCHASES, SERVICE, VOICES
from features.kpis.periods import KEPT
from serving.publish.sql import SCHEMA
from serving.publish.tables import KPIS, TABLES, PublishedTable

FAMILIES = {
    "Purchases": PURCHASES,
    "Concentration": CONCENTRATION,
    "What accounts say": VOICES,
    "Service": SERVICE,
    "Contracts": CONTRACTS,
}


def published_page() -> str:
    """Every published table with its grain, version and columns, then every KPI with its definition."""
    return "\n".join(
        [
            "# Published tables",
            "",
            "What the night writes for Power BI, Tableau and others; [the BI guide](../guides/bi.md) shows how they read it. Always as Parquet",
            "files in the folder that `[publish]` names, and if it says so into an SQL database and a `.hyper` file. Written by",
            "`python -m foresail.docgen.reference`.",
            "",
            *_promises(),
            *(line for table in TABLES.values() for line in _table(table)),
            *_kpis(),
            "",
        ]
    )


def _promises() -> Iterator[str]:
    grows = " and ".join(f"`{table.name}`" for table in TABLES.values() if table.grows)
    yield from [
        "- A table is replaced whole or not at all; in a database all tables of a night in one transaction. Rights and views on",
        "  them stay.",
        f"- {grows} grow: in Parquet a file a night, named by its moment in UTC. The same night again replaces its own.",
        "  A database gets the nights that it lacks from these files, because it is new or was away when they were written; whoever",
        "  drops an old night there deletes its file too.",
        "- Rows stand in the order of the key, and the same rows make the same bytes.",
        "- `published_tables.json` beside the files, and the table `published_tables` in a database, say for each table the version",
        "  of its schema, the night and its rows; a Parquet file has its version in its metadata (`foresail.version`).",
        "- A column keeps its name, type, unit and meaning. New ones come at the end, may be null, and raise the version.",
        f"- In PostgreSQL the tables are in the schema `{SCHEMA}`, where Foresail's own tables may be in the same database.",
        "  Reasons are JSON text in databases and in `.hyper`.",
        "- An erased account (`foresail forget`) is taken out of all files, the database and the `.hyper` file at once.",
        "",
        "Times are UTC. The currency is the project's. **Bold** columns are the key.",
    ]


def _table(table: PublishedTable) -> Iterator[str]:
    yield from ["", f"## {table.name}", "", f"Grain: {table.grain}. Version {table.version}.", ""]
    yield from ["| column | type | meaning | unit | null means |", "| --- | --- | --- | --- | --- |"]
    for one in table.columns:
        name = f"**`{one.name}`**" if one.name in table.key else f"`{one.name}`"
        yield f"| {name} | {one.type} | {one.meaning} | {one.unit} | {one.null or '–'} |"
    yield from ["", "<details><summary>SQL</summary>", "", "```text", _ddl(table), "```", "", "</details>"]


def _ddl(table: PublishedTable) -> str:
    statement = CreateTable(table.in_sql(sa.MetaData(schema=SCHEMA))).compile(dialect=postgresql.dialect())  # type: ignore[no-untyped-call]
    lines = (line.strip() for line in str(statement).strip().splitlines())
    return "\n".join(f"  {line}" if line and not line.startswith(("CREATE", ")")) else line for line in lines)


def _kpis() -> Iterator[str]:
    kept = ", ".join(f"{number} {kind}s" for kind, number in KEPT.items())
    yield from [
        "",
        "## The KPIs",
        "",
        f"Of the last {kept} that have ended by `as_of`, by the calendar in the project's timezone: [first day, first day after),",
        "from what was known by `as_of`, so that a figure of last month may still move when late facts come in. Left out is a period",
        "that began before the month of the first event of its stream, and a KPI whose stream is empty. Churn days are the horizon",
        f"of the project's first target of kind churn, else 90. The divisions of `{KPIS.name}` are as they stand at `as_of`: an",
        "account that moved to another region takes its past along. What contracts were worth, and the retention of it, is told as was known",
        "when each period ended.",
    ]
    for title, family in FAMILIES.items():
        yield from [
            "",
            f"### {title}",
            "",
            "| kpi | meaning | unit | n counts | better |",
            "| --- | --- | --- | --- | --- |",
        ]
        yield from map(_kpi, family)


def _kpi(one: Kpi) -> str:
    better = {1: "higher", -1: "lower", 0: "–"}[one.better]
    return f"| `{one.name}` | {one.meaning} | {one.unit} | {one.counts} | {better} |"
