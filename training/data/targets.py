"""What is predicted: who is eligible at as_of, and what counts as having happened by the end of the horizon.

A label is the only thing in this project that may look past its as_of, and only up to the moment `known_by` that
the training (or the evaluation) speaks for. Returns are not orders.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from datetime import datetime, timedelta
from typing import Any, ClassVar, Literal

import numpy as np
import pandas as pd

from features.arrays import Floats
from features.definitions import Feature, difference, events
from features.engine.table import build_feature_table
from features.errors import ExitCode, ForesailError
from features.families.contracts import changed, newest, running, uncancelled
from features.families.eligibility import Population, had_purchase, of_target
from features.families.purchases import YEAR, amount, came_since, order_lines, since_first, since_last
from features.history.store import History
from features.timestamps import in_utc
from registry import target_kinds
from registry.target_kinds import AnswerKind

FEWEST_OF_A_SEASON = 50
"""Accounts; one alone would make a season of its own."""
LEAST_SEEN = 90
"""In days: an account younger than that has shown too little to scale up to a year."""


class HorizonOpen(ForesailError, ValueError):
    """A label was asked for before its horizon had closed."""

    exit_code = ExitCode.MODEL


@dataclass(frozen=True)
class Target(ABC):
    """What all targets have in common.

    `band_medium` and `band_high` are the percentiles from which an account's band is medium and high. Accounts whose
    first order is less than `min_tenure_days` ago are not scored.
    """

    kind: ClassVar[str]
    answer: ClassVar[AnswerKind] = "probability"
    stream: ClassVar[str] = "purchases"
    """The stream without which there is nothing to learn from."""
    happened: ClassVar[str]
    """The verb for label 1: 205 of them …"""
    kept: ClassVar[str] = "did not"
    before_as_known_later: ClassVar[bool] = False
    """Whether what the label compares with is the truth about as_of, or what was known then."""

    name: str
    horizon_days: int
    active_within_days: int | None = None
    band_medium: float = 0.70
    band_high: float = 0.90
    min_tenure_days: int = 0

    def __post_init__(self) -> None:
        for setting in ("horizon_days", "active_within_days"):
            days = getattr(self, setting)
            if days is not None and days < 1:
                raise ValueError(f"target '{self.name}': {setting} is {days}; give at least one day")
        if not 0 < self.band_medium < self.band_high < 1:
            bands = f"{self.band_medium} and {self.band_high}"
            raise ValueError(
                f"target '{self.name}': band_medium and band_high are {bands}; they must rise between 0 and 1"
            )

    @property
    def horizon(self) -> timedelta:
        """How far a label looks forward from as_of."""
        return timedelta(days=self.horizon_days)

    @property
    def closes_after(self) -> timedelta:
        """How long after as_of the label is known."""
        return self.horizon

    @property
    def population(self) -> Population:
        """Who may be scored: churned accounts may not."""
        return of_target({**asdict(self), "kind": self.kind})

    @property
    def definition(self) -> str:
        """The target in words for people who read a score."""
        return f"{self.outcome}; eligible: {self._eligible}{self._tenure}"

    @property
    @abstractmethod
    def outcome(self) -> str:
        """What label 1, or the label's number, says."""

    @property
    @abstractmethod
    def after(self) -> tuple[Feature, ...]:
        """What of the time up to the horizon's end the label is made from, computed at that end."""

    @property
    def before(self) -> tuple[Feature, ...]:
        """What the label compares with, computed at as_of."""
        return ()

    @abstractmethod
    def label(self, after: pd.DataFrame, before: pd.DataFrame | None) -> Floats:
        """One number a row of `after`; `before` has the same rows, NaN for an account not yet known at as_of."""

    @property
    def _eligible(self) -> str:
        window = f"in (as_of − {self.active_within_days} days, as_of]" if self.active_within_days else "by as_of"
        return f"at least one order {window}"

    @property
    def _tenure(self) -> str:
        return f", the first of them {self.min_tenure_days} days ago or longer" if self.min_tenure_days else ""

    @property
    def _window(self) -> str:
        return f"in (as_of, as_of + {self.closes_after.days} days]"

    def closed(self, as_of: datetime, known_by: datetime) -> bool:
        """Whether all that the label looks at lies in the past of `known_by`."""
        return in_utc(as_of) + self.closes_after <= in_utc(known_by)

    def labels(
        self,
        history: History,
        as_of: Sequence[datetime],
        known_by: datetime,
        progress: Callable[[int, int], None] | None = None,
    ) -> "pd.Series[float]":
        """The label of every account known at the end of each horizon, eligible or not.

        1.0 and 0.0 where the answer is a probability; an amount; or days, infinite where nothing happened within the
        horizon. Indexed by (account_id, as_of in UTC) with the as_of that the label belongs to, not the end of its
        horizon. Uses nothing known after `known_by`; HorizonOpen if a horizon reaches beyond it.
        """
        as_of, known_by = [in_utc(each) for each in as_of], in_utc(known_by)
        self._refuse_open_horizons(as_of, known_by)
        ends = [moment + self.closes_after for moment in as_of]
        after = build_feature_table(history, ends, self.after, leak_until=known_by, progress=progress)
        accounts = after.index.get_level_values("account_id")
        starts = pd.DatetimeIndex(after.index.get_level_values("as_of")) - self.closes_after
        after.index = pd.MultiIndex.from_arrays([accounts, starts], names=["account_id", "as_of"])
        until = known_by if self.before_as_known_later else None
        before = build_feature_table(history, as_of, self.before, leak_until=until) if self.before else None
        before = None if before is None else before.reindex(after.index)
        return pd.Series(self.label(after, before), index=after.index, name=self.name)

    def _refuse_open_horizons(self, as_of: Sequence[datetime], known_by: datetime) -> None:
        for moment in as_of:
            if not self.closed(moment, known_by):
                raise HorizonOpen(
                    f"target '{self.name}' at {moment.isoformat()}: its horizon of {self.closes_after.days} days closes at "
                    f"{(moment + self.closes_after).isoformat()}, after {known_by.isoformat()}, up to which history is used",
                    f"Take an as_of no later than {(known_by - self.closes_after).isoformat()}.",
                )

    def to_json(self) -> dict[str, Any]:
        """What the registered model's card keeps of the target, its definition in words included."""
        fixed = {"kind": self.kind, "answer": self.answer, "happened": self.happened}
        return {**asdict(self), **fixed, "definition": self.definition}


