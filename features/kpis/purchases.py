"""Figures of purchases: of one bucket's accounts month by month, added up by group and period."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from features.arrays import Array
from features.engine.compilation import compiled
from features.families.eligibility import MONEY
from features.history.store import History
from features.kpis.dimensions import Divisions, add_up
from features.kpis.periods import MONTHS_OF, YEAR, Calendar, Period
from features.timestamps import DAY, microseconds

VALUE_WINDOW = 365 * DAY
"""An account's value is its revenue of so long up to its last order."""
_NEVER = np.iinfo(np.int64).max


@dataclass(frozen=True)
class Lines:
    """The purchase lines of a bucket, account after account, in time order inside each."""

    accounts: pa.Array
    account: Array
    """Of each line, the place of its account."""
    time: Array
    amount: Array
    is_order: Array
    category: Array
    """Of each line a code; −1 where none is recorded."""

    @classmethod
    def known(cls, history: History, bucket: int, as_of: datetime) -> "Lines":
        columns = ["account_id", "known_at", "occurred_at", "kind", "category", "amount"]
        rows = history.read("purchases", bucket, columns)
        rows = rows.filter(pc.less_equal(rows["known_at"], as_of)).combine_chunks()
        ids, category, kind = (rows[name].combine_chunks() for name in ("account_id", "category", "kind"))
        account, time = _numbers(ids.indices), _numbers(rows["occurred_at"].cast(pa.int64()))
        # Stable: of lines of one moment the canonical order of the history stays.
        order = np.lexsort((time, account))
        is_order = np.append(kind.dictionary.to_numpy(zero_copy_only=False) == "order", False).astype(np.bool_)[
            _numbers(kind.indices)
        ]
        return cls(
            ids.dictionary.cast(pa.string()),
            account[order],
            time[order],
            _numbers(rows["amount"])[order],
            is_order[order],
            _numbers(category.indices.fill_null(-1))[order],
        )

    @property
    def offsets(self) -> Array:
        """Where each account's lines begin, and the end of the last."""
        return np.searchsorted(self.account, np.arange(len(self.accounts) + 1))


@dataclass(frozen=True)
class Purchases:
    """The part of one bucket: sums by name, (groups, periods); churn, account by account; revenue for the concentration."""

    first: int
    """When the first line occurred, UTC µs."""
    sums: Mapping[str, Array]
    customers: Array
    """(groups, slots): accounts with an order in the churn days before the end of each slot."""
    churned_groups: Array
    churned_slots: Array
    churned_numbers: Array
    """The worth of each churned account."""
    worth: Array
    """The worth of every account that ever ordered."""
    revenue: Array
    """(periods, accounts that ever ordered)."""
    ordered_by: Array
    """Of these the slot of their first order."""


def purchases(
    history: History, bucket: int, as_of: datetime, calendar: Calendar, divisions: Divisions, churn_days: int
) -> Purchases:
    """One bucket, from the rows known by as_of."""
    lines = Lines.known(history, bucket, as_of)
    groups = divisions.codes(bucket, lines.accounts)
    months = _Months.of(lines, calendar)
    sums = _sums(lines, months, calendar, groups, len(divisions.groups))
    slots, accounts, churned, worth = _lapses(lines, calendar, churn_days, microseconds(as_of))
    ever = months.first_order < calendar.slots
    return Purchases(
        int(lines.time.min()) if lines.time.size else _NEVER,
        sums,
        _grouped(_customers(lines, months, calendar, churn_days), groups, len(divisions.groups)),
        groups[accounts],
        slots,
        churned,
        worth[ever],
        np.stack([_within(months.revenue, period)[ever] for period in calendar.periods()]),
        months.first_order[ever],
    )


