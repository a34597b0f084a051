"""docs/reference/rules.md: the conditions of playbooks, rules and SLAs, and every column they may use, written from the declarations."""

from collections.abc import Iterable, Iterator

from serving.interventions.declare.columns import EVENT, OF_TARGETS, Column, columns_of_accounts
from serving.interventions.declare.expressions import CALLABLE, FUNCTIONS, MOST_CHARACTERS


def rules_page() -> str:
    """How a condition is written, tested and read, then its columns."""
    return "\n".join(
        [
            "# Rules",
            "",
            "`when` of a playbook, a rule or an SLA is an SQL condition over the columns below; [the library](playbooks.md)",
            "lists ready ones. Written by `python -m foresail.docgen.reference`.",
            "",
            "```toml",
            "[rules.two_quarters_down]",
            "when     = \"purchases_down_two_quarters and tier = 'strategic'\"",
            'severity = "high"',
            'start    = "reinforcement_plan"      # left out, it only warns',
            "```",
            "",
            *_promises(),
            "",
            "## Columns of an account",
            "",
            "For playbooks and rules. As of the night that asks.",
            "",
            *_table(columns_of_accounts({}).values()),
            "",
            "## Columns of targets",
            "",
            "For each table `[targets.NAME]`, as `NAME_band` and so on: `churn_band` of `[targets.churn]`. A target that is alone",
            "of its kind goes by its kind, too: `churn_band` of `[targets.churn_90]`, as long as there is one of kind churn.",
            "",
            *_of_targets(),
            "",
            "## Columns of an event",
            "",
            "For SLAs, which are asked the moment an event is posted. Besides them they see `account_id` to `severity` of the",
            "first table and the columns of targets, as the last night left them; features and signals they do not see. Null",
            "where the event does not say, or its stream ([streams](streams.md)) has no such thing.",
            "",
            *_table(EVENT),
            "",
        ]
    )


def _promises() -> Iterator[str]:
    operators = ", ".join(f"`{name}`" for name in ("=", "<>", "<", "<=", ">", ">=", "+", "-", "*", "/", "%"))
    words = ", ".join(
        f"`{word}`" for word in ("and", "or", "not", "in", "between", "like", "is null", "case", "coalesce")
    )
    functions = ", ".join(f"`{FUNCTIONS[name]}`" for name in CALLABLE)
    yield from [
        "- Checked when `foresail.toml` is read: an unknown column or word is an error that names the nearest ones.",
        "- `foresail rules test` shows how many accounts each condition holds for, and which; `--rule NAME` only that one.",
        "- Null is what is not known, and a comparison with it does not hold: `surveys_nps_last < 7` says nothing of who never",
        "  answered. Write `coalesce(surveys_nps_last, 10) < 7`, or `surveys_nps_last is null`, where that is to count.",
        f"- Allowed are {operators}, {words} and the functions {functions}.",
        f"- Not allowed is all else: files, queries inside, aggregates, windows, other functions, more than {MOST_CHARACTERS:,} characters.",
        "- What cannot be reckoned for an account, as a division of text, does not hold for it, and stops nobody else.",
        "- Text is written with single quotes, and is compared as it is: `lower(industry) = 'retail'` for any case.",
    ]


def _table(columns: Iterable[Column]) -> Iterator[str]:
    yield from ["| column | type | unit | meaning |", "| --- | --- | --- | --- |"]
    for one in columns:
        words = f" ({', '.join(one.words)})" if one.words else ""
        yield f"| `{one.name}` | {one.type} | {one.unit} | {one.meaning}{words} |"


def _of_targets() -> Iterator[str]:
    yield from ["| column | of kinds | type | unit | meaning |", "| --- | --- | --- | --- | --- |"]
    for answer, (kinds, type_, unit, meaning, words) in OF_TARGETS.items():
        said = f"{meaning} ({', '.join(words)})" if words else meaning
        yield f"| `NAME_{answer}` | {', '.join(kinds)} | {type_} | {unit} | {said} |"