@dataclass(frozen=True)
class _WithGrace(Target):
    """What counts as lost only if it has not come back by some days after the horizon."""

    grace_days: int = 0
    """The label is taken that much after the horizon: an order, or a renewal, that comes late still counts as in time."""

    @property
    def closes_after(self) -> timedelta:
        """The grace has to be waited for."""
        return self.horizon + timedelta(days=self.grace_days)


@dataclass(frozen=True)
class ChurnTarget(_WithGrace):
    """An account churns when it orders nothing in (as_of, as_of + horizon + grace]."""

    kind = target_kinds.CHURN
    happened, kept = "churned", "stayed"

    @property
    def outcome(self) -> str:
        return f"churned: no order {self._window}"

    @property
    def after(self) -> tuple[Feature, ...]:
        return (had_purchase(self.closes_after.days),)

    def label(self, after: pd.DataFrame, before: pd.DataFrame | None) -> Floats:  # noqa: ARG002  # as the base says
        return _truth(after[self.after[0].name] == 0)


@dataclass(frozen=True)
class ContractChurnTarget(_WithGrace):
    """A contract ends without renewal, or notice is given, in (as_of, as_of + horizon + grace].

    Of an account with several contracts one is enough. A contract that renews itself does not end by its date passing. One
    that had ended before as_of does not count; one that is renewed late as another ends in the same horizon hides it.
    """

    kind = target_kinds.CONTRACT_CHURN
    stream = "contracts"
    happened, kept = "left a contract", "kept it"
    before_as_known_later = True

    @property
    def outcome(self) -> str:
        return f"left: a contract ended without renewal, or notice was given, {self._window}"

    @property
    def after(self) -> tuple[Feature, ...]:
        notices = newest.where(kind="cancelled").count(days=self.closes_after.days)
        return (_label("notice", notices, "contracts"), _LAPSED)

    @property
    def before(self) -> tuple[Feature, ...]:
        return (_LAPSED,)

    def label(self, after: pd.DataFrame, before: pd.DataFrame | None) -> Floats:
        lapsed = after[_LAPSED.name] > _required(before)[_LAPSED.name].fillna(0.0)
        return _truth((after["label_notice"] > 0) | lapsed)

    @property
    def _eligible(self) -> str:
        return f"a contract in force that ends within {self.horizon_days} days, or runs on without an end"


