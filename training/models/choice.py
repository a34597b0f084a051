"""The rule for every choice among models: the simplest one that is within noise of the best."""

from collections.abc import Sequence
from dataclasses import dataclass

from numpy.typing import ArrayLike

from features.arrays import Floats
from training.metrics.probabilities import mean_difference_interval


@dataclass(frozen=True)
class Candidate:
    """Something to choose, with its out-of-time loss of each row (the same rows for all candidates)."""

    name: str
    losses: Floats


@dataclass(frozen=True)
class Choice:
    """What was chosen, and why, in words for the report."""

    name: str
    reason: str


def lowest_loss(candidates: Sequence[Candidate], shown: str, loss: str = "log loss") -> Choice:
    """The candidate with the lowest mean loss: for few accounts, whose noise would call everything equal.

    Only for candidates that are shrunk already, so that being less simple costs them little: see `training.models.shrinkage`.
    `shown` says how few accounts there are, and of what.
    """
    best = min(candidates, key=lambda candidate: float(candidate.losses.mean()))
    return Choice(
        best.name,
        f"{best.name} has the lowest {loss} ({best.losses.mean():.4f}); {shown} cannot "
        f"tell a difference from noise, and what stands in choice is shrunk towards the pooled rate",
    )


def simplest_within_noise(
    candidates: Sequence[Candidate], accounts: ArrayLike, seed: int, loss: str = "log loss"
) -> Choice:
    """The first of `candidates` (simplest first) whose mean loss is not distinguishably above the best one's.

    Distinguishable: the 95 % interval of the paired difference, by a bootstrap over accounts, lies above zero.
    """
    best = min(candidates, key=lambda candidate: float(candidate.losses.mean()))
    for candidate in candidates:
        if candidate is best:
            rest = "and is the simplest" if best is candidates[0] else "and nothing simpler comes near it"
            return Choice(best.name, f"{best.name} has the lowest {loss} ({best.losses.mean():.4f}), {rest}")
        difference = candidate.losses - best.losses
        low, high = mean_difference_interval(difference, accounts, seed=seed)
        if low <= 0:
            return Choice(
                candidate.name,
                f"{candidate.name} is within noise of {best.name}: {loss} {candidate.losses.mean():.4f} against "
                f"{best.losses.mean():.4f}, difference between {low:+.4f} and {high:+.4f}",
            )
    raise ValueError("there is nothing to choose from: give one candidate at least")
