"""What a night rests on and what it has finished, in the operational database: what is noted is not done again."""

import json
from collections.abc import Callable, Mapping
from contextlib import nullcontext
from dataclasses import asdict, dataclass, field
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from features.errors import ExitCode, ForesailError
from serving.database.engine import reading, writing
from serving.database.tables import job_runs, job_steps

JOB = "nightly"
AGAIN = "again"
"""Noted of a night that is repeated: an earlier run may have left rows that are dated like its own."""

REFUSED = "refused"
"""Noted of what was posted and could not become part of the history: how many events, by stream and reason."""


class NightRefused(ForesailError):
    """The night cannot run for the moment that was asked for; the message says why and what to do."""

    exit_code = ExitCode.DATA


@dataclass(frozen=True)
class Pinned:
    """What a night rests on, fixed once its sources are read, so that it sees the same however often it is resumed.

    `versions` are those of the history by stream, `models` the version of each target's champion. `data_as_of` is the
    moment up to which every source was read, None where one never was; `failures` says by source what went wrong.
    """

    versions: Mapping[str, int]
    models: Mapping[str, str]
    data_as_of: datetime | None
    failures: Mapping[str, str]
    folded: int
    """Posted events that became part of the history."""
    effects: Mapping[str, str] = field(default_factory=dict)
    """By playbook the version of its learnt effect, where one was learnt."""

    def to_json(self) -> str:
        moment = self.data_as_of.isoformat() if self.data_as_of else None
        return json.dumps(asdict(self) | {"data_as_of": moment})

    @classmethod
    def from_json(cls, text: str) -> "Pinned":
        told = json.loads(text)
        moment = datetime.fromisoformat(told["data_as_of"]) if told["data_as_of"] else None
        return cls(**told | {"data_as_of": moment})


