"""The rows of a source's select → typed rows with a verdict: the SQL that checks a row, and the reasons to refuse it.

The query is built in steps, each a common table expression:

    given    the columns of the select, every one renamed given_*
    clean    each column of the stream in its type (blanks stripped, empty text and NaN absent, −0 as 0), and
             unread_* where a number or a time was given that is none
    filled   defaults in the place of absent values
    judged   the number of the first rule that a row breaks, null for a good row

The facts that depend on the account alone (its bucket, the account that absorbed it, whether it was erased) are computed
once for each account in the table `foresail_accounts` and joined, because hashing an id for every row costs as much as all
rules.
"""

# ruff: noqa: S608  built from declared columns and quoted literals

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from zoneinfo import ZoneInfo

from features.history.ingest.sources import literal
from features.history.streams import BLANK, ISO_TIME, Column, Stream

REFUSED, FORGOTTEN = -1, -2
"""In the place of a bucket: a refused row, and a row of an account that was erased."""

INTEGER_TYPES = ("TINYINT", "SMALLINT", "INTEGER", "BIGINT", "HUGEINT")
NUMERIC_TYPES = (*INTEGER_TYPES, *(f"U{name}" for name in INTEGER_TYPES), "FLOAT", "DOUBLE", "BOOLEAN")
TIMES_WITHOUT_ZONE = ("DATE", "TIMESTAMP", "TIMESTAMP_S", "TIMESTAMP_MS", "TIMESTAMP_NS")
TIME_WITH_ZONE = "TIMESTAMP WITH TIME ZONE"

FUTURE = "lies in the future"
"""The end of the kind of a refusal that a later ingest may not repeat."""

NO_ACCOUNT = ("nan", "null", "none")
NOT_A_NUMBER = "('nan', '-nan', '+nan')"
SQL_TYPES = {"text": "varchar", "number": "double", "time": "timestamptz"}


@dataclass(frozen=True)
class Bounds:
    """The moments between which times are believed, and the zone they are shown in."""

    earliest: datetime
    as_of: datetime
    timezone: str


@dataclass(frozen=True)
class Rule:
    """A rule that a row may break: SQL that is true for a bad row, the kind, the reason, and SQL of the value to show."""

    broken: str
    kind: str
    reason: str
    value: str


def accounts_query(stream: Stream, select_types: Mapping[str, str], buckets: int) -> str:
    """The query for the table `foresail_accounts`: the account that each account_id in the view `mapped` belongs to.

    given → surviving (the account that it is today), merged_at (null where nothing was merged), bucket, place (the rank
    of the account in the stored order). It reads the tables `foresail_merged` (absorbed, survivor, merged_at) and
    `foresail_forgotten` (fingerprint). All are named so that no table of the user's select can have their names.
    """
    account = stream.column("account_id")
    kind = {name.lower(): kind for name, kind in select_types.items()}["account_id"]
    return f"""
        with given as (select distinct given_account_id from (select "{_name_of(select_types, "account_id")}" as given_account_id from mapped)),
        clean as (select distinct {_typed(account, kind)} as given from given),
        named as (select given, coalesce(survivor, given) as surviving, merged_at from clean left join foresail_merged on absorbed = given),
        placed as (select *, case when sha256(given) in (select fingerprint from foresail_forgotten)
            or sha256(surviving) in (select fingerprint from foresail_forgotten) then {FORGOTTEN}
            else md5_number_lower(surviving) % {buckets} end::integer as bucket from named where given is not null)
        select *, case when bucket < 0 then bucket else dense_rank() over (order by bucket, surviving) end::integer as place
        from placed"""


