"""Conditions: SQL over the documented columns, checked before use, and evaluated for many accounts in one query.

DuckDB parses the text; every part must be on the lists below or a known column. Only then it runs, on a connection without
access to files, the network or its own settings.
"""

import difflib
import json
import re
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from functools import cache, lru_cache
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from features.errors import ExitCode, ForesailError
from features.locked_duckdb import locked_duckdb
from serving.interventions.declare.columns import ARROW, Column

if TYPE_CHECKING:
    import duckdb

MOST_CHARACTERS = 2_000
MOST_NESTING = 100
Node = Mapping[str, Any]

COMPARISONS = frozenset({"COMPARISON", "CONJUNCTION", "BETWEEN", "CASE", "CONSTANT", "COLUMN_REF", "CAST"})
OPERATORS = frozenset(
    {"OPERATOR_NOT", "OPERATOR_IS_NULL", "OPERATOR_IS_NOT_NULL", "COMPARE_IN", "COMPARE_NOT_IN", "OPERATOR_COALESCE"}
)
FUNCTIONS = {
    **dict.fromkeys(("+", "-", "*", "/", "//", "%"), ""),
    **dict.fromkeys(("~~", "!~~", "~~*", "!~~*", "like_escape", "not_like_escape", "ilike_escape"), ""),
    "abs": "abs(number)",
    "round": "round(number, digits)",
    "floor": "floor(number)",
    "ceil": "ceil(number)",
    "least": "least(a, b, ...)",
    "greatest": "greatest(a, b, ...)",
    "lower": "lower(text)",
    "upper": "upper(text)",
    "trim": "trim(text)",
    "length": "length(text)",
    "contains": "contains(text, part)",
    "starts_with": "starts_with(text, beginning)",
    "ends_with": "ends_with(text, end)",
}
"""The allowed functions by their name in DuckDB, and how they are written; operators have no text."""
CALLABLE = tuple(name for name, written in FUNCTIONS.items() if written)
TYPES = frozenset({"double", "integer", "int", "bigint", "varchar", "text", "boolean", "decimal"})
NOT_ALLOWED = {
    "SUBQUERY": "a query inside it",
    "WINDOW": "a window",
    "PARAMETER": "a parameter",
    "POSITIONAL_REFERENCE": "a column by its position",
    "STAR": "*",
    "LAMBDA": "a lambda",
    "COLLATE": "a collation",
    "OPERATOR": "such an operator",
}
_EQUALITY = ("COMPARE_EQUAL", "COMPARE_NOTEQUAL", "COMPARE_DISTINCT_FROM", "COMPARE_NOT_DISTINCT_FROM", "COMPARE_IN")
_NUMBER = re.compile(r"\s*[-+]?(\d+\.?\d*|\.\d+)([eE][-+]?\d+)?\s*")
_BEFORE = "select (\n"
"""The text before the condition: DuckDB counts positions from its beginning."""


def problems_of(expression: str, columns: Mapping[str, Column]) -> list[str]:
    """The problems of a condition, each with its remedy; empty for a valid condition."""
    if problem := _unreadable(expression):
        return [problem]
    try:
        node = _parsed(expression)
    except ConditionSyntaxError as error:
        return [str(error)]
    problems = list(dict.fromkeys(_objections(node, columns)))
    return problems or list(_wrong_types(expression, columns))


def columns_in(expression: str) -> frozenset[str]:
    """The columns that a valid condition reads."""
    return frozenset(
        name.lower() for node in _nodes(_parsed(expression)) if _is(node, "COLUMN_REF") for name in node["column_names"]
    )


def holding(rows: pa.Table, conditions: Mapping[str, str]) -> dict[str, NDArray[np.bool_]]:
    """Whether each condition holds for each row, by the name of the condition, in the order of the rows.

    The conditions have no `problems_of`, and the table has the columns that they read. Null does not hold, nor does a
    condition that fails for a row: a number out of range, a text that is no number.
    """
    if not conditions or not rows.num_rows:
        return {name: np.zeros(rows.num_rows, dtype=np.bool_) for name in conditions}
    wanted = sorted(frozenset().union(*map(columns_in, conditions.values())))
    # A table without columns would have no rows either.
    asked = rows.select(wanted or rows.column_names[:1])
    with _query(asked, (f"coalesce(try((\n{condition}\n)), false)" for condition in conditions.values())) as answers:
        columns = answers.fetchnumpy()
    return {name: np.asarray(columns[f"c{place}"], dtype=np.bool_) for place, name in enumerate(conditions)}


