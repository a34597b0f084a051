"""LightGBM's settings searched on the folds, for as long as somebody is willing to wait.

Trial 0 is the defaults, so the best of all trials is never worse than they are on the folds. That alone would choose
by luck among many: the winner serves only where it beats the defaults beyond noise. The test date has no part in it.
The bootstrap of that comparison does not know how many trials there were, so a narrow win may still be luck; what the
chosen settings are worth is for the test date to say.

A search goes trial by trial and each proposal rests on the results before it, so the same data, seed and number of
trials give the same trials. A budget in seconds ends wherever the machine has got to: the number of trials that it
came to is recorded, and giving that number instead repeats it.
"""

import json
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from features.arrays import Floats
from registry.model_code import model_code
from training.data.dataset import Dataset
from training.metrics.probabilities import log_losses
from training.models.boosting import BoostedRung
from training.models.choice import Candidate, Choice, simplest_within_noise
from training.models.rung import Fitted, FoldData, Rung

if TYPE_CHECKING:
    import optuna

Tell = Callable[[int, int, str], None]
"""Done and in all (trials, or seconds of a time budget), and the best so far in words."""

SPACE: Mapping[str, tuple[float, float, bool]] = {
    "learning_rate": (0.01, 0.2, True),
    "num_leaves": (3, 63, True),
    "min_data_in_leaf": (5, 300, True),
    "feature_fraction_bynode": (0.1, 1.0, False),
    "bagging_fraction": (0.4, 1.0, False),
    "lambda_l2": (0.1, 200.0, True),
    "path_smooth": (0.1, 100.0, True),
}
"""Lowest, highest, and whether on a log scale. The number of rounds is found for every trial by itself."""

WHOLE = ("num_leaves", "min_data_in_leaf")
UNPRUNED_TRIALS = 5
UNITS = {"s": 1, "m": 60, "h": 3600}


@dataclass(frozen=True)
class Budget:
    """How much tuning: so many seconds, so many trials, or whichever comes first. The clock counts seconds."""

    clock: Callable[[], float]
    seconds: float | None = None
    trials: int | None = None

    def __post_init__(self) -> None:
        if self.seconds is None and self.trials is None:
            raise ValueError("a budget without end: give seconds or a number of trials")
        if (self.seconds is not None and self.seconds <= 0) or (self.trials is not None and self.trials < 1):
            raise ValueError("a budget must allow at least one trial, or some seconds")


@dataclass(frozen=True)
class Trial:
    """Settings that were tried; log_loss is the pooled one of the folds, of those seen where the trial was pruned."""

    parameters: Mapping[str, float]
    log_loss: float
    rounds: int
    pruned: bool


@dataclass(frozen=True)
class Search:
    """What was tried, and what came of it. `trials` gives back the very same with the same seed."""

    trials: tuple[Trial, ...]
    choice: Choice
    """"default" or "tuned", and why."""
    seconds: float

    @property
    def best(self) -> Trial:
        """The lowest log loss among the trials that saw every fold; the earliest of equals."""
        return min((trial for trial in self.trials if not trial.pruned), key=lambda trial: trial.log_loss)

    @property
    def note(self) -> str:
        """For card and report; without the time it took, so that the same search says the same."""
        pruned = sum(trial.pruned for trial in self.trials)
        words = f"lightgbm was tuned in {len(self.trials)} trials, {pruned} of them pruned (--trials {len(self.trials)} repeats it)"
        return f"{words}; {self.choice.name} settings serve: {self.choice.reason}"

    def parameters(self) -> dict[str, Any]:
        """For MLflow, one line each."""
        return {
            "tuning_trials": len(self.trials),
            "tuning_pruned": sum(trial.pruned for trial in self.trials),
            "tuning_seconds": round(self.seconds, 1),
            "tuning_settings": self.choice.name,
            "tuning_default_log_loss": self.trials[0].log_loss,
            "tuning_best_log_loss": self.best.log_loss,
        }

    def to_json(self) -> dict[str, Any]:
        """The space and every trial."""
        space = {name: {"low": low, "high": high, "log": log} for name, (low, high, log) in SPACE.items()}
        return {"space": space, "choice": asdict(self.choice), "trials": [asdict(trial) for trial in self.trials]}


@dataclass(frozen=True)
class TunedRung(BoostedRung):
    """LightGBM after a search."""

    search: Search | None = None