def staging_query(stream: Stream, select_types: Mapping[str, str], bounds: Bounds, awaited: bool = False) -> str:
    """The query over the view `mapped` and the table `foresail_accounts`: bucket, place, the stream's columns in canonical types,
    and for a refused row (bucket −1) refused_kind, refused_reason and row (JSON of the row that the select returned, values as
    text).

    `select_types` maps each column that the select returns to its SQL type. `awaited`: good rows have their JSON too where
    their account is in the table `foresail_waiting`, which is how a row that was refused before is known again.
    """
    reasons = rules(stream, select_types, bounds)
    # The identity is made from the source's content, absorbed account included: read again, the row is the same row.
    identity = f"coalesce(event_id, {content_hash(stream)}) as identity"
    replaced = {"account_id": "surviving", "known_at": "greatest(known_at, merged_at)", "event_id": "identity"}
    columns = [f"{replaced.get(column.name, column.name)} as {column.name}" for column in stream.columns]
    shown = " or given_account_id::varchar in (select account_id from foresail_waiting)" if awaited else ""
    bucket = f"case when accounts.bucket = {FORGOTTEN} then {FORGOTTEN} when broken is null then accounts.{{}} else {REFUSED} end"
    return f"""
        with given as (select {_comma(f'"{name}" as given_{name.lower()}' for name in select_types)} from mapped),
        clean as (select *, {_comma(_clean(column, select_types) for column in stream.columns)} from given),
        filled as (select * {_replaced_by_defaults(stream)} from clean),
        judged as (select *, {_first_broken(reasons)} as broken, {identity} from filled)
        select {bucket.format("bucket")} as bucket, {bucket.format("place")} as place, {_comma(columns)},
            case when broken is not null then {_of_broken(reasons, lambda rule: literal(rule.kind))} end as refused_kind,
            case when broken is not null then {_of_broken(reasons, _reason)} end as refused_reason,
            case when broken is not null{shown} then {_row_as_json(select_types)} end as row
        from judged left join foresail_accounts as accounts on accounts.given = account_id"""


def rules(stream: Stream, select_types: Mapping[str, str], bounds: Bounds) -> list[Rule]:
    """Every rule for a row of this stream, in the order in which they are tried."""
    types = {name.lower(): kind for name, kind in select_types.items()}
    account, *others = stream.columns
    ordered = sorted(others, key=lambda column: column.type != "time")
    reasons = [Rule("account_id is null", "account_id is missing", "account_id is missing", _shown(account, types))]
    for column in ordered:
        reasons += _type_rules(column, types, bounds)
    return reasons + [rule for column in stream.columns for rule in _check_rules(column, types)]


def content_hash(stream: Stream) -> str:
    """SQL of the event_id of a row that was given none: the MD5, in hex, of its content after cleaning.

    The content is `name=length:value;` for each present column in stored order, so that no two contents share a
    text; times as UTC microseconds. Absent columns leave no trace, so a stream may gain columns without new ids.
    Two truly identical lines of one order are one event: give them an id of their own if both must count.
    """
    parts = [_hashed(column) for column in stream.columns if column.name != "event_id"]
    return f"md5(concat({_comma(parts)}))"


def _hashed(column: Column) -> str:
    value = {"text": column.name, "time": f"epoch_us({column.name})::varchar", "number": f"{column.name}::varchar"}[
        column.type
    ]
    return f"'{column.name}=' || length({value}) || ':' || {value} || ';'"


def _clean(column: Column, select_types: Mapping[str, str]) -> str:
    kind = {name.lower(): kind for name, kind in select_types.items()}.get(column.name)
    if kind is None:
        return f"null::{SQL_TYPES[column.type]} as {column.name}"
    typed = f"{_typed(column, kind)} as {column.name}"
    return typed if column.type == "text" else f"{typed}, {_unread(column, kind)} as unread_{column.name}"


def _unread(column: Column, kind: str) -> str:
    """Whether a value was given that could not be read; NaN could, as absent."""
    if column.type == "number" and _is_numeric(kind):
        return "false"
    text = _text(f"given_{column.name}", kind)
    unread = f"{column.name} is null and {text} is not null"
    return f"({unread} and lower({text}) not in {NOT_A_NUMBER})" if column.type == "number" else f"({unread})"


def _typed(column: Column, kind: str) -> str:
    value = f"given_{column.name}"
    if column.type == "text":
        text = _text(value, kind)
        words = _comma(map(literal, NO_ACCOUNT))
        return f"case when lower({text}) not in ({words}) then {text} end" if column.name == "account_id" else text
    if column.type == "time":
        return f"try_cast({_time_source(value, kind)} as timestamptz)"
    number = f"try_cast({value if _is_numeric(kind) else _text(value, kind)} as double)"
    return f"case when isnan({number}) then null when {number} = 0 then 0.0 else {number} end"


