"""The truth as tables: what will happen to each account, how it stands, what acting would do, what would be best.

The pipeline never reads them. Moments are midnights UTC: what happened before is history, what comes after is open.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, time, timedelta

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from features.arrays import Array
from foresail.simulation.exports.exports import account_ids
from foresail.simulation.truth.allocation import best
from foresail.simulation.world import dynamics, projections
from foresail.simulation.world.histories import Histories
from foresail.simulation.world.projections import Chances, Course, Effects
from foresail.simulation.world.settings import Settings

MOMENT = pa.timestamp("us", tz="UTC")
KINDS = ("persuadable", "safe", "lost", "annoyed", "unmoved")
"""What acting on an account would come to, judged by its probability of churn without and with it."""
YEAR, LEAST_SEEN = 365, 90
"""In days."""
MATTERS, SAFE, LOST = 0.02, 0.10, 0.60


@dataclass(frozen=True)
class TruthTables:
    """What is known of a block of accounts at all moments."""

    targets: pa.Table
    states: pa.Table
    effects: pa.Table


def days_of(settings: Settings) -> tuple[int, ...]:
    """The moments for which the truth is told, as days counted from the first, oldest first."""
    return tuple(sorted({settings.company.days - before for before in settings.truth.days_before_end}))


def courses_of(settings: Settings) -> list[Course]:
    """What is to be known of the futures of any block, for each moment."""
    return [projections.course_from(settings, day) for day in days_of(settings)]


def moment_of(settings: Settings, day: int) -> datetime:
    """The moment at which a day begins."""
    return datetime.combine(settings.company.start + timedelta(days=day), time(), UTC)


def tables(settings: Settings, histories: Histories, courses: Sequence[Course]) -> TruthTables:
    """The truth about a block of accounts at the moments of `courses_of`."""
    parts = [
        _tables_at(settings, histories, states, course)
        for states, course in zip(histories.states, courses, strict=True)
    ]
    return TruthTables(*(pa.concat_tables([part[which] for part in parts]) for which in range(3)))


def _tables_at(
    settings: Settings, histories: Histories, states: Array, course: Course
) -> tuple[pa.Table, pa.Table, pa.Table]:
    day = course.at
    here = np.flatnonzero(histories.accounts.made["first_day"] < day)
    ids, moment = account_ids(histories.accounts.numbers), moment_of(settings, day)
    spent = yearly_pace(histories, day)
    chances = projections.chances(settings, histories.accounts, states, spent, course)
    effects = projections.effects(settings, histories.accounts, states, course)
    return (
        _targets(settings, ids, here, moment, states, chances, spent, day),
        _states(ids, here, moment, states, day),
        _effects(settings, ids, moment, effects),
    )


def yearly_pace(histories: Histories, day: int) -> Array:
    """What each account orders in a year, by the 365 days before a day: what contraction and upsell are measured by.

    Of an account that has been one for less than a year it is scaled up, as if it had been one for 90 days at least.
    """
    events = histories.events
    lines = events[(events["kind"] == dynamics.ORDER_LINE) & (events["day"] < day) & (events["day"] >= day - YEAR)]
    spent = np.bincount(lines["account"], lines["amount"], minlength=len(histories.accounts))
    seen = np.clip(day - np.maximum(histories.accounts.made["first_day"], 0), LEAST_SEEN, YEAR)
    pace: Array = spent * YEAR / seen
    return pace


def active(settings: Settings, states: Array, day: int) -> Array:
    """Accounts that ordered within `active_days`, which is who may be scored for churn."""
    known: Array = (states["orders"] > 0) & (states["last_order"] >= day - settings.truth.active_days)
    return known


def _keys(ids: pa.Array, rows: Array, moment: datetime) -> dict[str, pa.Array]:
    return {"account_id": ids.take(pa.array(rows)), "as_of": pa.array([moment] * len(rows), MOMENT)}


def _targets(
    settings: Settings,
    ids: pa.Array,
    here: Array,
    moment: datetime,
    states: Array,
    chances: Chances,
    spent: Array,
    day: int,
) -> pa.Table:
    gone = states["left"][here] >= 0
    columns = {
        name: np.where(gone, lost, getattr(chances, name)[here])
        for name, lost in (
            ("churn", 1.0), ("churn_error", 0.0), ("contraction", spent[here] > 0), ("upsell", 0.0), ("cross_sell", 0.0),
            ("contract_churn", 0.0), ("value", 0.0), ("value_error", 0.0),
        )
    }  # fmt: skip
    next_order = np.where(gone[:, None], np.inf, chances.next_order[here])
    return pa.table(
        {
            **_keys(ids, here, moment),
            "active": active(settings, states, day)[here],
            "in_contract": states["contract_ends"][here] >= day,
            "yearly_pace": spent[here],
            **columns,
            **{f"next_order_p{int(100 * share)}": next_order[:, at] for at, share in enumerate(projections.QUANTILES)},
        }
    )


def _states(ids: pa.Array, here: Array, moment: datetime, states: Array, day: int) -> pa.Table:
    named = ("satisfaction", "rival", "budget", "boost", "wear")
    return pa.table(
        {
            **_keys(ids, here, moment),
            **{name: states[name][here] for name in named},
            "has_left": states["left"][here] >= 0,
            "days_since_order": (day - states["last_order"][here]).astype(np.int32),
        }
    )


def _effects(settings: Settings, ids: pa.Array, moment: datetime, effects: Effects) -> pa.Table:
    """One row per account and playbook that may be begun with it."""
    account, playbook = np.nonzero(~np.isnan(effects.churn))
    costs = np.array([one.cost for one in settings.playbooks.values()])
    change, before = effects.churn[account, playbook], effects.churn_without[account, playbook]
    value = effects.value[account, playbook]
    return pa.table(
        {
            **_keys(ids, account, moment),
            "playbook": pa.DictionaryArray.from_arrays(
                pa.array(playbook, pa.int32()), pa.array(list(settings.playbooks))
            ).dictionary_decode(),
            "churn_without": before,
            "churn_change": change,
            "churn_change_error": effects.churn_error[account, playbook],
            "value_change": value,
            "value_change_error": effects.value_error[account, playbook],
            "net": settings.orders.margin * value - costs[playbook],
            "kind": pa.array(np.array(KINDS)[_kinds(before, change)]),
        }
    )


def _kinds(before: Array, change: Array) -> Array:
    """Annoyed where acting makes it likelier to churn; persuadable where it helps; else safe, lost, or simply unmoved."""
    moved = np.where(change > MATTERS, 3, 0)
    still = np.select([before <= SAFE, before >= LOST], [1, 2], 4)
    kinds: Array = np.where(np.abs(change) > MATTERS, moved, still)
    return kinds


def best_allocation(settings: Settings, effects: pa.Table) -> pa.Table:
    """For each moment who should get what: one row per account that should be acted on."""
    parts, names = [], list(settings.playbooks)
    for moment in effects["as_of"].unique().to_pylist():
        rows = effects.filter(pc.equal(effects["as_of"], pa.scalar(moment, MOMENT)))
        accounts = rows["account_id"].combine_chunks().dictionary_encode()
        net = np.full((len(accounts.dictionary), len(names)), np.nan)
        encoded = rows["playbook"].combine_chunks().dictionary_encode()
        at = np.array([names.index(name) for name in encoded.dictionary.to_pylist()])[encoded.indices.to_numpy()]
        net[accounts.indices.to_numpy(), at] = rows["net"].to_numpy()
        found = best(net, capacities(settings))
        chosen = np.flatnonzero(found.playbook >= 0)
        parts.append(
            pa.table(
                {
                    **_keys(accounts.dictionary, chosen, moment),
                    "playbook": pa.array([names[number] for number in found.playbook[chosen]], pa.string()),
                    "net": net[chosen, found.playbook[chosen]],
                }
            )
        )
    return pa.concat_tables(parts) if parts else effects.select(["account_id", "as_of", "playbook", "net"])


def capacities(settings: Settings) -> Array:
    """How many accounts each playbook can be begun with at one moment."""
    return np.array(
        [
            max(1, round(one.capacity * settings.company.accounts)) if one.capacity > 0 else 0
            for one in settings.playbooks.values()
        ],
        dtype=np.int64,
    )


def lifetimes(settings: Settings, histories: Histories) -> pa.Table:
    """When each account began and left: one row per account, whatever became of it."""
    made, left = histories.accounts.made, histories.end["left"]
    start = moment_of(settings, 0)
    microseconds = np.int64(start.timestamp() * 1_000_000)
    day = 86_400_000_000
    return pa.table(
        {
            "account_id": account_ids(histories.accounts.numbers),
            "joined_at": pa.array(microseconds + made["first_day"].astype(np.int64) * day, MOMENT),
            "left_at": pa.array(microseconds + (left.astype(np.int64) + 1) * day - 1, MOMENT, mask=left < 0),
            "orders": histories.end["orders"],
            "ordered": histories.end["spent"],
        }
    )