@dataclass(frozen=True)
class SearchedRung:
    """LightGBM whose settings are to be searched within a budget, once the folds are known."""

    rung: BoostedRung
    budget: Budget
    tell: Tell | None = None

    @property
    def name(self) -> str:
        return self.rung.name

    @property
    def needs_accounts(self) -> int:
        return self.rung.needs_accounts

    @property
    def settings(self) -> Mapping[str, Any]:
        """Those to begin with."""
        return self.rung.settings

    def tuned(self, folds: Sequence[FoldData], seed: int) -> BoostedRung:
        """A TunedRung; the rung as it is if there is no fold to tune on."""
        return search(self.rung, folds, self.budget, seed, self.tell) if folds else self.rung

    def fit(self, data: Dataset, seed: int) -> Fitted:
        """With the settings to begin with."""
        return self.rung.fit(data, seed)


def with_search(rungs: Sequence[Rung], budget: Budget | None, progress: Tell | None) -> tuple[Rung, ...]:
    """The ladder with its trees to be searched, if there is a budget for it."""
    if budget is None:
        return tuple(rungs)

    def tell(done: int, of: int, words: str) -> None:
        if progress:
            progress(done, of, f"searching lightgbm's settings · {words}")

    return tuple(SearchedRung(rung, budget, tell) if type(rung) is BoostedRung else rung for rung in rungs)


def search_notes(rungs: Sequence[Rung], budget: Budget | None) -> tuple[str, ...]:
    """What came of the budget, in words."""
    searches = _searches(rungs)
    if budget is None or searches:
        return tuple(search.note for search in searches)
    if any(isinstance(rung, BoostedRung) and rung.answer != "probability" for rung in rungs):
        return ("nothing was tuned: settings are searched for targets that answer with a probability",)
    return ("nothing was tuned: there were no trees, or no fold before the test date to tune them on",)


def search_parameters(rungs: Sequence[Rung]) -> dict[str, Any]:
    """For MLflow; nothing if nothing was searched."""
    return {name: value for search in _searches(rungs) for name, value in search.parameters().items()}


def search_files(rungs: Sequence[Rung]) -> dict[str, str]:
    """tuning.json: the space and every trial."""
    searches = _searches(rungs)
    return {"tuning.json": json.dumps([search.to_json() for search in searches], indent=1)} if searches else {}


def _searches(rungs: Sequence[Rung]) -> list[Search]:
    return [rung.search for rung in rungs if isinstance(rung, TunedRung) and rung.search]


def seconds_of(duration: str) -> float:
    """90s, 10m, 1.5h; ValueError for anything else."""
    match = re.fullmatch(r"(\d+(?:\.\d+)?)\s*([smh])", duration.strip())
    if not match or float(match[1]) == 0:
        raise ValueError(f"'{duration}' is no duration; write it like 90s, 10m or 1h")
    return float(match[1]) * UNITS[match[2]]


def search(
    rung: BoostedRung, folds: Sequence[FoldData], budget: Budget, seed: int, tell: Tell | None = None
) -> TunedRung:
    """Try settings until the budget is spent, and choose between the best and the defaults.

    The defaults are tried whatever the budget. A trial that the end of a time budget cuts off counts for nothing.
    """
    started = budget.clock()
    deadline = None if budget.seconds is None else started + budget.seconds
    study, trials, curves = _study(rung, seed), list[Trial](), list[Floats]()
    while budget.trials is None or len(trials) < budget.trials:
        ends = None if deadline is None or not trials else _Ends(budget.clock, deadline)
        try:
            trials.append(_tried(study, rung, folds, seed, curves, ends))
        except OutOfTimeError:
            break
        _say(tell, trials, budget, started)
    result = Search(tuple(trials), _chosen(rung, trials, folds, seed), budget.clock() - started)
    winner = result.best if result.choice.name == "tuned" else trials[0]
    return TunedRung(**{**_as_fields(_set(rung, winner.parameters)), "rounds": winner.rounds, "search": result})


class OutOfTimeError(Exception):
    """The budget ended in the middle of a trial."""


@dataclass(frozen=True)
class _Ends:
    """A LightGBM callback that stops the training when the time is up."""

    clock: Callable[[], float]
    deadline: float

    def __call__(self, _: Any) -> None:
        if self.clock() >= self.deadline:
            raise OutOfTimeError