def _text(value: str, kind: str) -> str:
    """Text without blanks at its ends, null where nothing is left.

    Trimming any of many characters costs more than all else that happens to a text, so only a text that does not
    begin and end with a printable ASCII character goes that way.
    """
    if kind != "VARCHAR":
        return f"nullif(trim({value}::varchar, {literal(BLANK)}), '')"
    needs_none = f"{value} >= '!' and {value} < '\x7f' and {value}[-1] between '!' and '~'"
    return f"case when {needs_none} then {value} else nullif(trim({value}, {literal(BLANK)}), '') end"


def _name_of(select_types: Mapping[str, str], column: str) -> str:
    return next(name for name in select_types if name.lower() == column)


def _time_source(value: str, kind: str) -> str:
    if kind in TIMES_WITHOUT_ZONE or kind == TIME_WITH_ZONE:
        return value
    text = _text(value, kind)
    return f"case when regexp_full_match({text}, {literal(ISO_TIME)}) then {text} end"


def _is_numeric(kind: str) -> bool:
    return kind in NUMERIC_TYPES or (kind.startswith("DECIMAL(") and kind.endswith(")"))


def _type_rules(column: Column, types: Mapping[str, str], bounds: Bounds) -> list[Rule]:
    name, shown = column.name, _shown(column, types)
    rules = []
    if name in types and column.type != "text":
        says = f"{name} is not a {column.type}"
        rules.append(Rule(f"unread_{name}", says, says, shown))
    if name in types and column.type == "number":
        rules.append(Rule(f"isinf({name})", f"{name} is not finite", f"{name} is not finite", shown))
    if column.required:
        rules.append(Rule(f"{name} is null", f"{name} is missing", f"{name} is missing", shown))
    if name in types and column.type == "time" and not column.any_time:
        rules += _bound_rules(name, bounds, shown)
    return rules


def _bound_rules(name: str, bounds: Bounds, shown: str) -> list[Rule]:
    earliest, as_of = _local(bounds.earliest, bounds), _local(bounds.as_of, bounds)
    return [
        Rule(
            f"{name} < {_moment(bounds.earliest)}",
            f"{name} is too early",
            f"{name} lies before {earliest}, the earliest that is accepted",
            shown,
        ),
        Rule(
            f"{name} > {_moment(bounds.as_of)}",
            f"{name} {FUTURE}",
            f"{name} lies after {as_of}, the as_of",
            shown,
        ),
    ]


def _check_rules(column: Column, types: Mapping[str, str]) -> list[Rule]:
    shown = _shown(column, types)
    return [Rule(f"not ({check.holds})", check.otherwise, check.otherwise, shown) for check in column.checks]


def _shown(column: Column, types: Mapping[str, str]) -> str:
    value = f"{column.name}::varchar"
    return f"coalesce(given_{column.name}::varchar, {value})" if column.name in types else value


def _local(moment: datetime, bounds: Bounds) -> str:
    return moment.astimezone(ZoneInfo(bounds.timezone)).isoformat(" ")


def _moment(moment: datetime) -> str:
    return f"timestamptz {literal(moment.isoformat())}"


def _replaced_by_defaults(stream: Stream) -> str:
    filled = [
        f"coalesce({column.name}, {column.default}) as {column.name}" for column in stream.columns if column.default
    ]
    return f"replace ({_comma(filled)})" if filled else ""


def _first_broken(reasons: Sequence[Rule]) -> str:
    return "case " + " ".join(f"when {rule.broken} then {number}" for number, rule in enumerate(reasons)) + " end"


def _reason(rule: Rule) -> str:
    return f"{literal(rule.reason)} || coalesce(': ''' || left({rule.value}, 100) || '''', '')"


def _of_broken(reasons: Sequence[Rule], then: Callable[[Rule], str]) -> str:
    return "case broken " + " ".join(f"when {number} then {then(rule)}" for number, rule in enumerate(reasons)) + " end"


def _row_as_json(select_types: Mapping[str, str]) -> str:
    items = [f"{literal(name)}: given_{name.lower()}::varchar" for name in select_types]
    return f"to_json({{{_comma(items)}}})::varchar"


def _comma(parts: Iterable[str]) -> str:
    return ", ".join(parts)
