"""Experiments whose true effects are known, as plain tables."""

from types import SimpleNamespace

import numpy as np
import pandas as pd


def trial(n=2000, seed=0, effect=lambda x: np.full(len(x), -0.1), chance=lambda x: np.full(len(x), 0.5)):
    """Who churns: by five features that anybody sees, and by a treatment whose effect on each account is known.

    The effect of `a` … `e` (standard normal) is added to the probability of churn, which stays between 0 and 1.
    """
    rng = np.random.default_rng(seed)
    x = pd.DataFrame(rng.normal(size=(n, 5)), columns=list("abcde"))
    base = 1 / (1 + np.exp(-(-0.8 + 0.8 * x["a"] + 0.4 * x["b"]))).to_numpy()
    after = np.clip(base + effect(x), 0.0, 1.0)
    treated = rng.random(n) < chance(x)
    churned = (rng.random(n) < np.where(treated, after, base)).astype(float)
    value = np.exp(0.8 * x["d"] + 0.5 * rng.normal(size=n)).to_numpy()
    return SimpleNamespace(features=x, treated=treated, churned=churned, value=value, effect=after - base, base=base)


def persuadable(x):
    """Those with much of `b` are won over, those with little of `c` are annoyed."""
    return (0.10 - 0.5 / (1 + np.exp(-2 * (x["b"] + x["c"])))).to_numpy()


def share_of_oracle(one, gain, budget=0.05):
    """What treating the accounts with the most gain saves, of what the best choice would save: churn avoided × value."""
    saved = -one.effect * one.value
    most = int(budget * len(saved))
    return saved[np.argsort(-np.asarray(gain))[:most]].sum() / np.sort(saved)[-most:].sum()