@dataclass(frozen=True)
class _PaceTarget(Target):
    """What compares the orders of the horizon with what the account's own year lets expect.

    Expected is the account's yearly pace (ordered in the 365 days before as_of; of a younger account scaled up, as if it
    were 90 days old at least) × the share of a year that falls to the horizon: by the calendar, or, if `seasonal`, as
    large as that stretch of last year's calendar was in the orders of all accounts that are older than a year and still
    buy, if there are fifty of them: those who have stopped bought more at the year's beginning whatever the season.
    """

    share: float = 0.5
    """How far the orders lie from what was expected before it counts: 0.5 is half as much, or half as much again."""
    seasonal: bool = True

    def __post_init__(self) -> None:
        super().__post_init__()
        if not self.share > 0:
            raise ValueError(f"target '{self.name}': share is {self.share}; give a share above 0, like 0.5")

    @property
    def _expected(self) -> str:
        season = "season of last year" if self.seasonal else "calendar"
        return f"its own pace of the last 365 days leads to expect by the {season}"

    @property
    def after(self) -> tuple[Feature, ...]:
        return (_label("ordered", amount(self.horizon_days), "currency"),)

    @property
    def before(self) -> tuple[Feature, ...]:
        days = min(self.horizon_days, YEAR)
        season = amount(days, lag_days=YEAR - days)
        return (
            _SINCE_FIRST,
            _SINCE_LAST,
            _label("year", amount(YEAR), "currency"),
            _label("season", season, "currency"),
        )

    def expected(self, before: pd.DataFrame) -> Floats:
        """What each row would order in the horizon if it went on as it did, (rows,); 0 where it ordered nothing."""
        since = before[_SINCE_FIRST.name].to_numpy()
        pace = before["label_year"].to_numpy() * YEAR / np.clip(since, LEAST_SEEN, YEAR)
        shares = before.groupby(level="as_of", sort=False).apply(self._season)
        share = before.index.get_level_values("as_of").map(shares.to_dict()).to_numpy(dtype=np.float64)
        return np.where(np.isnan(since), 0.0, np.maximum(pace * share, 0.0))

    def _season(self, date: pd.DataFrame) -> float:
        """The share of a year that falls to the horizon."""
        by_calendar = self.horizon_days / YEAR
        old = date[(date[_SINCE_FIRST.name] >= YEAR) & (date[_SINCE_LAST.name] < LEAST_SEEN)]
        year = old["label_year"].sum()
        seasonal = self.seasonal and self.horizon_days <= YEAR and len(old) >= FEWEST_OF_A_SEASON and year > 0
        return float(old["label_season"].sum() / year) if seasonal else by_calendar


@dataclass(frozen=True)
class ContractionTarget(_PaceTarget):
    """An account contracts when it orders less than (1 − share) of what its own pace leads to expect."""

    kind = target_kinds.CONTRACTION
    happened = "contracted"

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.share >= 1:
            raise ValueError(
                f"target '{self.name}': share is {self.share}; less than nothing cannot be ordered, give below 1"
            )

    @property
    def outcome(self) -> str:
        return f"contracted: ordered less than {1 - self.share:.0%} {self._window} of what {self._expected}"

    def label(self, after: pd.DataFrame, before: pd.DataFrame | None) -> Floats:
        return _truth(after["label_ordered"] < (1.0 - self.share) * self.expected(_required(before)))


@dataclass(frozen=True)
class UpsellTarget(_PaceTarget):
    """An account grows when it orders more than (1 + share) of what its own pace leads to expect, or upgrades a contract."""

    kind = target_kinds.UPSELL
    happened = "grew"

    @property
    def outcome(self) -> str:
        more = f"ordered more than {1 + self.share:.0%} {self._window} of what {self._expected}"
        return f"grew: {more}, or upgraded a contract"

    @property
    def after(self) -> tuple[Feature, ...]:
        upgrades = changed("upgraded").count(days=self.horizon_days)
        return (*super().after, _label("upgrades", upgrades, "contracts"))

    def label(self, after: pd.DataFrame, before: pd.DataFrame | None) -> Floats:
        ordered = after["label_ordered"]
        more = (ordered > 0) & (ordered > (1.0 + self.share) * self.expected(_required(before)))
        return _truth(more | (after["label_upgrades"] > 0))


