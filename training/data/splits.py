"""Which as_of dates a model learns from, is chosen on, and is judged on: always apart by a whole horizon.

A label at `as_of` is what happened in (as_of, as_of + horizon]. A model that is to be judged at `fold.at` as it would
have been then may only know labels whose horizon had closed by that moment, so every date in `fold.train` ends its
horizon at or before `fold.at`. The test date's labels take part in no choice.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from features.errors import ExitCode, ForesailError
from features.timestamps import in_utc


class NotEnoughHistory(ForesailError, ValueError):
    """The history is too short to train on one horizon and be judged on another."""

    exit_code = ExitCode.MODEL


@dataclass(frozen=True)
class Fold:
    """Train on labels of `train`, judge at `at`, as one would have stood there."""

    train: tuple[datetime, ...]
    at: datetime


@dataclass(frozen=True)
class Split:
    """All dates oldest first: `folds` serve every choice, `train` the model that is judged at `test`.

    `closed` serves the registered model, which may learn from every horizon that has closed: the test date's, and
    those of the dates between, which had not closed when the test date stood.
    """

    train: tuple[datetime, ...]
    folds: tuple[Fold, ...]
    test: datetime
    closed: tuple[datetime, ...]
    notes: tuple[str, ...] = ()
    """What could not be done as usual, and why, in words for the report."""

    @property
    def calibrate(self) -> tuple[datetime, ...]:
        """The dates whose out-of-time margins calibration is chosen and fitted on."""
        return tuple(fold.at for fold in self.folds)


def as_of_dates(
    trained_as_of: datetime,
    horizon: timedelta,
    every: timedelta,
    dates: int,
    first_known: datetime,
    min_history: timedelta,
) -> tuple[datetime, ...]:
    """At most `dates` as_of dates, oldest first: the newest whose horizon has closed, and steps back from it.

    All in UTC. No date has less than `min_history` of history before it. NotEnoughHistory if none is left.
    """
    trained_as_of, first_known = in_utc(trained_as_of), in_utc(first_known)
    newest, oldest = trained_as_of - horizon, first_known + min_history
    if newest < oldest:
        raise NotEnoughHistory(_too_short(trained_as_of, horizon, first_known, min_history))
    steps = min(dates, (newest - oldest) // every + 1)
    return tuple(newest - step * every for step in reversed(range(steps)))


def split(dates: Sequence[datetime], horizon: timedelta) -> Split:
    """The newest date is the test; dates whose horizon has closed by then are for training and for the folds.

    NotEnoughHistory if none had closed before the test.
    """
    *earlier, test = sorted(map(in_utc, dates))
    train = tuple(date for date in earlier if date + horizon <= test)
    if not train:
        raise NotEnoughHistory(
            f"the newest date with a closed horizon is {test:%Y-%m-%d}, and no earlier one ({_listed(earlier)}) had closed its "
            f"horizon of {horizon.days} days by then",
            "Train as of a later date, or shorten horizon_days or min_history_days.",
        )
    folds = rolling_origin(train, horizon)
    return Split(train, folds, test, (*earlier, test), _notes(folds))


def rolling_origin(dates: Sequence[datetime], horizon: timedelta) -> tuple[Fold, ...]:
    """A fold at every date that had labels to learn from by then; oldest first, possibly none."""
    usable = ((tuple(date for date in dates if date + horizon <= at), at) for at in sorted(dates))
    return tuple(Fold(train, at) for train, at in usable if train)


def _notes(folds: Sequence[Fold]) -> tuple[str, ...]:
    if folds:
        return ()
    return ("history is too short for a fold before the test date: nothing could be chosen by out-of-time evidence",)


def _too_short(trained_as_of: datetime, horizon: timedelta, first_known: datetime, min_history: timedelta) -> str:
    possible = first_known + min_history + 2 * horizon
    return (
        f"trained as of {trained_as_of:%Y-%m-%d}, the newest date with a closed horizon of {horizon.days} days is "
        f"{trained_as_of - horizon:%Y-%m-%d}, but history begins on {first_known:%Y-%m-%d} and {min_history.days} days of it must "
        f"lie before a date. Train as of {possible:%Y-%m-%d} or later, or shorten horizon_days or min_history_days."
    )


def _listed(dates: Sequence[datetime]) -> str:
    return ", ".join(f"{date:%Y-%m-%d}" for date in dates) or "there is none"
