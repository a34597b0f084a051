"""The steps of a night, in their order. Each does what is not finished yet, and leaves the same whoever interrupts it.

Those up to `pin` bring in what is new. Those after it see nothing but what was pinned, so that their files come out the
same however often they are made: a file that is there is finished.
"""

from collections.abc import Sequence
from datetime import datetime, timedelta
from functools import partial

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from features.engine.table import build_bucket_table
from serving.accounts.event_inbox import clear, fold
from serving.accounts.states import refresh_states
from serving.database.engine import writing
from serving.interventions.decide.earlier_decisions import INSTANT, read_earlier_decisions
from serving.nightly.night.journal import AGAIN, REFUSED, Pinned
from serving.nightly.night.night import Night
from serving.nightly.night.pins import champions, data_as_of, learnt_effects
from serving.nightly.night.previous_night import (
    SCORES_BEFORE,
    STANDINGS_BEFORE,
    by_bucket,
    scores_before,
    standings_before,
)
from serving.nightly.steps.explain import joined, reasons_of_bucket, to_explain
from serving.nightly.steps.load import ACCOUNTS_AT_ONCE, LOADERS, drop_vanished, finish, ready, slices
from serving.nightly.steps.score import Moments, answer_of, score_bucket


def ingest(night: Night) -> None:
    """What is new in the sources. One that fails does not hold up the others; it is tried again if the night is resumed before it is pinned."""
    if night.journal.pinned:
        return
    for number, source in enumerate(night.plan.sources):
        night.progress(number, len(night.plan.sources), "sources")
        if night.journal.has("ingest", source.name):
            continue
        problem = source.ingest()
        if problem is None:
            night.journal.note("ingest", source.name)
        else:
            night.problems[source.name] = problem


def fold_inbox(night: Night) -> None:
    """What was posted becomes part of the history; it stays in the inbox until the states of accounts have it."""
    if night.journal.pinned or night.journal.has("fold"):
        return
    plan = night.plan
    folder = night.folder.path / "inbox"
    folded = fold(night.engine, plan.history, folder, as_of=plan.as_of, timezone=plan.timezone, earliest=plan.earliest)
    night.journal.note(REFUSED, outcome=folded.refused)
    night.journal.note("fold", outcome=list(folded.positions))


def pin(night: Night) -> None:
    """Fix the versions of history and champions that the night rests on."""
    if night.journal.pinned:
        return
    plan = night.plan
    night.journal.pin(
        Pinned(
            versions=plan.history.versions(),
            models=champions(plan.tracking_uri, plan.models),
            data_as_of=data_as_of(plan.history, plan.sources, plan.as_of),
            failures=night.problems,
            folded=len(night.journal.outcomes("fold")[""]),
            effects=learnt_effects(plan.tracking_uri, plan.effects, plan.as_of),
        )
    )


def look_back(night: Night) -> None:
    """Keep what the night before left, as nothing of this night has altered it."""
    if night.journal.has("look back") and night.folder.has("standings before", "all"):
        return
    batches = scores_before(night.engine, night.as_of)
    for bucket, rows in enumerate(by_bucket(batches, night.history, SCORES_BEFORE)):
        night.folder.write("scores before", bucket, rows)
    if night.decides:
        found = read_earlier_decisions(night.engine, night.plan.interventions, night.as_of, _decided_until(night))
        for name, table in found.items():
            night.folder.write("decided before", name, table)
    stood = pa.Table.from_batches(list(standings_before(night.engine, night.as_of)), STANDINGS_BEFORE)
    night.folder.write("standings before", "all", stood)
    night.journal.note("look back")


def _decided_until(night: Night) -> datetime:
    """Before which decisions count: the night's moment, that it decides the same when it is resumed.

    One that is repeated may rest on other scores, and takes nothing back: what it decided the first time counts.
    """
    return night.as_of + INSTANT if night.journal.has(AGAIN) else night.as_of


def score(night: Night) -> None:
    """Features and scores of every account for every target, a bucket at a time on each core."""
    moments = Moments(night.as_of, night.pinned.data_as_of)
    models, features, folder = night.models, night.features, night.folder

    def score_one(bucket: int) -> dict[str, int]:
        table = build_bucket_table(night.history, bucket, night.as_of, features)
        found = score_bucket(models, table, folder.read("scores before", bucket), moments)
        folder.write_matrix("features", bucket, table.to_numpy())
        folder.write_matrix("standing features", bucket, table[night.standing_features.names].to_numpy())
        if night.decides:
            folder.write_matrix("decision features", bucket, table[night.decision_features.names].to_numpy())
        folder.write("scores", bucket, found)
        return _scored(found)

    night.in_parts("score", score_one, _missing(night, "score", "scores"), "features and scores")