@dataclass(frozen=True)
class CrossSellTarget(Target):
    """An account buys from a category that it has not bought from for `lookback_days`; with `category`, from that one."""

    kind = target_kinds.CROSS_SELL
    happened = "bought from a new category"

    category: str | None = None
    lookback_days: int = YEAR

    @property
    def outcome(self) -> str:
        what = f"from {self.category}" if self.category else "from a category"
        return f"bought {what} {self._window} that it had not bought from for {self.lookback_days} days"

    @property
    def _eligible(self) -> str:
        lately = f", none of it from {self.category} in (as_of − {self.lookback_days} days, as_of]"
        return super()._eligible + (lately if self.category else "")

    @property
    def after(self) -> tuple[Feature, ...]:
        if self.category is None:
            return (_label("new", came_since("category", self.horizon_days, self.lookback_days), "categories"),)
        of_it = events("purchases", kind="order", category=self.category)
        return (_label("new", of_it.count(days=self.horizon_days), "lines"),)

    def label(self, after: pd.DataFrame, before: pd.DataFrame | None) -> Floats:  # noqa: ARG002  # as the base says
        return _truth(after["label_new"] > 0)


@dataclass(frozen=True)
class ValueTarget(Target):
    """What an account orders in (as_of, as_of + horizon], returns and cancellations taken off; or the margin of its orders."""

    kind = target_kinds.VALUE
    answer = "amount"
    happened = "ordered"

    measure: Literal["amount", "margin"] = "amount"

    @property
    def outcome(self) -> str:
        what = (
            "the margin of what is ordered"
            if self.measure == "margin"
            else "what is ordered, less what is returned or cancelled,"
        )
        return f"value: {what} {self._window}"

    @property
    def after(self) -> tuple[Feature, ...]:
        days = self.horizon_days
        if self.measure == "margin":
            return (_label("value", order_lines.sum("margin", days=days), "currency"),)
        # What is returned or cancelled is a negative amount.
        return (_label("value", events("purchases").sum("amount", days=days), "currency"),)

    def label(self, after: pd.DataFrame, before: pd.DataFrame | None) -> Floats:  # noqa: ARG002  # as the base says
        return after["label_value"].to_numpy(dtype=np.float64)

    @property
    def _eligible(self) -> str:
        return super()._eligible if self.active_within_days else "every account that is known"


@dataclass(frozen=True)
class NextOrderTarget(Target):
    """Days from as_of until the next order; infinite (censored) if none comes within the horizon."""

    kind = target_kinds.NEXT_ORDER
    answer = "days"
    happened = "ordered"

    @property
    def outcome(self) -> str:
        return f"days until the next order, followed for {self.horizon_days} days"

    @property
    def after(self) -> tuple[Feature, ...]:
        return (_label("since_next", order_lines.days_since_first(days=self.horizon_days), "days"),)

    def label(self, after: pd.DataFrame, before: pd.DataFrame | None) -> Floats:  # noqa: ARG002  # as the base says
        since_next = after["label_since_next"].to_numpy(dtype=np.float64)
        return np.where(np.isnan(since_next), np.inf, self.horizon_days - since_next)

    @property
    def _eligible(self) -> str:
        return f"{super()._eligible}, and two orders at least"


TARGETS: Mapping[str, type[Target]] = {
    each.kind: each
    for each in (
        ChurnTarget, ContractChurnTarget, ContractionTarget, UpsellTarget, CrossSellTarget, ValueTarget, NextOrderTarget,
    )
}  # fmt: skip
"""Every kind of target."""


def target_from(card: Mapping[str, Any]) -> Target:
    """The target of a card, or of a table of the project file with its name; its words are written anew.

    ValueError for an unknown kind.
    """
    if card["kind"] not in TARGETS:
        raise ValueError(f"the target's kind is '{card['kind']}'; it must be one of {', '.join(TARGETS)}")
    of_kind = TARGETS[card["kind"]]
    settings = {field.name for field in fields(of_kind)}
    return of_kind(**{key: value for key, value in card.items() if key in settings})


def _label(name: str, definition: Any, unit: str) -> Feature:
    return Feature(f"label_{name}", definition, f"{name}, for a label", unit, "0, or nothing of the kind")


_SINCE_LAST = _label("since_last", since_last, "days")
_SINCE_FIRST = _label("since_first", since_first, "days")
_SELF_RENEWING = difference(
    uncancelled.where(term="fixed", renewal="automatic").count(), running.where(renewal="automatic").count()
)
_ENDED = difference(uncancelled.where(term="fixed").count(), running.count())
_LAPSED = _label("lapsed", difference(_ENDED, _SELF_RENEWING), "contracts")
"""Contracts whose end has passed by then, neither renewed nor cancelled nor of the kind that renews itself."""


def _truth(happened: Any) -> Floats:
    return np.asarray(happened, dtype=np.float64)


def _required(before: pd.DataFrame | None) -> pd.DataFrame:
    """The comparison that a target with `before` is always given."""
    if before is None:
        raise ValueError("this target compares with what was known at as_of, and was given nothing of it")
    return before
