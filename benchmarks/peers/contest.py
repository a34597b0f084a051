"""The question of `accuracy.py`, as every contender gets it: one folder of plain files, which NumPy alone can read.

Nobody is given the labels that he is judged by: those of the test rows are NaN in the folder.
"""

import json
import sys
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
from measure import once

MOST_ROUNDS, PATIENCE = 600, 60
"""Of boosting, for everybody: trees at most, and how long without gain on the later fold until it stops."""
FARTHEST = 1e-12


@dataclass(frozen=True)
class Dates:
    """Microseconds since 1970, UTC. A fold learns from `train` and is judged at `at`; the test learns from all of `train`."""

    train: tuple[int, ...]
    folds: tuple[tuple[tuple[int, ...], int], ...]
    test: int
    horizon_days: float


@dataclass(frozen=True)
class Contest:
    """Rows of accounts at dates, alike for all: our features, who it is, when, and what happened (NaN at the test)."""

    folder: Path
    features: list[str]
    matrix: np.ndarray
    labels: np.ndarray
    account_id: np.ndarray
    as_of: np.ndarray
    dates: Dates

    @classmethod
    def read(cls, folder: Path) -> "Contest":
        """What `write` wrote."""
        rows = np.load(folder / "rows.npz")
        said = json.loads((folder / "contest.json").read_text())
        folds = tuple((tuple(train), at) for train, at in said["folds"])
        dates = Dates(tuple(said["train"]), folds, said["test"], said["horizon_days"])
        names = ("matrix", "labels", "account_id", "as_of")
        return cls(folder, said["features"], *(rows[name] for name in names), dates)

    def write(self) -> None:
        """Into its folder; the test's labels stay behind."""
        hidden = np.where(self.as_of == self.dates.test, np.nan, self.labels)
        np.savez(
            self.folder / "rows.npz", matrix=self.matrix, labels=hidden, account_id=self.account_id, as_of=self.as_of
        )
        (self.folder / "contest.json").write_text(json.dumps({"features": self.features, **asdict(self.dates)}))

    def at(self, *dates: int) -> np.ndarray:
        """Which rows are of these dates."""
        return np.isin(self.as_of, dates)

    @property
    def streams(self) -> dict[str, Path]:
        """The raw events by stream, for those who make features of their own; empty for a flat table."""
        return {path.stem: path for path in sorted((self.folder / "streams").glob("*.parquet"))}


@dataclass(frozen=True)
class Curve:
    """How a fold went: its later log loss after every round, and what the first so many rounds say of its later rows."""

    losses: Sequence[float]
    rows: int


def rounds(curves: Sequence[Curve]) -> int:
    """As ours are chosen: where the loss over all folds together is lowest."""
    shared = min(len(curve.losses) for curve in curves)
    return int(np.argmin(sum(np.asarray(curve.losses[:shared]) * curve.rows for curve in curves))) + 1


def log_odds(probability: np.ndarray) -> np.ndarray:
    safe = np.clip(probability, FARTHEST, 1.0 - FARTHEST)
    return np.log(safe) - np.log1p(-safe)


Predict = Callable[[int, np.ndarray], np.ndarray]
"""Probabilities of the rows (a mask) after the first so many rounds."""
Fit = Callable[[np.ndarray, np.ndarray | None, int], tuple[Sequence[float], Predict]]
"""Learn from the rows of a mask, watching those of another (or none), in so many rounds at most: losses, and who predicts."""


def boosted(contest: Contest, fit: Fit) -> list[np.ndarray]:
    """The log-odds of every fold's later rows and of the test's, with the rounds that were best on the folds together."""
    dates, curves, predictions = contest.dates, [], []
    for train, at in dates.folds:
        losses, predict = fit(contest.at(*train), contest.at(at), MOST_ROUNDS)
        curves.append(Curve(losses, int(contest.at(at).sum())))
        predictions.append((predict, contest.at(at)))
    best = rounds(curves)
    _, final = fit(contest.at(*dates.train), None, best)
    predictions.append((final, contest.at(dates.test)))
    return [log_odds(predict(best, rows)) for predict, rows in predictions]


def answer(who: str, work: Callable[[Contest], list[np.ndarray] | dict[str, list[np.ndarray]]]) -> None:
    """Answer the contest named on the command line: FOLDER OUT.npz RUN.json. Reading the folder is not measured.

    The answer holds log-odds of each fold's later rows and of the test's rows, under one name or several, and the accounts of
    the latter.
    """
    folder, answered, figures = sys.argv[1:]
    contest = Contest.read(Path(folder))
    run = once(work, contest)
    said = run.answer if isinstance(run.answer, dict) else {who: run.answer}
    margins = {f"{name}/{part}": margin for name, parts in said.items() for part, margin in enumerate(parts)}
    np.savez(answered, account_id=contest.account_id[contest.at(contest.dates.test)], **margins)
    taken = {"seconds": run.seconds, "cpu_seconds": run.cpu_seconds, "peak_mb": run.peak_mb}
    Path(figures).write_text(json.dumps(taken))
