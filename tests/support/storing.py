"""Puts plain rows into a real Delta history, without going through ingest."""

import pyarrow as pa

from features.history.store import History, canonical_order, stored_schema
from features.history.streams import STREAMS


def store(root, accounts, buckets=4):
    """A history that holds `accounts`: {account_id: {stream: [row, ...]}}; rows need not be in order."""
    history = History(root, buckets=buckets)
    for name in STREAMS:
        rows = [
            {"event_id": f"{account}-{number}", "source": "test"} | row | {"account_id": account}
            for account, streams in accounts.items()
            for number, row in enumerate(streams.get(name, []))
        ]
        if rows:
            history.replace(name, range(buckets), batches(history, STREAMS[name], rows))
    return history


def batches(history, stream, rows):
    order = canonical_order(stream)
    rows = sorted(rows, key=lambda row: [(row.get(name) is not None, row.get(name) or 0) for name in order])
    for bucket in range(history.buckets):
        of_bucket = [row | {"bucket": bucket} for row in rows if history.bucket_of(row["account_id"]) == bucket]
        if of_bucket:
            schema = stored_schema(stream)
            full = [{name: row.get(name) for name in schema.names} for row in of_bucket]
            yield pa.RecordBatch.from_pylist(full, schema=schema)