@dataclass(frozen=True)
class Journal:
    """The entries of one night. `clock` says when something was finished."""

    engine: sa.Engine
    as_of: datetime
    clock: Callable[[], datetime]
    _finished: set[tuple[str, str]] = field(default_factory=set)

    @classmethod
    def opened(cls, engine: sa.Engine, as_of: datetime, clock: Callable[[], datetime], *, again: bool) -> "Journal":
        """Of a night that may run: it is begun, or goes on where it stopped; with `again` a complete one begins anew.

        NightRefused for a moment in the future, which would keep out every night until then, and for one before a night
        that has run: scores, segments and moves follow each other in time.
        """
        if as_of > clock():
            raise NightRefused(f"{as_of:%Y-%m-%d %H:%M} UTC lies in the future: a night speaks for what is known")
        with writing(engine) as connection:
            latest = connection.execute(sa.select(sa.func.max(job_runs.c.as_of)).where(job_runs.c.job == JOB)).scalar()
            if latest is not None and latest > as_of:
                raise NightRefused(_is_later(latest, as_of))
            journal = cls(engine, as_of, clock)
            if again:
                journal._forget(connection)
            journal._begin(connection)
            if again:
                journal.note(AGAIN, within=connection)
            steps = connection.execute(sa.select(job_steps.c.step, job_steps.c.part).where(*journal._own(job_steps)))
            journal._finished.update((step, part) for step, part in steps)
        return journal

    @classmethod
    def last(cls, engine: sa.Engine, clock: Callable[[], datetime]) -> "Journal":
        """Of the last night, to be read only. NightRefused if there was none, or if it is not complete."""
        with reading(engine) as connection:
            newest = sa.select(job_runs).where(job_runs.c.job == JOB).order_by(job_runs.c.as_of.desc()).limit(1)
            night = connection.execute(newest).first()
        if night is None:
            raise NightRefused("no night has scored anybody yet; run `foresail nightly` first")
        if night.summary is None:
            raise NightRefused(
                f"the night of {night.as_of:%Y-%m-%d %H:%M} UTC is not complete; `foresail nightly` finishes it"
            )
        return cls(engine, night.as_of, clock)

    @property
    def summary(self) -> dict[str, Any] | None:
        """What the night did, once it is complete."""
        text = self._column(job_runs.c.summary)
        return None if text is None else dict(json.loads(text))

    @property
    def pinned(self) -> Pinned | None:
        text = self._column(job_runs.c.pinned)
        return None if text is None else Pinned.from_json(text)

    def pin(self, pinned: Pinned) -> None:
        """From now on the night rests on this."""
        with writing(self.engine) as connection:
            connection.execute(sa.update(job_runs).where(*self._own(job_runs)).values(pinned=pinned.to_json()))

    def end(self, summary: Mapping[str, Any]) -> None:
        """The night is complete; what the steps of it and of those before have noted serves nobody any more."""
        with writing(self.engine) as connection:
            connection.execute(sa.delete(job_steps).where(job_steps.c.job == JOB, job_steps.c.as_of <= self.as_of))
            ended = {"summary": json.dumps(summary), "ended_at": self.clock()}
            connection.execute(sa.update(job_runs).where(*self._own(job_runs)).values(ended))

    def has(self, step: str, part: int | str = "") -> bool:
        """Whether the part of a step is finished."""
        return (step, str(part)) in self._finished

    def note(self, step: str, part: int | str = "", outcome: Any = None, within: sa.Connection | None = None) -> None:
        """A part is finished, for the first time or again; `within` the transaction that did it, where it was one."""
        entry = {
            "job": JOB, "as_of": self.as_of, "step": step, "part": str(part), "ended_at": self.clock(),
            "outcome": None if outcome is None else json.dumps(outcome),
        }  # fmt: skip
        with nullcontext(within) if within is not None else writing(self.engine) as connection:
            is_it = (job_steps.c.step == step, job_steps.c.part == str(part))
            connection.execute(sa.delete(job_steps).where(*self._own(job_steps), *is_it))
            connection.execute(sa.insert(job_steps).values(entry))
        self._finished.add((step, str(part)))

    def outcomes(self, step: str) -> dict[str, Any]:
        """By part what a step found."""
        with reading(self.engine) as connection:
            found = connection.execute(
                sa.select(job_steps.c.part, job_steps.c.outcome).where(*self._own(job_steps), job_steps.c.step == step)
            ).all()
        return {part: json.loads(outcome) for part, outcome in found if outcome is not None}

    def has_night_before(self, moment: datetime) -> bool:
        """Whether there was a night before that moment."""
        with reading(self.engine) as connection:
            older = sa.select(job_runs.c.as_of).where(job_runs.c.job == JOB, job_runs.c.as_of < moment).limit(1)
            return connection.execute(older).first() is not None

    def _begin(self, connection: sa.Connection) -> None:
        known = connection.execute(sa.select(job_runs.c.as_of).where(*self._own(job_runs))).first()
        if known is None:
            connection.execute(sa.insert(job_runs).values(job=JOB, as_of=self.as_of, started_at=self.clock()))

    def _forget(self, connection: sa.Connection) -> None:
        for table in (job_steps, job_runs):
            connection.execute(sa.delete(table).where(*self._own(table)))

    def _column(self, column: sa.Column[Any]) -> Any:
        with reading(self.engine) as connection:
            return connection.execute(sa.select(column).where(*self._own(job_runs))).scalar_one()

    def _own(self, table: sa.Table) -> tuple[sa.ColumnElement[bool], ...]:
        return table.c.job == JOB, table.c.as_of == self.as_of


def _is_later(latest: datetime, as_of: datetime) -> str:
    return (
        f"the night of {latest:%Y-%m-%d %H:%M} UTC has been begun, and {as_of:%Y-%m-%d %H:%M} lies before it: scores, segments "
        "and moves follow each other in time. Take that moment or a later one; `foresail score` answers for any moment"
    )