@dataclass(frozen=True)
class _Months:
    """Matrices (slots, accounts) of a bucket: revenue, order lines, all lines; and the slot of each account's first order."""

    slot: Array
    """Of each line."""
    revenue: Array
    orders: Array
    lines: Array
    first_order: Array
    """As many as there are slots for an account that never ordered."""

    @classmethod
    def of(cls, lines: Lines, calendar: Calendar) -> "_Months":
        slot = calendar.slot_of(lines.time)
        orders = _by_slot(lines, slot, lines.is_order, calendar)
        first = np.where(orders.any(axis=0), (orders > 0).argmax(axis=0), calendar.slots)
        everything = np.ones(lines.time.size)
        return cls(
            slot,
            _by_slot(lines, slot, lines.amount, calendar),
            orders,
            _by_slot(lines, slot, everything, calendar),
            first,
        )


def _sums(lines: Lines, months: _Months, calendar: Calendar, groups: Array, count: int) -> dict[str, Array]:
    """The sums that the figures are made of, (groups, periods) by name; period by period, so that the work stays in the caches."""
    crossed, so_far = _cross_sold(lines, months, calendar), np.cumsum(months.revenue, axis=0)
    by_period = []
    for period in calendar.periods():
        of_accounts = _of_period(months, crossed[period.kind], so_far, period)
        by_period.append(_grouped(np.stack(list(of_accounts.values())), groups, count))
    return dict(zip(of_accounts, np.stack(by_period, axis=1).transpose(2, 0, 1), strict=True))


def _of_period(months: _Months, crossed: Array, so_far: Array, period: Period) -> dict[str, Array]:
    """The values of every account in one period, to be added up by group."""
    revenue, then = _within(months.revenue, period), _within(months.revenue, period, YEAR)
    cross, first = _within(crossed, period), months.first_order
    then = np.where(then > MONEY, then, 0)
    had = then > 0
    more = np.where(had, np.maximum(revenue - cross - then, 0), 0)
    ever, ever_before = first < period.last, first < period.first
    return {
        "revenue": revenue,
        "buyers": _within(months.lines, period) > 0,
        "active": _within(months.orders, period) > 0,
        "new": ever & ~ever_before,
        "crossed": cross,
        "crossing": cross != 0,
        "upsold": more,
        "upselling": more > MONEY,
        "then": then,
        "then_accounts": had,
        "retained": np.where(had, revenue, 0),
        "retained_gross": np.clip(revenue, 0, then),
        "so_far": np.where(ever, so_far[period.last - 1], 0),
        "ever": ever,
        "so_far_before": np.where(ever_before, so_far[period.first - 1], 0),
        "ever_before": ever_before,
    }


def _cross_sold(lines: Lines, months: _Months, calendar: Calendar) -> dict[str, Array]:
    """By kind of period the revenue of each month, (slots, accounts), from categories first ordered in its period, though not the account's first."""
    first = _first_of_category(lines, months.slot, calendar.slots)
    by_kind = {}
    for kind in MONTHS_OF:
        number = np.append(calendar.numbers(kind), np.iinfo(np.int64).max)
        is_new = (number[first] == number[months.slot]) & (number[months.first_order][lines.account] < number[first])
        by_kind[kind] = _by_slot(lines, months.slot, np.where(is_new, lines.amount, 0), calendar)
    return by_kind


def _first_of_category(lines: Lines, slot: Array, never: int) -> Array:
    """For each line the slot in which its account first ordered from its category; `never` where that is unknown."""
    first = np.full(lines.time.size, never)
    ordered = np.flatnonzero(lines.is_order & (lines.category >= 0))
    pair = lines.account * (int(lines.category.max(initial=0)) + 1) + lines.category
    # The first of equal pairs is the earliest: lines are in time order.
    pairs, earliest = np.unique(pair[ordered], return_index=True)
    if pairs.size:
        place = np.minimum(np.searchsorted(pairs, pair), pairs.size - 1)
        is_known = (pairs[place] == pair) & (lines.category >= 0)
        first[is_known] = slot[ordered[earliest]][place[is_known]]
    return first


