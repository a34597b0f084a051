"""Made-up companies for the benchmarks: the same events every time, made by DuckDB and ingested into a history once.

What was made is kept under `.bench/data`, by size and by a fingerprint of all that shapes it: this file and the modules
that store a history.
"""

import hashlib
import shutil
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import duckdb
from measure import BENCH

from features import history as stored_history
from features.history.ingest.ingestion import Source, ingest
from features.history.store import History

LAST = datetime(2024, 1, 1, tzinfo=UTC)
YEARS = 3
EVENTS_EACH = 100
EVENTS_EACH_AT_NIGHT = 20
SHAPING = (
    "streams",
    "store",
    "ingest/staging",
    "ingest/validation",
    "ingest/deduplication",
    "ingest/commit",
    "ingest/sources",
)
"""Modules of `features.history` that decide the content of a stored history."""


def purchases(events: int) -> tuple[Path, History]:
    """Order lines of `events` / 100 accounts over three years, as a Parquet file and as a history.

    A fifth of the accounts has nearly half of the lines. The file is sorted by account and time, as rivals like it best.
    """
    accounts = max(events // EVENTS_EACH, 1)
    folder = _kept(f"purchases-{events}", lambda folder: _purchases(folder, events, accounts))
    return folder / "purchases.parquet", History(folder / "history")


def company(events: int) -> History:
    """All streams of `events` / 20 accounts: 60 % order lines, 24 % engagement, 8 % service; a row of attributes each."""
    accounts = max(events // EVENTS_EACH_AT_NIGHT, 1)
    return History(_kept(f"company-{events}", lambda folder: _company(folder, events, accounts)) / "history")


def one_account(events: int) -> History:
    """A company with a single account and about that many events, over all streams."""
    return History(_kept(f"one-account-{events}", lambda folder: _company(folder, events, 1)) / "history")


def _kept(name: str, make: Callable[[Path], None]) -> Path:
    folder = BENCH / "data" / f"{name}-{_fingerprint()}"
    if not folder.exists():
        unfinished = folder.with_suffix(".unfinished")
        shutil.rmtree(unfinished, ignore_errors=True)
        unfinished.mkdir(parents=True)
        make(unfinished)
        for outdated in folder.parent.glob(f"{name}-*"):
            if outdated != unfinished:
                shutil.rmtree(outdated)
        unfinished.rename(folder)
    return folder


def _fingerprint() -> str:
    storing = [Path(stored_history.__file__).parent / f"{name}.py" for name in SHAPING]
    content = b"".join(path.read_bytes() for path in [Path(__file__), *storing])
    return hashlib.sha256(content).hexdigest()[:12]


def _purchases(folder: Path, events: int, accounts: int) -> None:
    _copy(folder / "purchases.parquet", events, _busy(accounts), PURCHASE, "order by account_id, occurred_at")
    _ingest(folder, "purchases")


def _company(folder: Path, events: int, accounts: int) -> None:
    for stream, (share, columns) in SHARES.items():
        account = f"i % {accounts}" if stream == "accounts" else _busy(accounts)
        _copy(folder / f"{stream}.parquet", round(events * share), account, columns)
        _ingest(folder, stream)


def _copy(path: Path, events: int, account: str, columns: str, order: str = "") -> None:
    duckdb.execute(f"""copy (
        select 'A' || lpad(({account})::varchar, 8, '0') as account_id,
               make_timestamptz({int(LAST.timestamp() * 1e6)} - ({_draw(2)} * {YEARS * 365 * 86_400_000_000})::bigint) as occurred_at,
               {columns}, 'E' || i as event_id
        from range({events}) r(i) {order}) to '{path}' (format parquet)""")


def _ingest(folder: Path, stream: str) -> None:
    source = Source(stream, stream, str(folder / f"{stream}.parquet"))
    earliest = datetime(2000, 1, 1, tzinfo=UTC)
    ingest(History(folder / "history"), source, as_of=LAST, timezone="UTC", earliest=earliest)


def _busy(accounts: int) -> str:
    """Of these accounts one at random, the first ones far more often."""
    return f"floor(pow({_draw(1)}, 2) * {accounts})::bigint"


def _draw(salt: int) -> str:
    """A number in [0, 1) for each row; two of them have nothing to do with each other."""
    return f"((hash(i * 31 + {salt}) >> 11) / 9007199254740992.0)"


def _word(salt: int, *words: str) -> str:
    listed = ", ".join(f"'{word}'" for word in words)
    return f"[{listed}][1 + floor({_draw(salt)} * {len(words)})::int]"


ENGAGEMENT_WORDS = (
    "login",
    "login",
    "usage",
    "usage",
    "usage",
    "visit",
    "mail",
    "meeting",
    "survey",
    "cart",
    "telemetry",
    "loyalty",
)
PURCHASE = f"""
    'O' || (i // 3) as order_id, 'P' || floor({_draw(3)} * 2000)::int as product_id,
    'C' || floor({_draw(4)} * 30)::int as category, floor({_draw(5)} * 20 + 1)::double as quantity,
    round(exp({_draw(6)} * 5), 2) as amount"""
ENGAGEMENT = f"""
    {_word(3, *ENGAGEMENT_WORDS)} as kind,
    case when kind = 'meeting' then {_word(4, "review", "qbr", "strategy")} when kind = 'telemetry'
         then {_word(4, "faults", "energy")} else 'F' || floor({_draw(4)} * 12)::int end as subject,
    case kind when 'meeting' then {_word(5, "held", "held", "held", "cancelled", "missed")}
         when 'mail' then {_word(5, "sent", "opened", "answered")} when 'cart' then {_word(5, "filled", "abandoned")}
         when 'loyalty' then {_word(5, "earned", "redeemed")} end as status,
    case when kind = 'meeting' then {_word(6, "executive", "middle", "operational")} end as level,
    case when kind = 'survey' then 'nps' end as scale, case when kind = 'survey' then floor({_draw(7)} * 11) end as score,
    {_word(8, "web", "mail", "phone")} as channel, floor({_draw(9)} * 90)::double as quantity"""
SERVICE = f"""
    'S' || (i // 3) as case_id, {_word(3, "opened", "answered", "resolved")} as kind,
    {_word(4, "complaint", "fault", "question", "request")} as topic,
    {_word(5, "urgent", "high", "normal", "low")} as severity,
    case when kind = 'resolved' then {_draw(6)} * 200 end as hours_to_resolve,
    case when kind = 'resolved' and {_draw(7)} < 0.3 then floor({_draw(8)} * 5 + 1)::double end as satisfaction"""
CONTRACT = f"""
    'K' || (i // 2) as contract_id, {_word(3, "signed", "renewed", "renewed", "upgraded", "cancelled")} as kind,
    occurred_at + interval 1 year as ends_at, round({_draw(4)} * 50000, 2) as value, floor({_draw(5)} * 50 + 1)::double as quantity"""
CONTACT = f"""
    occurred_at as known_at, 'N' || i as contact_id, {_word(3, "decides", "influences", "uses")} as role,
    {_word(4, "champion", "neutral", "neutral", "critic")} as stance"""
ATTRIBUTES = f"""
    occurred_at as known_at, {_word(3, "machines", "food", "retail", "chemicals")} as industry,
    {_word(4, "north", "south", "east", "west")} as region, floor(exp({_draw(5)} * 9))::double as size"""
SHARES = {
    "purchases": (0.60, PURCHASE), "engagement": (0.24, ENGAGEMENT), "service": (0.08, SERVICE),
    "contracts": (0.02, CONTRACT), "contacts": (0.01, CONTACT), "accounts": (0.05, ATTRIBUTES),
}  # fmt: skip
"""Of each stream its share of all events, and its own columns."""
