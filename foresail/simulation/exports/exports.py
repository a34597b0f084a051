"""The book of what happened → the exports of a company's systems, each in a shape of its own.

Every export is made of rows as somebody there would have kept them: an ERP's order lines, a help desk's cases with all
their times in one row, a CRM's versions of an account. What is observed of the state is drawn here: how many minutes,
which score, which rating. Nothing in this file moves a state.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import date
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from features.arrays import Array
from features.timestamps import DAY
from foresail.simulation.world import dynamics
from foresail.simulation.world.accounts import COUNTRIES, OWNERS_PER_REGION, REGIONS
from foresail.simulation.world.histories import Histories
from foresail.simulation.world.randomness import mixed_all, normals, uniforms
from foresail.simulation.world.settings import CATEGORIES, INDUSTRIES, Settings

SECOND, HOUR = 1_000_000, 3_600_000_000
OPENS, OPEN_HOURS = 8, 10
"""Things happen between 8 and 18 o'clock UTC, so that a day is the same day in most of the world."""

# What is drawn for a row.
(
    _TIME, _SPLIT, _ITEM, _QUANTITY, _DISCOUNT, _MARGIN, _RETURNED, _RETURN_DAYS, _CALLED_OFF, _CHANNEL, _ANSWER, _RATED,
    _RATING, _EFFORT, _MINUTES, _FAULTS, _ENERGY, _PAGE, _ANSWERED, _SCORE, _OPT_OUT, _CORRECTED, _WRONG, _CORRECT_DAYS,
    _ESCALATED, _USER, _NAME,
) = range(27)  # fmt: skip

_HOURS = 1 << 45
"""At which hour something is noted is drawn apart from what happens."""
FUNCTIONS = ("planning", "reporting")
ITEMS_PER_CATEGORY = 12
SEVERITIES = ("low", "normal", "high", "urgent")
SEAT_PRICE = 240.0
NAMES = (
    "Becker",
    "Chen",
    "Dubois",
    "Evans",
    "Fischer",
    "Garcia",
    "Huber",
    "Ivanova",
    "Jansen",
    "Kaya",
    "Li",
    "Moretti",
)
FIRMS = ("Werke", "Group", "Industries", "& Sons", "Technik", "Trading", "Systems", "Logistics")


@dataclass(frozen=True)
class Export:
    """Rows of one export before they are reported: `columns` as the system has them, and when each was true and entered."""

    name: str
    columns: dict[str, Any]
    happened: Array
    """UTC microseconds."""
    keys: Array
    """A key for the chance of each row."""
    entered: Array | None = None
    """UTC microseconds, where the system notes it; else what happened is entered at once."""
    entered_column: str | None = None
    happened_column: str | None = None
    """The columns that hold the two; without one the system does not note it apart."""

    def __len__(self) -> int:
        return len(self.happened)


@dataclass(frozen=True)
class _Block:
    """What the exports of a block of accounts are made of."""

    settings: Settings
    histories: Histories
    ids: pa.Array

    @property
    def start(self) -> int:
        return (self.settings.company.start - date(1970, 1, 1)).days * DAY

    @property
    def end(self) -> int:
        """The moment of the exports: what lies after it is in none of them."""
        return self.start + self.settings.company.days * DAY

    @property
    def left(self) -> Array:
        """For each account the last moment of its last day; the end of time for those that stay."""
        left = self.histories.end["left"]
        return np.where(left >= 0, self.start + (left.astype(np.int64) + 1) * DAY - 1, np.iinfo(np.int64).max)

    def rows(self, *kinds: int) -> "_Rows":
        """The lines of the book of these kinds, in its order."""
        events = self.histories.events
        return _Rows(self, events[np.isin(events["kind"], kinds)])

    def account(self, numbers: Array) -> pa.Array:
        return pa.DictionaryArray.from_arrays(pa.array(numbers, pa.int32()), self.ids)