class ConditionSyntaxError(ForesailError, ValueError):
    """The text is no SQL condition; the message says where and why."""

    exit_code = ExitCode.PROJECT


def _unreadable(expression: str) -> str | None:
    if not expression.strip():
        return "it is empty; write a condition, like \"tier = 'strategic' and risk >= 0.9\""
    if len(expression) > MOST_CHARACTERS:
        return f"it has {len(expression):,} characters, and may have {MOST_CHARACTERS:,}; make two of it"
    odd = re.search(r"[\x00-\x08\x0b-\x1f\x7f\ud800-\udfff]", expression)
    return f"it has the character {odd[0]!r}, which no condition needs; take it out" if odd else None


@lru_cache(maxsize=4_096)
def _parsed(expression: str) -> Node:
    """The tree of the one expression that the text is; NotACondition for any other text."""
    tree = _read(expression)
    if tree["error"]:
        raise ConditionSyntaxError(_syntax(expression, tree))
    statements = tree["statements"]
    node = statements[0]["node"] if len(statements) == 1 else {}
    if not _is_one_expression(node):
        raise ConditionSyntaxError(
            "it is more than one condition; write one, like \"tier = 'strategic' and risk >= 0.9\""
        )
    return node["select_list"][0]  # type: ignore[no-any-return]


def _read(expression: str) -> dict[str, Any]:
    import duckdb

    cursor = _connection().cursor()
    try:
        row = cursor.execute("select json_serialize_sql($1)", [f"{_BEFORE}{expression}\n)"]).fetchone()
        return json.loads(row[0]) if row else {}
    except (RecursionError, duckdb.Error):
        raise ConditionSyntaxError("it is nested too deeply to be read; make two of it") from None
    finally:
        cursor.close()


def _is_one_expression(node: Node) -> bool:
    clauses = ("where_clause", "group_expressions", "having", "sample", "qualify", "modifiers")
    return (
        node.get("type") == "SELECT_NODE"
        and len(node["select_list"]) == 1
        and node["from_table"]["type"] == "EMPTY"
        and not any(node[clause] for clause in clauses)
        and not node["cte_map"]["map"]
        and not node["select_list"][0].get("alias")
    )


def _syntax(expression: str, tree: Node) -> str:
    place = min(max(int(tree.get("position", 0)) - len(_BEFORE), 0), len(expression))
    before, after = expression[:place].rstrip(), expression[place:].strip()
    where = f"at '{after[:30]}'" if after else "at its end"
    return f"{where}{f', after {before[-30:]!r}' if before else ''}: it is no SQL condition; {tree['error_message']}"


def _objections(node: Node, columns: Mapping[str, Column]) -> Iterator[str]:
    """Problems of the tree: parts that are on no list, unknown columns."""
    if _depth(node) > MOST_NESTING:
        yield "it is nested too deeply; make two of it"
        return
    for one in _nodes(node):
        yield from _objection(one, columns)


def _objection(node: Node, columns: Mapping[str, Column]) -> Iterator[str]:
    kind = node["class"]
    if kind == "COLUMN_REF":
        yield from _unknown_column(node, columns)
    elif kind == "FUNCTION":
        yield from _unknown_function(node)
    elif kind == "CAST":
        yield from _odd_cast(node)
    elif kind != "TYPE" and kind not in COMPARISONS and node["type"] not in OPERATORS:
        yield f"{NOT_ALLOWED.get(kind, kind.lower())} is not allowed; compare columns (docs/reference/rules.md), join with and, or"
    yield from _wrong_constants(node, columns)


def _unknown_column(node: Node, columns: Mapping[str, Column]) -> Iterator[str]:
    name = ".".join(node["column_names"])
    if name.lower() not in columns:
        yield f"there is no column '{name}'; {nearest(name.lower(), columns, 'docs/reference/rules.md lists them')}"


def _unknown_function(node: Node) -> Iterator[str]:
    name, path = node["function_name"].lower(), node["qualified_name"]["path"]
    if name not in FUNCTIONS or len(path) > 1 or node["filter"] or node["distinct"] or node["order_bys"]["orders"]:
        yield f"the function {name} is not allowed; use one of {', '.join(CALLABLE)}"


def _odd_cast(node: Node) -> Iterator[str]:
    name = node["type_expr"].get("type_name", "").lower()
    if name not in TYPES:
        yield f"a cast to {name or 'such a type'} is not allowed; columns are text, number or boolean as docs/reference/rules.md says"


