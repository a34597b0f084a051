"""The KPIs of a company as of a moment, in one long table: computed bucket by bucket, put together here."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from os import cpu_count

import numpy as np
import pandas as pd

from features.arrays import Array
from features.history.store import History
from features.kpis.concentration import gini, top_share
from features.kpis.contracts import Contracts, contracts
from features.kpis.definitions import HIGH_VALUE_QUANTILE, KPIS, TOP_PERCENT
from features.kpis.dimensions import Divisions, divided
from features.kpis.periods import YEAR, Calendar, Period
from features.kpis.purchases import Purchases, purchases
from features.kpis.satisfaction import Answers, answers, score_of

COLUMNS = (
    "as_of", "kpi", "period", "period_start", "period_end", "dimension", "member", "value", "unit", "n",
)  # fmt: skip


def kpis(
    history: History,
    as_of: datetime,
    *,
    timezone: str = "UTC",
    churn_days: int = 90,
    by: Sequence[str] = (),
    labels: Mapping[str, Mapping[str, str]] | None = None,
    threads: int | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> pd.DataFrame:
    """Every KPI of the last 24 months, 8 quarters and 3 years that have ended by as_of, as was known by as_of.

    Grain: one row per kpi, period and member of a dimension: of the whole company (all/all), of each member of the text
    attributes `by` as they were known at as_of, and of the `labels` of the caller: {"tier": {account_id: member}}. Columns as in
    COLUMNS. A KPI whose stream is empty is left out, and so is a period that began before the month of the stream's
    first event (of a KPI that looks a year back: whose year before did). NaN where there was nothing to measure.

    `threads` (default: the cores at hand) changes nothing of the result.
    """
    pinned, calendar = history.at(history.versions()), Calendar.until(as_of, timezone)
    divisions = divided(pinned, as_of, by, labels)
    of_bucket = partial(_bucket, pinned, as_of=as_of, calendar=calendar, divisions=divisions, churn_days=churn_days)
    parts = []
    with ThreadPoolExecutor(threads or cpu_count() or 1) as pool:
        for done, part in enumerate(pool.map(of_bucket, range(pinned.buckets)), start=1):
            parts.append(part)
            if progress:
                progress(done, pinned.buckets)
    groups = len(divisions.groups)
    # Without events there is no mean and no share: 0 / 0 is NaN, and so is the value of the KPI.
    with np.errstate(divide="ignore", invalid="ignore"):
        figures = [
            *_of_purchases(parts, calendar, groups),
            *_of_answers(parts, calendar, groups),
            *_of_contracts(parts, calendar),
        ]
    return _long([figure for figure in figures if figure.reported.any()], as_of, calendar.periods(), divisions)


@dataclass(frozen=True)
class _Part:
    """The figures of one bucket."""

    purchases: Purchases
    answers: Mapping[str, Answers]
    contracts: Contracts | None


def _bucket(
    history: History, bucket: int, *, as_of: datetime, calendar: Calendar, divisions: Divisions, churn_days: int
) -> _Part:
    return _Part(
        purchases(history, bucket, as_of, calendar, divisions, churn_days),
        answers(history, bucket, as_of, calendar, divisions),
        contracts(history, bucket, as_of, calendar, divisions),
    )


@dataclass(frozen=True)
class _Figure:
    """One KPI: value and n, (groups, periods), and which periods are reported."""

    kpi: str
    value: Array
    n: Array
    reported: Array


def _of_purchases(parts: Sequence[_Part], calendar: Calendar, groups: int) -> Iterator[_Figure]:
    purchases_by_bucket = [part.purchases for part in parts]
    reported = _since(min(bucket.first for bucket in purchases_by_bucket), calendar)
    a_year_back = _since(min(bucket.first for bucket in purchases_by_bucket), calendar, YEAR)
    sums = _added([bucket.sums for bucket in purchases_by_bucket])
    lifetime, before = sums["so_far"] / sums["ever"], sums["so_far_before"] / sums["ever_before"]
    for kpi, value, n, when in (
        ("revenue", sums["revenue"], sums["buyers"], reported),
        ("active_accounts", sums["active"], sums["active"], reported),
        ("new_accounts", sums["new"], sums["new"], reported),
        ("upsell_revenue", sums["upsold"], sums["upselling"], a_year_back),
        ("cross_sell_revenue", sums["crossed"], sums["crossing"], reported),
        ("net_revenue_retention", sums["retained"] / sums["then"], sums["then_accounts"], a_year_back),
        ("gross_revenue_retention", sums["retained_gross"] / sums["then"], sums["then_accounts"], a_year_back),
        ("lifetime_value", lifetime, sums["ever"], reported),
        ("lifetime_value_change", lifetime - before, sums["ever"], reported),
    ):
        yield _Figure(kpi, value, n, when)
    yield from _churned(purchases_by_bucket, calendar, groups, reported)
    yield from _concentrated(purchases_by_bucket, calendar.periods(), groups, reported)


def _churned(
    purchases_by_bucket: Sequence[Purchases], calendar: Calendar, groups: int, reported: Array
) -> Iterator[_Figure]:
    churned = Answers(
        *(
            np.concatenate([getattr(bucket, f"churned_{name}") for bucket in purchases_by_bucket])
            for name in ("slots", "groups", "numbers")
        )
    )
    values = np.concatenate([bucket.worth for bucket in purchases_by_bucket])
    is_high = churned.numbers >= (np.quantile(values, HIGH_VALUE_QUANTILE) if values.size else 0)
    high = Answers(churned.slots[is_high], churned.groups[is_high], churned.numbers[is_high])
    customers = np.sum([bucket.customers for bucket in purchases_by_bucket], axis=0)
    begun = customers[:, [period.first - 1 for period in calendar.periods()]]
    for name, lost in (("churned", churned), ("churned_high_value", high)):
        count = _over_periods(lost.counted(calendar, groups), calendar)
        yield _Figure(f"{name}_accounts", count, count, reported)
        yield _Figure(
            f"{name}_value", _over_periods(lost.summed(lost.numbers, calendar, groups), calendar), count, reported
        )
    yield _Figure("churn_rate", _over_periods(churned.counted(calendar, groups), calendar) / begun, begun, reported)


def _concentrated(
    purchases_by_bucket: Sequence[Purchases], periods: Sequence[Period], groups: int, reported: Array
) -> Iterator[_Figure]:
    """Of quarters and years of the whole company alone: every figure sorts all accounts."""
    revenue = np.concatenate([bucket.revenue for bucket in purchases_by_bucket], axis=1)
    first = np.concatenate([bucket.ordered_by for bucket in purchases_by_bucket])
    share, index, n = (np.full((groups, len(periods)), np.nan) for _ in range(3))
    wanted = reported & np.array([period.kind != "month" for period in periods])
    for place in np.flatnonzero(wanted).tolist():
        largest_first = np.sort(revenue[place, first < periods[place].last])[::-1]
        n[0, place] = len(largest_first)
        share[0, place], index[0, place] = top_share(largest_first, TOP_PERCENT).share, gini(largest_first)
    yield _Figure("top_20_percent_share", share, n, wanted)
    yield _Figure("gini", index, n, wanted)


def _of_answers(parts: Sequence[_Part], calendar: Calendar, groups: int) -> Iterator[_Figure]:
    by_scale = {name: Answers.together([part.answers[name] for part in parts]) for name in parts[0].answers}
    hours = by_scale.pop("hours")
    for scale, scale_answers in by_scale.items():
        n = _over_periods(scale_answers.counted(calendar, groups), calendar)
        total = _over_periods(scale_answers.summed(score_of(scale, scale_answers.numbers), calendar, groups), calendar)
        yield _Figure(scale, total / n, n, _answered(scale_answers, calendar))
    n = _over_periods(hours.counted(calendar, groups), calendar)
    for name, share in (("median", 0.5), ("p90", 0.9)):
        yield _Figure(f"resolution_hours_{name}", _quantiles(hours, share, calendar, n), n, _answered(hours, calendar))


def _answered(scale_answers: Answers, calendar: Calendar) -> Array:
    """The periods from the first answer's on."""
    if not scale_answers.slots.size:
        return np.zeros(len(calendar.periods()), dtype=np.bool_)
    return np.array([period.last > scale_answers.slots.min() for period in calendar.periods()])