def _customers(lines: Lines, months: _Months, calendar: Calendar, churn_days: int) -> Array:
    """(slots, accounts): 1 where the account's last order before the end of the slot is at most the churn days old then."""
    ordered = lines.is_order
    time, account = lines.time[ordered], lines.account[ordered]
    ends = np.minimum(time + churn_days * DAY, _next(time, account))
    # Still a customer at the very moment at which the days are over: it is open whether an order comes.
    over = calendar.slot_of(ends)
    cells = over * len(lines.accounts) + account
    ended = np.bincount(cells, minlength=months.orders.size).reshape(months.orders.shape)
    return np.cumsum(months.orders - ended, axis=0)


def _next(time: Array, account: Array) -> Array:
    """The moment of the account's next order, never for its last."""
    following = np.append(time[1:], _NEVER)
    following[np.append(np.diff(account) != 0, True)] = _NEVER
    return following


def _lapses(lines: Lines, calendar: Calendar, churn_days: int, now: int) -> tuple[Array, Array, Array, Array]:
    """Silences that reached the churn days: slot, account, its worth; then the worth of every account."""
    days = churn_days * DAY
    lapsed, worth, last = _silences(lines.offsets, lines.time, lines.amount, lines.is_order, days, now)
    return calendar.slot_of(lines.time[lapsed] + days), lines.account[lapsed], worth[lapsed], last


@compiled
def _silences(
    offsets: Array, time: Array, amount: Array, is_order: Array, days: int, now: int
) -> tuple[Array, Array, Array]:
    """Of each line whether it is an order that a silence of more than `days` follows, and the worth as of it; each account's last worth."""
    lapsed, worth = np.zeros(time.shape[0], np.bool_), np.zeros(time.shape[0])
    last = np.zeros(offsets.shape[0] - 1)
    for account in range(offsets.shape[0] - 1):
        begin, end = offsets[account], offsets[account + 1]
        following, is_last = now, True
        for line in range(end - 1, begin - 1, -1):
            if not is_order[line]:
                continue
            silence = following - time[line]
            # Of the last order the days may just be over; another order at that moment would have come in time.
            lapsed[line] = silence > days or (is_last and silence == days)
            if lapsed[line] or is_last:
                worth[line] = _worth(begin, line, end, time, amount)
            if is_last:
                last[account] = worth[line]
            following, is_last = time[line], False
    return lapsed, worth, last


@compiled
def _worth(begin: int, line: int, end: int, time: Array, amount: Array) -> float:
    """Revenue of the VALUE_WINDOW up to a line, the lines of the same moment behind it included."""
    total = 0.0
    for after in range(line + 1, end):
        if time[after] > time[line]:
            break
        total += amount[after]
    for before in range(line, begin - 1, -1):
        if time[before] <= time[line] - VALUE_WINDOW:
            break
        total += amount[before]
    return total


def _by_slot(lines: Lines, slot: Array, weights: Array, calendar: Calendar) -> Array:
    cells = slot * len(lines.accounts) + lines.account
    shape = calendar.slots, len(lines.accounts)
    return np.bincount(cells, weights, minlength=shape[0] * shape[1]).reshape(shape)


def _within(months: Array, period: Period, earlier: int = 0) -> Array:
    """The sum over a period, or over the one so many months earlier, for every account."""
    total: Array = months[period.first - earlier : period.last - earlier].sum(axis=0)
    return total


def _grouped(values: Array, groups: Array, count: int) -> Array:
    out = np.zeros((count, values.shape[0]))
    add_up(np.ascontiguousarray(values, dtype=np.float64), groups, out)
    return out


def _numbers(column: Any) -> Array:
    whole = column.combine_chunks() if isinstance(column, pa.ChunkedArray) else column
    numbers: Array = whole.to_numpy(zero_copy_only=False)
    return numbers