@dataclass(frozen=True)
class _Rows:
    """Lines of the book, with what every export needs of them."""

    block: _Block
    events: Array

    def __len__(self) -> int:
        return len(self.events)

    def __getitem__(self, name: str) -> Array:
        column: Array = self.events[name]
        return column

    def only(self, which: Array) -> "_Rows":
        return _Rows(self.block, self.events[which])

    @property
    def accounts(self) -> pa.Array:
        return self.block.account(self["account"])

    @property
    def keys(self) -> Array:
        """One of each line's own: of account, day, kind, and where it stands among those."""
        own = self.block.histories.accounts.keys[self["account"]]
        return mixed_all(own, self["day"].astype(np.int64) * 64 + self["kind"], self["quantity"].astype(np.int64) + 2)

    @property
    def moments(self) -> Array:
        """When each happened: the lines of an order at once."""
        own = self.block.histories.accounts.keys[self["account"]]
        of_day = (
            OPENS * HOUR
            + np.floor(
                uniforms(own, _HOURS + self["day"].astype(np.int64) * 64 + self["kind"], _TIME) * OPEN_HOURS * 3600
            ).astype(np.int64)
            * SECOND
        )
        moments: Array = self.block.start + self["day"].astype(np.int64) * DAY + of_day
        return moments

    @property
    def comings_and_goings(self) -> Array:
        """The same, with joining in the morning and leaving in the afternoon: of a day's two the first comes first."""
        morning, hours = self.block.start + self["day"].astype(np.int64) * DAY + OPENS * HOUR, OPEN_HOURS // 2
        into = (self.moments - morning) // 2
        return np.where(self["word"] == dynamics.LEFT, morning + hours * HOUR + into, morning + into) // SECOND * SECOND

    @property
    def left(self) -> Array:
        return self.block.left[self["account"]]


def account_ids(numbers: Array) -> pa.Array:
    """What the company calls its accounts: A0000042."""
    return pa.array(np.char.mod("A%07d", numbers))


def exports(settings: Settings, histories: Histories) -> list[Export]:
    """Every export's rows of a block of accounts, in the order of `SOURCES`, and the log of assignments."""
    block = _Block(settings, histories, account_ids(histories.accounts.numbers))
    makers: tuple[Callable[[_Block], Export], ...] = (
        _accounts, _contacts, _contracts, _meetings, _relations, _orders, _backorders, _cases, _logins, _usage, _telemetry,
        _visits, _surveys, _outreach, _assignments,
    )  # fmt: skip
    return [make(block) for make in makers]


def _times(moments: Array, present: Array | None = None) -> pa.Array:
    return pa.array(moments, pa.timestamp("us", tz="UTC"), mask=None if present is None else ~present)


def _words(codes: Array, words: tuple[str, ...]) -> pa.Array:
    return pa.DictionaryArray.from_arrays(pa.array(codes, pa.int32()), pa.array(words))


def _numbers(values: Array, present: Array | None = None) -> pa.Array:
    return pa.array(np.asarray(values, dtype=np.float64), mask=None if present is None else ~present)


def _joined(*parts: Any, by: str = "-") -> pa.Array:
    """Text of parts, row by row: A0000042-17."""
    texts = [
        part.dictionary_decode() if isinstance(part, pa.DictionaryArray) else pc.cast(pa.array(part), pa.string())
        for part in parts
    ]
    return pc.binary_join_element_wise(*texts, by)