def _quantiles(measured: Answers, share: float, calendar: Calendar, n: Array) -> Array:
    out = np.full(n.shape, np.nan)
    for column in range(measured.groups.shape[1]):
        order = np.lexsort((measured.slots, measured.groups[:, column]))
        group, slots, values = measured.groups[order, column], measured.slots[order], measured.numbers[order]
        for number in np.unique(group):
            begin, end = np.searchsorted(group, [number, number + 1])
            for place, period in enumerate(calendar.periods()):
                low, high = begin + np.searchsorted(slots[begin:end], [period.first, period.last])
                if high > low:
                    out[number, place] = np.quantile(values[low:high], share)
    return out


def _of_contracts(parts: Sequence[_Part], calendar: Calendar) -> Iterator[_Figure]:
    contracts_by_bucket = [part.contracts for part in parts if part.contracts is not None]
    if not contracts_by_bucket:
        return
    first = min(bucket.first for bucket in contracts_by_bucket)
    reported, a_year_back = _since(first, calendar), _since(first, calendar, YEAR)
    sums = _added([bucket.sums for bucket in contracts_by_bucket])
    for kpi, value, n, when in (
        ("contract_value", sums["value"], sums["holders"], reported),
        ("contract_churned_accounts", sums["left"], sums["left"], reported),
        ("contract_churned_value", sums["left_value"], sums["left"], reported),
        ("contract_net_retention", sums["retained"] / sums["then"], sums["then_accounts"], a_year_back),
        ("contract_gross_retention", sums["retained_gross"] / sums["then"], sums["then_accounts"], a_year_back),
    ):
        yield _Figure(kpi, value, n, when)