def _wrong_constants(node: Node, columns: Mapping[str, Column]) -> Iterator[str]:
    """Problems of comparisons with a value that a column never has: they would hold for no account."""
    if node["class"] != "COMPARISON" and node["type"] not in ("COMPARE_IN", "COMPARE_NOT_IN"):
        return
    parts = node.get("children") or [node["left"], node["right"]]
    own = [columns[name] for part in parts if (name := _column_name(part)) in columns]
    if len(own) == 1:
        words = [word for part in parts if (word := _text_constant(part)) is not None]
        yield from (problem for word in words if (problem := _never(own[0], word)))
        if words and own[0].words and node["type"] not in _EQUALITY:
            yield f"words of {own[0].name} have no order; name those that are meant: {own[0].name} in ('{words[0]}', ...)"


def _never(column: Column, word: str) -> str | None:
    """Why a column can never be a word."""
    if column.words and word not in column.words:
        return f"{column.name} is never '{word}'; {nearest(word, column.words, 'it is ' + ', '.join(column.words))}"
    if column.type == "number" and not _NUMBER.fullmatch(word):
        return f"{column.name} is a number, and '{word}' is none; compare it with a number"
    return None


def _column_name(node: Node) -> str:
    return node["column_names"][-1].lower() if _is(node, "COLUMN_REF") else ""


def _text_constant(node: Node) -> str | None:
    literal = node.get("literal") or {}
    return literal.get("text") if _is(node, "CONSTANT") and literal.get("kind") == "STRING" else None


def nearest(name: str, known: Iterable[str], otherwise: str) -> str:
    """A question with the nearest names; `otherwise` where no name is near."""
    names = list(known)
    near = difflib.get_close_matches(name, names, n=3, cutoff=0.6)
    near = near or [each for each in names if name and (each.startswith(name) or each.endswith(name))][:3]
    return f"did you mean {' or '.join(near)}?" if near else otherwise


def _wrong_types(expression: str, columns: Mapping[str, Column]) -> Iterator[str]:
    """Type errors that DuckDB reports for a table without rows."""
    import duckdb

    read = columns_in(expression) or {next(iter(columns))}
    empty = pa.table({name: pa.array([], ARROW[columns[name].type]) for name in sorted(read)})
    try:
        with _query(empty, [f"(\n{expression}\n)"]) as answers:
            kind = str(answers.description[0][1])
    except duckdb.Error as error:
        yield f"{_in_words(error)}; columns are text, number or boolean as docs/reference/rules.md says"
        return
    if kind != "BOOLEAN":
        called = "text" if kind == "VARCHAR" else "number"
        yield f'it is no condition but a {called}; compare it, like "... > 0" or "... = \'high\'"'


def _in_words(error: Exception) -> str:
    """The first line of DuckDB's message, with the type names of docs/reference/rules.md."""
    message = str(error).split("\n", 1)[0].split(" Error: ", 1)[-1].split(" - an explicit cast", 1)[0].rstrip(".!")
    return re.sub(
        r"\b(DOUBLE|(INTEGER|DECIMAL|DOUBLE)_LITERAL|INTEGER)\b", "number", message.replace("VARCHAR", "text")
    )


def _nodes(node: Any) -> Iterator[Node]:
    """Every expression of a tree, the outermost first."""
    waiting = [node]
    while waiting:
        one = waiting.pop()
        if isinstance(one, dict):
            if "class" in one:
                yield one
            waiting.extend(one.values())
        elif isinstance(one, list):
            waiting.extend(one)


def _depth(node: Any) -> int:
    """How deep its expressions are nested."""
    deepest, waiting = 0, [(node, 0)]
    while waiting:
        one, depth = waiting.pop()
        depth += isinstance(one, dict) and "class" in one
        deepest = max(deepest, depth)
        inside = one.values() if isinstance(one, dict) else one if isinstance(one, list) else ()
        waiting.extend((each, depth) for each in inside)
    return deepest


def _is(node: Node, kind: str) -> bool:
    return bool(node["class"] == kind)


@contextmanager
def _query(rows: pa.Table, expressions: Iterable[str]) -> Iterator["duckdb.DuckDBPyConnection"]:
    named = ", ".join(f"{expression} as c{place}" for place, expression in enumerate(expressions))
    cursor = _connection().cursor()
    try:
        cursor.register("rows", rows)
        # The conditions contain only allowed parts (lists above).
        yield cursor.execute(f"select {named} from rows")  # noqa: S608
    finally:
        cursor.close()


@cache
def _connection() -> "duckdb.DuckDBPyConnection":
    """One connection per process: opening one takes a tenth of a second, a cursor takes no time."""
    return locked_duckdb(lock_configuration=True)
