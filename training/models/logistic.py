"""Logistic regression whose penalty pulls towards given weights, which scikit-learn's does not offer.

Calibration needs it: with few labels it shall stay near the identity, not near "everybody alike".
"""

from dataclasses import dataclass

import numpy as np

from features.arrays import Floats

STEPS = 100
NEGLIGIBLE = 1e-10


class NoConvergence(ArithmeticError):
    """Newton's method found no minimum; the columns hold something it cannot work with, such as infinities."""


@dataclass(frozen=True)
class Logistic:
    """log-odds = intercept + columns · weights."""

    intercept: float
    weights: Floats


def fit_logistic(columns: Floats, labels: Floats, penalty: float, towards: Floats) -> Logistic:
    """Minimise Σ log loss + penalty/2 · |weights − towards|², the intercept free.

    columns (n, k) finite, towards (k,), labels 0 or 1, both present. A penalty above 0 keeps the minimum finite where the classes
    can be separated; `penalty` = 1 weighs about as much as one account at one standard deviation.
    """
    design = np.column_stack([np.ones(len(columns)), columns])
    ridge = penalty * np.r_[0.0, np.ones(columns.shape[1])]
    aim = np.r_[0.0, towards]
    solution = aim.copy()
    for _ in range(STEPS):
        step = _newton_step(design, labels, ridge, aim, solution)
        solution = _shortened(design, labels, ridge, aim, solution, step)
        if np.abs(step).max() < NEGLIGIBLE * (1.0 + np.abs(solution).max()):
            return Logistic(float(solution[0]), solution[1:])
    raise NoConvergence(
        f"logistic regression on {columns.shape[0]} rows of {columns.shape[1]} columns did not settle in {STEPS} steps"
    )


def _newton_step(design: Floats, labels: Floats, ridge: Floats, aim: Floats, at: Floats) -> Floats:
    probability = 0.5 * (1.0 + np.tanh(0.5 * (design @ at)))
    gradient = design.T @ (probability - labels) + ridge * (at - aim)
    curvature = (design * (probability * (1.0 - probability))[:, None]).T @ design + np.diag(ridge)
    # A column that never varies has no curvature of its own; the tiny ridge leaves its weight where it is.
    step = np.linalg.solve(curvature + 1e-12 * np.eye(len(at)), gradient)
    return np.asarray(step, dtype=np.float64)


def _shortened(design: Floats, labels: Floats, ridge: Floats, aim: Floats, at: Floats, step: Floats) -> Floats:
    """The point after the step, halved until the objective does not rise by more than rounding."""
    before, length = _objective(design, labels, ridge, aim, at), 1.0
    allowed = before + 1e-12 * abs(before)
    while length > NEGLIGIBLE and _objective(design, labels, ridge, aim, at - length * step) > allowed:
        length /= 2
    return at - length * step


def _objective(design: Floats, labels: Floats, ridge: Floats, aim: Floats, at: Floats) -> float:
    margin = design @ at
    loss = np.logaddexp(0.0, margin) - labels * margin
    return float(loss.sum() + 0.5 * (ridge * (at - aim) ** 2).sum())
