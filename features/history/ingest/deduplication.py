"""Deduplicate: of the staged rows, those that the history has already and all but the first of equal identities go."""

# ruff: noqa: S608  built from declared columns

from dataclasses import dataclass

from features.history.ingest.staged_table import StagedTable
from features.history.store import canonical_order
from features.history.streams import Stream
from features.progress import StepProgress


@dataclass(frozen=True)
class Duplicates:
    """How many staged rows were deleted, and how many of these differ from the row that stays."""

    repeated: int = 0
    """A row of this ingest has the same identity."""
    stored: int = 0
    """The stream has the event already."""
    changed: int = 0
    """Some column differs from the row that stays."""

    @property
    def total(self) -> int:
        return self.repeated + self.stored

    def __add__(self, other: "Duplicates") -> "Duplicates":
        return Duplicates(self.repeated + other.repeated, self.stored + other.stored, self.changed + other.changed)


def deduplicate(staged: StagedTable, progress: StepProgress) -> Duplicates:
    """Delete the duplicates from the table `staged`."""
    repeating, stored = _buckets_with_repetitions(staged), staged.stored_by_bucket()
    suspects = sorted(bucket for bucket in staged.rows_by_bucket() if bucket in repeating or stored.get(bucket))
    duplicates = Duplicates()
    for number, bucket in enumerate(suspects):
        progress(number, len(suspects), "looking for duplicates")
        if bucket in repeating:
            duplicates += _delete_repetitions(staged, bucket)
        if stored.get(bucket):
            duplicates += _delete_stored(staged, bucket)
    progress(len(suspects), len(suspects), "looking for duplicates")
    return duplicates


def _buckets_with_repetitions(staged: StagedTable) -> set[int]:
    # Equal hashes are suspects only; telling them apart exactly is for the few buckets that have any.
    query = """select min(bucket) from staged where bucket >= 0
        group by hash(account_id, event_id) having count(*) > 1"""
    return {bucket for (bucket,) in staged.connection.execute(query).fetchall()}


def _delete_repetitions(staged: StagedTable, bucket: int) -> Duplicates:
    """Delete all but the first of each identity in canonical order."""
    order = ", ".join(f"{name} nulls first" for name in canonical_order(staged.stream))
    content = _content("s", staged.stream)
    staged.connection.execute(f"""create or replace temp table repetitions as
        with repeated as (select account_id, event_id from staged where bucket = {bucket} group by all having count(*) > 1),
        numbered as (select s.rowid as row_number_staged, row_number() over identity as place_in_line,
            {content} is distinct from first_value({content}) over identity as differs
            from staged s semi join repeated r on s.account_id = r.account_id and s.event_id = r.event_id
            where s.bucket = {bucket} window identity as (partition by s.account_id, s.event_id order by {order}))
        select row_number_staged, differs from numbered where place_in_line > 1""")
    changed = staged.count("select count(*) from repetitions where differs")
    deleted = staged.count("delete from staged where rowid in (select row_number_staged from repetitions)")
    return Duplicates(repeated=deleted, changed=changed)


def _delete_stored(staged: StagedTable, bucket: int) -> Duplicates:
    """Delete the events that the stream has already."""
    # Ids made from the content have the same content.
    keys = ["account_id", "event_id"]
    names = [column.name for column in staged.stream.columns] if staged.has_event_ids else keys
    staged.connection.register("stored", staged.stored(bucket, names))
    same = "s.account_id = staged.account_id and s.event_id = staged.event_id"
    changed = 0
    if staged.has_event_ids:
        differs = f"{_content('s', staged.stream)} is distinct from {_content('staged', staged.stream)}"
        changed = staged.count(
            f"select count(*) from staged join stored s on {same} where bucket = {bucket} and {differs}"
        )
    deleted = staged.count(
        f"delete from staged where bucket = {bucket} and exists (select 1 from stored s where {same})"
    )
    staged.connection.unregister("stored")
    return Duplicates(stored=deleted, changed=changed)


def _content(table: str, stream: Stream) -> str:
    """All columns of a row, as one SQL value."""
    return f"row({', '.join(f'{table}.{column.name}' for column in stream.columns)})"
