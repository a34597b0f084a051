"""The steps `decide` and `act`: the decisions of a night, made from its files alone, then begun in the database, each thing once."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from features.history.attributes import attributes_of_bucket
from serving.database.engine import writing
from serving.interventions.decide.candidates import Accounts
from serving.interventions.decide.decisions import Decision, decide_interventions, raising_reasons
from serving.interventions.decide.earlier_decisions import SCHEMAS, TIME, EarlierDecisions
from serving.interventions.declare.columns import NEEDED_ATTRIBUTES, account_rows
from serving.interventions.run.lifecycle import Deadline, NewIntervention
from serving.interventions.run.write_decisions import Portion, portions, replace_warnings_and_not_chosen
from serving.interventions.run.write_decisions import write_portion as act_on
from serving.nightly.night.night import Night

ACTOR = "the night"
OF_SCORES = ("account_id", "target", "probability", "amount", "days", "percentile", "band")
_DEADLINE = pa.struct([("kind", pa.string()), ("due_at", TIME), ("step", pa.int32()), ("escalate_to", pa.string())])
BEGUN = pa.schema(
    [
        *((name, pa.string()) for name in ("intervention_id", "account_id", "playbook", "origin", "role", "owner")),
        *((name, pa.string()) for name in ("severity", "reason")),
        ("decided_at", TIME), ("due_at", TIME), ("say", pa.string()), ("cost", pa.float64()), ("expected", pa.float64()),
        ("effect", pa.float64()), ("effect_source", pa.string()), ("value_at_stake", pa.float64()),
        ("steps", pa.list_(pa.struct([("do", pa.string()), ("due_at", TIME)]))), ("deadlines", pa.list_(_DEADLINE)),
        ("urgent", pa.bool_()), ("tell", pa.list_(pa.string())),
    ]
)  # fmt: skip
"""Grain: one intervention, with all that its beginning needs."""
FOUND = ("assignments", "warnings", "not_chosen")
"""What besides interventions a decision leaves behind."""


def decide(night: Night) -> None:
    """What to begin for whom, whom to keep as control, and which rules hold; nothing of it is in the database yet.

    What was declared first while the night was at work waits for the next one: this one did not look for what it needs.
    """
    is_done = night.journal.has("decide") and night.folder.has("begun", "all")
    if is_done or not (night.decides and night.folder.has("decided before", "warned")):
        return
    before = EarlierDecisions.of({name: night.folder.read("decided before", name) for name in SCHEMAS})
    found = decide_interventions(
        (_accounts(night, bucket) for bucket in night.buckets),
        lambda chosen: _because(night, chosen),
        night.company,
        before,
        night.as_of,
    )
    for name in FOUND:
        night.folder.write(name, "all", pa.Table.from_pandas(getattr(found, name), preserve_index=False))
    night.folder.write("begun", "all", _as_table(found.interventions))
    night.journal.note("decide", outcome=summary_of(found))


def act(night: Night) -> None:
    """Log who was assigned to what, begin the interventions, and tell of them: some hundred in a transaction."""
    if not night.folder.has("begun", "all"):
        return
    own = list(_portions(night))
    for number, portion in enumerate(own):
        night.progress(number, len(own), "interventions")
        if night.journal.has("act", number):
            continue
        with writing(night.engine) as connection:
            act_on(connection, portion, ACTOR, night.journal.clock(), night.plan.interventions)
            night.journal.note("act", number, within=connection)
    if not night.journal.has("act", "found"):
        with writing(night.engine) as connection:
            replace_warnings_and_not_chosen(connection, _found(night, "warnings"), _found(night, "not_chosen"))
            night.journal.note("act", "found", within=connection)


def summary_of(found: Decision) -> dict[str, Any]:
    """What was decided, as JSON can hold it."""
    choice, arms = found.choice, found.assignments["arm"].value_counts()
    return {
        "interventions": {
            str(name): int(count) for name, count in choice.chosen["playbook"].value_counts().sort_index().items()
        },
        "control": int(arms.get("control", 0)),
        "holdout": int(arms.get("holdout", 0)),
        "warnings": len(found.warnings),
        "expected_value": choice.plan.value,
        "low": choice.plan.interval[0],
        "high": choice.plan.interval[1],
    }


def accounts_of(
    night: Night, bucket: int, table: pd.DataFrame, scores: pa.Table, stood: pa.Table, moves: pa.Table
) -> Accounts:
    """The accounts of a bucket as conditions see them; `table` holds the decision features in the order of `stood`."""
    attributes = attributes_of_bucket(night.history, bucket, night.as_of, NEEDED_ATTRIBUTES)
    told = night.plan.segmentation.targets, night.plan.timezone
    return Accounts(account_rows(table, scores, stood, attributes, moves, night.as_of, *told), table)


def _accounts(night: Night, bucket: int) -> Accounts:
    scores = night.folder.read("scores", bucket, list(OF_SCORES))
    stakes = night.folder.read("stakes", bucket)
    for name in stakes.column_names:
        scores = scores.append_column(name, stakes[name])
    stood = night.folder.read("account_segments", bucket)
    matrix = night.folder.open_matrix("decision features", bucket)
    ids = pd.Index(stood["account_id"].to_pylist(), name="account_id")
    table = pd.DataFrame(matrix, index=ids, columns=night.decision_features.names, copy=False)
    return accounts_of(night, bucket, table, scores, stood, night.folder.read("moves", bucket))


def _because(night: Night, chosen: pd.DataFrame) -> dict[tuple[str, str], Sequence[str]]:
    """The reasons of the scores of what was chosen, of those that have any."""
    found: dict[tuple[str, str], Sequence[str]] = {}
    ids = pa.array(chosen["account_id"].unique(), pa.string())
    for bucket in night.buckets:
        scores = night.folder.read("scores", bucket, ["account_id", "target"])
        scores = scores.append_column("reasons", night.folder.read("reasons", bucket)["reasons"])
        is_asked = pc.and_(pc.is_in(scores["account_id"], ids), pc.is_valid(scores["reasons"]))
        for row in scores.filter(is_asked).to_pylist():
            found[row["account_id"], row["target"]] = raising_reasons(row["reasons"])
    return found


def _portions(night: Night) -> Iterator[Portion]:
    begun = [_from_row(row) for row in night.folder.read("begun", "all").to_pylist()]
    return portions(begun, _found(night, "assignments"))


def _found(night: Night, name: str) -> pd.DataFrame:
    frame: pd.DataFrame = night.folder.read(name, "all").to_pandas()
    return frame


def _as_table(begun: Sequence[NewIntervention]) -> pa.Table:
    rows = [
        {
            **vars(one),
            "steps": [{"do": do, "due_at": due} for do, due in one.steps],
            "deadlines": [vars(each) for each in one.deadlines],
        }
        for one in begun
    ]
    return pa.Table.from_pylist(rows, schema=BEGUN)


def _from_row(row: Mapping[str, Any]) -> NewIntervention:
    steps = tuple((step["do"], step["due_at"]) for step in row["steps"])
    deadlines = tuple(Deadline(**each) for each in row["deadlines"])
    return NewIntervention(**{**row, "steps": steps, "deadlines": deadlines, "tell": tuple(row["tell"])})
