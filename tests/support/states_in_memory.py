"""Compact states of plain rows, by the code that makes them of a bucket of the history."""

import pyarrow as pa

from features.engine.account_state import BucketStates
from features.history.store import encoded_schema, in_canonical_order, stored_schema
from features.history.streams import STREAMS


class RowsInMemory:
    """What `BucketStates.of` asks of a history: the rows of its one bucket, in canonical order."""

    def __init__(self, accounts):
        self._tables = {name: _table(stream, accounts) for name, stream in STREAMS.items()}

    def read(self, stream, _, columns):
        return self._tables[stream].select(list(columns))


def _table(stream, accounts):
    rows = [
        {"event_id": f"{account}-{number}", "source": "test"} | row | {"account_id": account}
        for account, streams in accounts.items()
        for number, row in enumerate(streams.get(stream.name, []))
    ]
    names = [name for name in stored_schema(stream).names if name != "bucket"]
    plain = pa.schema([stored_schema(stream).field(name) for name in names])
    table = pa.Table.from_pylist([{name: row.get(name) for name in names} for row in rows], schema=plain)
    return in_canonical_order(table.cast(encoded_schema(stream, names)), stream)


def states_of(accounts):
    """{account_id: bytes} of {account_id: {stream: [row, ...]}}."""
    return {account: state for account, _, state in BucketStates.of(RowsInMemory(accounts), 0)}