def _missing(night: Night, step: str, files: str) -> list[int]:
    """The buckets of which a step is not noted, or has lost its file."""
    return [
        bucket for bucket in night.buckets if not (night.journal.has(step, bucket) and night.folder.has(files, bucket))
    ]


def _scored(found: pa.Table) -> dict[str, int]:
    """By target how many accounts have a score."""
    answered = found.filter(pc.is_null(found["why_not"]))["target"].value_counts().to_pylist()
    return {each["values"]: each["counts"] for each in answered}


def explain(night: Night) -> None:
    """Reasons of the scores that are worth it; the features of all accounts, which are many, go afterwards."""
    if todo := _missing(night, "explain", "reasons"):
        _explain(night, todo)
    night.folder.remove("features")


def _explain(night: Night, buckets: Sequence[int]) -> None:
    folder, models, names = night.folder, night.models, night.features.names
    chosen = _chosen(night)

    def explain_one(bucket: int) -> int:
        matrix = folder.open_matrix("features", bucket)
        reasons = reasons_of_bucket(models, names, matrix, chosen[bucket], night.plan.currency)
        folder.write("reasons", bucket, pa.table({"reasons": reasons}))
        return len(chosen[bucket])

    night.in_parts("explain", explain_one, buckets, "reasons")


def _chosen(night: Night) -> list[np.ndarray]:
    """By bucket the positions of the scores to explain."""
    read = [
        night.folder.read("scores", bucket, ["target", "probability", "amount", "days"]) for bucket in night.buckets
    ]
    stakes = [night.folder.read("stakes", bucket) for bucket in night.buckets]
    wanted = to_explain(
        joined(map(answer_of, read)),
        joined(table["severity"] for table in stakes),
        joined(table["value_at_stake"] for table in stakes),
        joined(table["target"] for table in read),
        night.plan.explained,
    )
    ends = np.cumsum([table.num_rows for table in read])
    parts = np.split(wanted, np.searchsorted(wanted, ends[:-1]))
    return [part - start for part, start in zip(parts, [0, *ends[:-1]], strict=True)]


def states(night: Night) -> None:
    """What the service knows of each account; then what was folded may leave the inbox."""
    if night.journal.has("states"):
        return
    refresh_states(night.engine, night.plan.history, night.as_of, night.progress)
    clear(night.engine, night.journal.outcomes("fold")[""])
    night.journal.note("states")


def load(night: Night) -> None:
    """Scores, their history, standings and moves into the database, some thousand accounts in a transaction."""
    oldest = night.as_of - timedelta(days=night.plan.keep_scores_days)
    keep_from = oldest if night.journal.has_night_before(oldest) else None
    at_once = LOADERS[night.engine.dialect.name]
    night.spread(partial(_load_bucket, night, keep_from), night.buckets, "loading", at_once)
    with writing(night.engine) as connection:
        finish(connection, night.folder.read("cuts", "all"), night.as_of)
        if night.journal.has(AGAIN):
            drop_vanished(connection, night.as_of)


def _load_bucket(night: Night, keep_from: datetime | None, bucket: int) -> None:
    tables = scores_of(night, bucket), night.folder.read("standings", bucket), night.folder.read("moves", bucket)
    for number, own in enumerate(slices(*tables, ACCOUNTS_AT_ONCE[night.engine.dialect.name])):
        part = f"{bucket}.{number}"
        if night.journal.has("load", part):
            continue
        again = night.as_of if night.journal.has(AGAIN) else None
        writes = ready(own, keep_from, night.engine.dialect, again)
        # Each commit waits for the disk. With `synchronous_commit = off` a server that crashed between two slices would
        # lose the last one with its note; a night that is connected anew holds it for done, and `finish` leaves no scores.
        with writing(night.engine) as connection:
            for write in writes:
                write(connection)
            night.journal.note("load", part, within=connection)


def scores_of(night: Night, bucket: int) -> pa.Table:
    """The scores of a bucket with all that was found out after they were given."""
    rows = night.folder.read("scores", bucket)
    for more in (night.folder.read("stakes", bucket), night.folder.read("reasons", bucket)):
        for name in more.column_names:
            rows = rows.append_column(name, more[name])
    return rows