def _study(rung: BoostedRung, seed: int) -> "optuna.Study":
    import optuna

    optuna.logging.set_verbosity(optuna.logging.WARNING)
    pruner = optuna.pruners.MedianPruner(n_startup_trials=UNPRUNED_TRIALS)
    study = optuna.create_study(sampler=optuna.samplers.TPESampler(seed=seed), pruner=pruner)
    study.enqueue_trial({name: rung.parameters[name] for name in SPACE})
    return study


def _tried(
    study: "optuna.Study",
    rung: BoostedRung,
    folds: Sequence[FoldData],
    seed: int,
    default: list[Floats],
    ends: _Ends | None,
) -> Trial:
    """Fold by fold, oldest and so cheapest first; given up where the median of the trials before was better by then.

    Reported is the excess over the defaults (`default`, filled by trial 0): folds differ far more among themselves
    than settings do on one of them, and the pruner compares a trial's best fold with the others' present one.
    """
    import optuna

    trial = study.ask()
    parameters = {name: _suggested(trial, name) for name in SPACE}
    tried, sums = _set(rung, parameters), list[Floats]()
    for step, fold in enumerate(folds):
        sums.append(tried.later_losses(fold, seed, [ends] if ends else []) * len(fold.later))
        if trial.number == 0:
            default.append(sums[-1])
        loss, rounds = _pooled(sums, folds)
        trial.report(loss - _pooled(default[: step + 1], folds)[0], step)
        if step + 1 < len(folds) and trial.should_prune():
            study.tell(trial, state=optuna.trial.TrialState.PRUNED)
            return Trial(parameters, loss, rounds, pruned=True)
    study.tell(trial, loss)
    return Trial(parameters, loss, rounds, pruned=False)


def _suggested(trial: "optuna.Trial", name: str) -> float:
    low, high, log = SPACE[name]
    if name in WHOLE:
        return trial.suggest_int(name, int(low), int(high), log=log)
    return trial.suggest_float(name, low, high, log=log)


def _pooled(sums: Sequence[Floats], folds: Sequence[FoldData]) -> tuple[float, int]:
    """The lowest mean log loss of these folds' rows at a common number of rounds, and that number."""
    shared = min(len(each) for each in sums)
    total = np.sum([each[:shared] for each in sums], axis=0)
    rows = sum(len(fold.later) for fold in folds[: len(sums)])
    return float(total.min()) / rows, int(np.argmin(total)) + 1


def _set(rung: BoostedRung, parameters: Mapping[str, float]) -> BoostedRung:
    return replace(rung, parameters={**rung.parameters, **parameters})


def _as_fields(rung: BoostedRung) -> dict[str, Any]:
    return {
        "name": rung.name,
        "features": rung.features,
        "needs_accounts": rung.needs_accounts,
        "parameters": rung.parameters,
    }


def _chosen(rung: BoostedRung, trials: Sequence[Trial], folds: Sequence[FoldData], seed: int) -> Choice:
    """The defaults, unless the best trial beats them beyond noise."""
    best = min((trial for trial in trials if not trial.pruned), key=lambda trial: trial.log_loss)
    if best is trials[0]:
        return Choice("default", f"no trial had a lower log loss than their {best.log_loss:.4f} on the folds")
    candidates = [
        Candidate(name, _losses(replace(_set(rung, trial.parameters), rounds=trial.rounds), folds, seed))
        for name, trial in (("default", trials[0]), ("tuned", best))
    ]
    return simplest_within_noise(candidates, np.concatenate([fold.later.account for fold in folds]), seed)


def _losses(rung: BoostedRung, folds: Sequence[FoldData], seed: int) -> Floats:
    sigmoid = model_code().sigmoid
    answers = ((sigmoid(rung.fit(fold.train, seed).margin(fold.later)), fold.later.labels) for fold in folds)
    return np.concatenate([log_losses(probability, labels) for probability, labels in answers])


def _say(tell: Tell | None, trials: Sequence[Trial], budget: Budget, started: float) -> None:
    if tell is None:
        return
    best = min((trial for trial in trials if not trial.pruned), key=lambda trial: trial.log_loss)
    words = f"log loss {best.log_loss:.4f} at trial {trials.index(best)} of {len(trials)}, defaults {trials[0].log_loss:.4f}"
    if budget.trials is not None:
        tell(len(trials), budget.trials, words)
    elif budget.seconds is not None:
        tell(min(int(budget.clock() - started), int(budget.seconds)), int(budget.seconds), words)
