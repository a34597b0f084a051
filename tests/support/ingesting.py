"""Brings small files into a history, as a company would."""

from datetime import UTC, datetime

from features.history.ingest.ingestion import Source, ingest
from features.history.store import History
from features.history.streams import STREAMS

AS_OF = datetime(2012, 1, 1, tzinfo=UTC)
EARLIEST = datetime(1970, 1, 1, tzinfo=UTC)
SIMPLE = "account_id,occurred_at,amount,order_id\n"


def source(folder, text, file="lines.csv", **more):
    """A source of purchases over one file with this content."""
    (folder / file).write_bytes(text if isinstance(text, bytes) else text.encode())
    return Source(**{"name": "lines", "stream": "purchases", "pattern": file, "folder": folder} | more)


def bring(folder, declaration, timezone="UTC", as_of=AS_OF, everything=True, **more):
    """Ingest into the history in `folder`, of 4 buckets; files that were read before as well, unless said otherwise."""
    history = History(folder / "history", buckets=4)
    return ingest(
        history, declaration, as_of=as_of, timezone=timezone, earliest=EARLIEST, everything=everything, **more
    )


def rows(folder, stream="purchases"):
    """All stored rows of a stream, bucket by bucket, as a list of dictionaries."""
    history = History(folder / "history", buckets=4)
    names = [*(column.name for column in STREAMS[stream].columns), "source"]
    return [row for bucket in range(4) for row in history.read(stream, bucket, names).to_pylist()]


def counts(report):
    """read, kept, duplicates, quarantined"""
    return report.read, report.kept, report.duplicates, report.quarantined