def _since(first: int, calendar: Calendar, earlier: int = 0) -> Array:
    """The periods that begin in the month of the first event or later, looked at so many months back."""
    slot = int(calendar.slot_of(np.array([first]))[0])
    return np.array([period.first - earlier >= slot for period in calendar.periods()])


def _over_periods(months: Array, calendar: Calendar) -> Array:
    return np.column_stack([months[:, period.first : period.last].sum(axis=1) for period in calendar.periods()])


def _added(parts: Sequence[Mapping[str, Array]]) -> dict[str, Array]:
    return {name: np.sum([part[name] for part in parts], axis=0) for name in parts[0]}


def _long(figures: Sequence[_Figure], as_of: datetime, periods: Sequence[Period], divisions: Divisions) -> pd.DataFrame:
    parts = [_rows(figure, periods, divisions) for figure in figures]
    empty = pd.DataFrame({name: pd.Series(dtype=object) for name in COLUMNS})
    table = pd.concat(parts, ignore_index=True) if parts else empty
    return table.assign(as_of=pd.Timestamp(as_of).tz_convert("UTC"))[list(COLUMNS)]


def _rows(figure: _Figure, periods: Sequence[Period], divisions: Divisions) -> pd.DataFrame:
    """Of a KPI that only the whole company has, the rows of the whole company alone."""
    reported = np.flatnonzero(figure.reported)
    groups = np.flatnonzero(~np.isnan(figure.n[:, reported]).all(axis=1))
    group, place = (part.ravel().tolist() for part in np.meshgrid(groups, reported, indexing="ij"))
    value = figure.value[group, place]
    return pd.DataFrame(
        {
            "kpi": figure.kpi,
            "period": [periods[at].kind for at in place],
            "period_start": [periods[at].start for at in place],
            "period_end": [periods[at].end for at in place],
            "dimension": [divisions.groups[at][0] for at in group],
            "member": [divisions.groups[at][1] for at in group],
            "value": np.where(np.isfinite(value), value, np.nan),
            "unit": KPIS[figure.kpi].unit,
            "n": figure.n[group, place].astype(np.int64),
        }
    )