@dataclass(frozen=True)
class _Versions:
    """The rows of the CRM's accounts: one for each when it joins, then one for each change, then those that opt out."""

    joins: int
    changes: _Rows
    opts_out: int
    kept: Array
    """Those of them, in that order, that had been entered while the account was there."""

    def once(self, values: Array) -> pa.Array:
        """A number that is known when an account joins, and stays."""
        return self.with_changes(values, np.full(len(self.changes), np.nan))

    def with_changes(self, values: Array, later: Array) -> pa.Array:
        """A number that is known when an account joins, and what a change makes of it (NaN for a change of something else)."""
        column = np.concatenate([values.astype(np.float64), later, np.full(self.opts_out, np.nan)])[self.kept]
        return _numbers(column, ~np.isnan(column))

    def changed(self, word: int, values: Array) -> Array:
        """Values of the changes that are of this kind; NaN for the others."""
        return np.where(self.changes["word"] == word, values, np.nan)

    def words_once(self, codes: Array, words: tuple[str, ...]) -> pa.Array:
        """A word that is known when an account joins."""
        column = self.padded(codes.astype(np.int32))
        return pa.DictionaryArray.from_arrays(pa.array(column, pa.int32(), mask=~self._joins), pa.array(words))

    def moments_once(self, moments: Array) -> pa.Array:
        """A moment that is known when an account joins."""
        return _times(self.padded(moments), self._joins)

    @property
    def _joins(self) -> Array:
        return (np.arange(len(self.kept)) < self.joins)[self.kept]

    def padded(self, values: Array) -> Array:
        """Values of the joining rows, with zeros for the others: only where another column says which are meant."""
        return np.concatenate([values, np.zeros(len(self.kept) - self.joins, values.dtype)])[self.kept]


def _accounts(block: _Block) -> Export:
    """Versions of an account: all that is known when it joins, then what changes."""
    accounts, changes = block.histories.accounts, block.rows(dynamics.ATTRIBUTE)
    out = np.flatnonzero(accounts.attributes["opted_out"])
    whose = np.concatenate([np.arange(len(accounts)), changes["account"], out])
    joined = block.start + accounts.attributes["joined"].astype(np.int64) * DAY + (OPENS - 1) * HOUR
    happened = np.concatenate([joined, changes.moments, _opted_out_at(block, out)])
    kept = (happened < block.end) & (happened <= block.left[whose])
    versions = _Versions(len(accounts), changes, len(out), kept)
    columns = {
        "account_no": block.account(whose[kept]),
        **_known_once(block, versions, joined),
        **_changing(block, versions, whose),
    }
    keys = mixed_all(accounts.keys[whose], happened // SECOND + (1 << 40), 0)
    return Export("accounts", columns, happened[kept], keys[kept], entered_column="recorded_at")


def _known_once(block: _Block, versions: _Versions, joined: Array) -> dict[str, pa.Array]:
    """What is known when an account joins, and stays as it is."""
    accounts, known = block.histories.accounts, block.histories.accounts.attributes
    names = tuple(f"{name} {firm}" for name in NAMES for firm in FIRMS)
    named = uniforms(accounts.keys, 0, 900 + _NAME) * len(names)
    return {
        "name": versions.words_once(named, names),
        "industry": versions.words_once(known["industry"], INDUSTRIES),
        "region": versions.words_once(known["region"], REGIONS),
        "country": versions.words_once(known["region"], tuple(COUNTRIES[place] for place in REGIONS)),
        "parent_no": _parents(known["parent"], accounts.numbers, versions),
        "founded_on": versions.moments_once(joined - (known["founded"] * 365 * DAY).astype(np.int64)),
        "customer_since": versions.moments_once(joined),
        "strategic_fit": versions.once(known["strategic_fit"]),
        "influence": versions.once(known["influence"]),
        "reference_ok": versions.words_once(known["willing"], ("no", "yes")),
        "industry_growth": versions.once(known["industry_growth"]),
        "switching_cost": versions.once(known["switching_cost"]),
        "acquisition_cost": versions.once(known["acquisition_cost"]),
    }


def _changing(block: _Block, versions: _Versions, whose: Array) -> dict[str, pa.Array]:
    """Owner, size and our share of what an account buys, and whether it wants to hear from us: told anew when they change."""
    known, changes, kept = block.histories.accounts.attributes, versions.changes, versions.kept
    again = np.concatenate(
        [np.zeros(versions.joins, bool), changes["word"] == dynamics.OWNER, np.zeros(versions.opts_out, bool)]
    )
    owner = known["region"][whose] * OWNERS_PER_REGION + (known["owner"][whose] + 3 * again) % OWNERS_PER_REGION
    told = again | (np.arange(len(kept)) < versions.joins)
    owners = tuple(f"{place}-{number + 1}" for place in REGIONS for number in range(OWNERS_PER_REGION))
    grown = np.round(known["employees"][changes["account"]] * (1 + 0.05 * changes["day"] / 365.0))
    wallet = known["market_share"][changes["account"]] - 0.12 * changes["amount"] + 0.1 * (changes["quantity"] - 0.5)
    return {
        "owner": pa.DictionaryArray.from_arrays(pa.array(owner[kept], pa.int32(), mask=~told[kept]), pa.array(owners)),
        "employees": versions.with_changes(known["employees"], versions.changed(dynamics.EMPLOYEES, grown)),
        "share_of_wallet": versions.with_changes(
            known["market_share"], versions.changed(dynamics.MARKET_SHARE, np.round(np.clip(wallet, 0, 1), 2))
        ),
        "do_not_contact": _words_or_none((np.arange(len(kept)) >= len(kept) - versions.opts_out)[kept], "yes"),
    }


def _opted_out_at(block: _Block, accounts: Array) -> Array:
    made, keys = block.histories.accounts.made, block.histories.accounts.keys
    days = np.maximum(made["first_day"][accounts], 0) + np.floor(uniforms(keys[accounts], 0, 900 + _OPT_OUT) * 60)
    moments: Array = block.start + days.astype(np.int64) * DAY + OPENS * HOUR
    return moments


def _parents(parent: Array, own: Array, versions: _Versions) -> pa.Array:
    """The group's account, where it is another one; groups are led by every tenth account."""
    named = versions.words_once(np.arange(len(own)), tuple(account_ids(parent).to_pylist())).dictionary_decode()
    return pc.if_else(pa.array(versions.padded(parent != own)), named, pa.scalar(None, pa.string()))


def _words_or_none(present: Array, word: str) -> pa.Array:
    return pa.DictionaryArray.from_arrays(pa.array(np.zeros(len(present), np.int32), mask=~present), pa.array([word]))


def _contacts(block: _Block) -> Export:
    """The people of an account: three from the beginning, and champions who come and go."""
    accounts, moves = block.histories.accounts, block.rows(dynamics.CHAMPION)
    here = np.arange(len(accounts))
    champions = accounts.states["champion"] == 1
    joined = block.start + accounts.made["first_day"].astype(np.int64) * DAY + (OPENS - 1) * HOUR
    number = np.concatenate([np.full(len(here), 1), np.full(len(here), 3), np.full(len(here), 2), 3 + moves["serial"]])
    who = np.concatenate([here, here, here, moves["account"]])
    role = np.concatenate([np.zeros(len(here)), np.ones(len(here)), np.full(len(here), 2), np.ones(len(moves))]).astype(
        np.int32
    )
    neutral = np.ones(len(here), np.int32)
    stance = np.concatenate([neutral, np.where(champions, 0, 1), neutral, np.zeros(len(moves), np.int32)]).astype(
        np.int32
    )
    status = np.concatenate([np.zeros(3 * len(here), np.int32), moves["word"]]).astype(np.int32)
    happened = np.concatenate([joined, joined, joined, moves.comings_and_goings])
    keys = mixed_all(accounts.keys[who], happened // SECOND + (1 << 41), number)
    columns = {
        "account_no": block.account(who),
        "contact_no": _joined(block.account(who), number, by="/"),
        "name": _words(
            (uniforms(mixed_all(accounts.keys[who], number, 5), 0, _NAME) * len(NAMES)).astype(np.int32), NAMES
        ),
        "role": _words(role, ("decides", "influences", "uses")),
        "level": _words(role, ("executive", "middle", "operational")),
        "stance": _words(stance, ("champion", "neutral")),
        "status": _words(status, ("joined", "left")),
    }
    return Export("contacts", columns, happened, keys, entered_column="changed_at")


def _contracts(block: _Block) -> Export:
    """Each thing that happened to a contract, and how it stands after it."""
    accounts, moves = block.histories.accounts, block.rows(dynamics.CONTRACT)
    made, states = accounts.made, accounts.states
    signed = np.flatnonzero(made["software"] == 1)
    begins = np.maximum(made["first_day"], states["contract_ends"] - 7 * dynamics.YEAR)[signed]
    who = np.concatenate([signed, moves["account"]])
    happened = np.concatenate([block.start + begins.astype(np.int64) * DAY + OPENS * HOUR, moves.moments])
    seats = np.concatenate([states["seats"][signed], moves["amount"]])
    ends = np.concatenate([states["contract_ends"][signed], moves["serial"]]).astype(np.int64)
    word = np.concatenate([np.full(len(signed), dynamics.SIGNED), moves["word"]]).astype(np.int32)
    columns = {
        "account_no": block.account(who),
        "contract_no": _joined(block.account(who), np.full(len(who), 1), by="/K"),
        "event": _words(word, ("signed", "renewed", "upgraded", "cancelled")),
        "ends_on": _times(block.start + ends * DAY),
        "edition": _words((seats > 20).astype(np.int32), ("team", "enterprise")),
        "seats": _numbers(seats),
        "value_a_year": _numbers(seats * SEAT_PRICE),
    }
    keys = mixed_all(accounts.keys[who], happened // SECOND + (1 << 42), word)
    return Export("contracts", columns, happened, keys, entered_column="happened_at")


def _meetings(block: _Block) -> Export:
    rows = block.rows(dynamics.MEETING)
    columns = {
        "account_no": rows.accounts,
        "kind": _words(rows["word"], ("strategy", "qbr", "routine")),
        "status": _words(rows["serial"], ("held", "cancelled")),
        "level": _words(rows["word"], ("executive", "middle", "operational")),
    }
    return Export("meetings", columns, rows.moments, rows.keys, entered_column="held_at")


def _relations(block: _Block) -> Export:
    """Champions who join and leave, references that are published and taken back."""
    accounts = block.histories.accounts
    rows = block.rows(dynamics.CHAMPION, dynamics.REFERENCE)
    published = np.flatnonzero(accounts.states["reference"] == 1)
    who = np.concatenate([published, rows["account"]])
    reference = np.concatenate([np.ones(len(published), bool), rows["kind"] == dynamics.REFERENCE]).astype(np.int32)
    words = np.concatenate([np.full(len(published), 2), rows["word"] + 2 * (rows["kind"] == dynamics.REFERENCE)])
    begins = block.start + np.full(len(published), -DAY) + OPENS * HOUR
    happened = np.concatenate([begins, rows.comings_and_goings])
    columns = {
        "account_no": block.account(who),
        "about": _words(reference, ("champion", "reference")),
        "status": _words(words, ("joined", "left", "published", "removed")),
    }
    return Export(
        "relations",
        columns,
        happened,
        mixed_all(accounts.keys[who], happened // SECOND + (1 << 43), reference),
        entered_column="noticed_at",
    )


def _orders(block: _Block) -> Export:
    """Order lines as the ERP booked them, then what came back, what was called off, and what was booked wrong at first."""
    rows, chance = block.rows(dynamics.ORDER_LINE), block.settings.orders
    key, ordered = rows.keys, rows.moments
    net, quantity = _line_values(rows, key), 1.0 + np.floor(uniforms(key, 0, _QUANTITY) * 9)
    line = np.maximum(rows["quantity"], 0).astype(np.int64) + 1
    days = np.floor(uniforms(key, 0, _RETURN_DAYS) * 20).astype(np.int64)
    undone, called_off = uniforms(key, 0, _RETURNED), uniforms(key, 0, _CALLED_OFF) < chance.called_off
    back = (undone < chance.returned) & ~called_off
    after = ordered + np.where(called_off, 1 + days // 10, 5 + days) * DAY
    undone_rows = np.flatnonzero((back | called_off) & _before(after, rows))
    wrong = np.flatnonzero(uniforms(key, 0, _CORRECTED) < block.settings.reporting.corrected_share)
    put_right = ordered + (2 + np.floor(uniforms(key, 0, _CORRECT_DAYS) * 8)).astype(np.int64) * DAY
    wrong = wrong[_before(put_right, rows)[wrong] & ~np.isin(wrong, undone_rows)]
    factor = np.where(uniforms(key[wrong], 0, _WRONG) < 0.5, 10.0, 0.1)
    booked = net.copy()
    booked[wrong] = np.round(net[wrong] * factor, 2)
    # What is booked, sent back or called off, taken off where it was wrong, and booked again.
    of = np.concatenate([np.arange(len(rows)), undone_rows, wrong, wrong])
    kind = np.concatenate([
        np.zeros(len(rows)), np.where(called_off[undone_rows], 2, 1), np.full(len(wrong), 2), np.zeros(len(wrong))
    ]).astype(np.int32)  # fmt: skip
    amount = np.concatenate([booked, -net[undone_rows], -booked[wrong], net[wrong]])
    happened = np.concatenate([ordered, after[undone_rows], put_right[wrong], ordered[wrong]])
    entered = np.concatenate([ordered, after[undone_rows], put_right[wrong], put_right[wrong]])
    booking = np.concatenate(
        [np.zeros(len(rows)), np.ones(len(undone_rows)), np.full(len(wrong), 2), np.full(len(wrong), 3)]
    ).astype(np.int64)
    pieces = np.where(amount < 0, -quantity[of], quantity[of])
    cut = np.choose((uniforms(key[of], 0, _DISCOUNT) * 4).astype(np.int64), [0.0, 0.0, 0.05, 0.1])
    category = rows["word"][of].astype(np.int32)
    item = category * ITEMS_PER_CATEGORY + (uniforms(key[of], 0, _ITEM) * ITEMS_PER_CATEGORY).astype(np.int32)
    items = tuple(f"{name[:3].upper()}-{number + 1:02}" for name in CATEGORIES for number in range(ITEMS_PER_CATEGORY))
    columns = {
        "order_no": _order_numbers(block, rows["account"][of], rows["serial"][of]),
        "position": pa.array(line[of] + 100 * booking),
        "account_no": block.account(rows["account"][of]),
        "booking": _words(kind, ("order", "return", "cancellation")),
        "item": _words(item, items),
        "item_group": _words(category, CATEGORIES),
        "channel": _words((uniforms(key[of], 0, _CHANNEL) * 3).astype(np.int32), ("web", "field", "phone")),
        "quantity": _numbers(pieces),
        "net": _numbers(amount),
        "discount": _numbers(np.round(np.abs(amount) * cut / (1.0 - cut), 2), kind == 0),
        "margin": _numbers(np.round(amount * (chance.margin - 0.1 + 0.2 * uniforms(key[of], 0, _MARGIN)), 2)),
    }
    return Export("orders", columns, happened, mixed_all(key[of], booking, 9), entered, "entered_at", "ordered_at")


def _order_numbers(block: _Block, accounts: Array, serials: Array) -> pa.Array:
    """A number of its own for every order, which does not tell whose it is: a one-to-one shuffle of account and serial."""
    plain = block.histories.accounts.numbers[accounts].astype(np.uint64) << np.uint64(16) | serials.astype(np.uint64)
    return pc.cast(pa.array((plain * np.uint64(0x9E3779B97F4A7C15)) % np.uint64(1 << 44)), pa.string())


def _before(moments: Array, rows: _Rows) -> Array:
    """Whether an account was still there, and the exports not yet made."""
    return (moments <= rows.left) & (moments < rows.block.end)


def _line_values(rows: _Rows, keys: Array) -> Array:
    """The value of each line in whole cents: an order's value split at random among its lines, none of it lost."""
    if len(rows) == 0:
        return np.zeros(0)
    starts = np.flatnonzero(np.maximum(rows["quantity"], 0) == 0)
    of_order = np.repeat(np.arange(len(starts)), np.diff(np.r_[starts, len(rows)]))
    weight = 0.3 + uniforms(keys, 0, _SPLIT)
    total = np.round(np.add.reduceat(rows["amount"], starts), 2)
    share: Array = np.round(total[of_order] * weight / np.add.reduceat(weight, starts)[of_order], 2)
    share[starts] += np.round(total - np.add.reduceat(share, starts), 2)
    return np.round(share, 2)


def _backorders(block: _Block) -> Export:
    rows = block.rows(dynamics.SHORTAGE)
    columns = {
        "order_no": _order_numbers(block, rows["account"], rows["serial"]),
        "account_no": rows.accounts,
        "missing_pieces": _numbers(1.0 + np.floor(uniforms(rows.keys, 0, _QUANTITY) * 5)),
    }
    return Export("backorders", columns, rows.moments, rows.keys, entered_column="noted_at")


def _cases(block: _Block) -> Export:
    """One row per case with all its times, as a help desk exports it; what lies ahead is empty."""
    rows = block.rows(dynamics.CASE)
    key, created, hours = rows.keys, rows.moments, rows["amount"]
    answer = np.minimum(hours, 1.0 + 0.4 * hours * uniforms(key, 0, _ANSWER))
    severity = np.searchsorted([0.35, 0.75, 0.93], rows["quantity"]).astype(np.int32)
    answered, solved = (created + np.round(each * 3600).astype(np.int64) * SECOND for each in (answer, hours))
    escalated_at = created + np.round(hours * 1800).astype(np.int64) * SECOND
    escalated = (severity >= 2) & (uniforms(key, 0, _ESCALATED) < 0.3) & _before(escalated_at, rows)
    rated_at = solved + 3 * HOUR
    rated = (uniforms(key, 0, _RATED) < 0.45) & _before(rated_at, rows)
    feeling = 0.9 * rows["mood"] - 0.35 * np.log(hours / block.settings.service.hours_to_resolve)
    columns = {
        "case_no": _joined(rows.accounts, rows["serial"] + 1, by="-S"),
        "account_no": rows.accounts,
        "topic": _words(rows["word"], ("complaint", "fault", "question", "request")),
        "severity": _words(severity, SEVERITIES),
        "channel": _words((uniforms(key, 0, _CHANNEL) * 3).astype(np.int32), ("phone", "mail", "portal")),
        "created_at": _times(created),
        "first_reply_at": _times(answered, _before(answered, rows)),
        "escalated_at": _times(escalated_at, escalated),
        "solved_at": _times(solved, _before(solved, rows)),
        "rated_at": _times(rated_at, rated),
        "csat": _numbers(np.clip(np.round(3.7 + feeling + 0.8 * normals(key, 0, _RATING)), 1, 5), rated),
        "effort": _numbers(np.clip(np.round(5.0 + feeling + 1.0 * normals(key, 0, _EFFORT)), 1, 7), rated),
    }
    return Export("cases", columns, created, key)


def _logins(block: _Block) -> Export:
    rows = block.rows(dynamics.LOGIN)
    columns = {
        "account_no": rows.accounts,
        "user_no": pa.array((uniforms(rows.keys, 0, _USER) * 6).astype(np.int64) + 1),
    }
    return Export("logins", columns, rows.moments, rows.keys, entered_column="logged_in_at")


def _usage(block: _Block) -> Export:
    """Minutes of a week, a function each."""
    rows, use = block.rows(dynamics.USE), block.settings.engagement
    which = np.repeat(np.arange(len(rows)), len(FUNCTIONS))
    function = np.tile(np.arange(len(FUNCTIONS), dtype=np.int32), len(rows))
    keys = mixed_all(rows.keys[which], function, 3)
    mood = use.usage_satisfaction * rows["mood"][which] + use.usage_noise * normals(keys, 0, _MINUTES)
    minutes = use.usage * np.exp(mood) * np.sqrt(rows["serial"][which]) / 4.0
    columns = {
        "account_no": block.account(rows["account"][which]),
        "function": _words(function, FUNCTIONS),
        "minutes": _numbers(np.round(minutes, 1)),
    }
    return Export("usage", columns, rows.moments[which], keys, rows.moments[which], "reported_at", "week_ending")


def _telemetry(block: _Block) -> Export:
    """What the machines report in a week: faults, and the energy that they took."""
    rows, machine = block.rows(dynamics.READING), block.settings.equipment
    worn = rows["amount"] >= 1.0
    draws = uniforms(rows.keys, 0, _FAULTS)
    faults = np.where(
        worn, _poisson(machine.faults_a_week * machine.worn_faults, draws), _poisson(machine.faults_a_week, draws)
    )
    energy = 100.0 * (1.0 + 0.1 * np.clip(rows["amount"], 0, 1) + 0.15 * worn + 0.06 * normals(rows.keys, 0, _ENERGY))
    columns = {"account_no": rows.accounts, "faults": _numbers(faults), "energy_kwh": _numbers(np.round(energy, 1))}
    return Export("telemetry", columns, rows.moments, rows.keys, rows.moments, "received_at", "read_at")


def _poisson(mean: float, draws: Array) -> Array:
    """Poisson counts of uniform draws, by the inverse of the distribution."""
    from scipy.stats import poisson

    most = int(poisson.ppf(1 - 1e-9, mean)) + 1
    return np.searchsorted(poisson.cdf(np.arange(most), mean), draws).astype(np.float64)


def _visits(block: _Block) -> Export:
    """Pages of the web shop; the closer an order, the more of them are carts."""
    rows = block.rows(dynamics.VISIT)
    page = (uniforms(rows.keys, 0, _PAGE) < 0.15 + 0.2 * np.minimum(rows["amount"], 2.0)).astype(np.int32)
    columns = {"account_no": rows.accounts, "page": _words(page, ("catalogue", "cart"))}
    return Export("visits", columns, rows.moments, rows.keys, entered_column="seen_at")


def _surveys(block: _Block) -> Export:
    """Answers to would you recommend us: more likely from the content and the furious."""
    sent, ask = block.rows(dynamics.SURVEY), block.settings.engagement
    log_odds = ask.survey_answered + ask.survey_feeling * np.abs(sent["mood"])
    rows = sent.only(uniforms(sent.keys, 0, _ANSWERED) < 1.0 / (1.0 + np.exp(-log_odds)))
    answer = ask.nps + ask.nps_satisfaction * rows["mood"] + ask.nps_noise * normals(rows.keys, 0, _SCORE)
    columns = {"account_no": rows.accounts, "score": _numbers(np.clip(np.round(answer), 0, 10))}
    return Export("surveys", columns, rows.moments, rows.keys, rows.moments, "recorded_at", "answered_at")


def _outreach(block: _Block) -> Export:
    """What the company did to accounts, as its marketing and its managers noted it."""
    rows, playbooks = block.rows(dynamics.DELIVERED), block.settings.playbooks
    channels = tuple(dict.fromkeys(one.channel for one in playbooks.values()))
    columns = {
        "account_no": rows.accounts,
        "action": _words(rows["word"], tuple(playbooks)),
        "channel": _words(
            np.array([channels.index(one.channel) for one in playbooks.values()])[rows["word"]], channels
        ),
    }
    return Export("outreach", columns, rows.moments, rows.keys, entered_column="done_at")


def _assignments(block: _Block) -> Export:
    """Who entered which playbook, whether by lot or because a manager chose it, and who of those is left alone."""
    rows = block.rows(dynamics.ASSIGNED)
    columns = {
        "account_no": rows.accounts,
        "playbook": _words(rows["word"], tuple(block.settings.playbooks)),
        "decided_by": _words((rows["serial"] == dynamics.CHOSEN).astype(np.int32), ("lot", "manager")),
        "arm": _words((rows["serial"] == dynamics.CONTROL).astype(np.int32), ("treatment", "control")),
    }
    return Export("assignments", columns, rows.moments, rows.keys, entered_column="assigned_at")
