"""BG/NBD by the package `lifetimes`: fitted on the histories at the date itself, for it needs no labels."""

import numpy as np
import pandas as pd
from contest import Contest, answer, log_odds
from lifetimes import BetaGeoFitter
from lifetimes.utils import summary_data_from_transaction_data


def silences(contest: Contest) -> list[np.ndarray]:
    days = [at for _, at in contest.dates.folds] + [contest.dates.test]
    return [log_odds(_silence(contest, at)) for at in days]


def _silence(contest: Contest, at: int) -> np.ndarray:
    """Probability of no purchase within the horizon: gone, or alive and silent (E[exp(−λ·horizon)] of the gamma left)."""
    summary = _summary(contest, at)
    fitter = BetaGeoFitter(penalizer_coef=0.0)
    fitter.fit(summary.frequency, summary.recency, summary["T"])
    r, alpha, _, _ = fitter.params_[["r", "alpha", "a", "b"]]
    alive = fitter.conditional_probability_alive(summary.frequency, summary.recency, summary["T"])
    known = alpha + summary["T"]
    quiet = (known / (known + contest.dates.horizon_days)) ** (r + summary.frequency)
    none = pd.Series(1.0 - np.asarray(alive) * (1.0 - quiet.to_numpy()), summary.index)
    return none.reindex(contest.account_id[contest.at(at)]).to_numpy()


def _summary(contest: Contest, at: int) -> pd.DataFrame:
    """Purchase days after the first, age at the last one, and age, of all accounts known by then."""
    orders = pd.read_parquet(contest.streams["purchases"], columns=["account_id", "known_at", "kind"])
    known = orders[(orders.known_at <= pd.Timestamp(at, unit="us", tz="UTC")) & (orders.kind == "order")]
    dated = pd.DataFrame({"account_id": known.account_id.astype(str), "day": known.known_at.dt.tz_localize(None)})
    until = pd.Timestamp(at, unit="us").floor("D")
    return summary_data_from_transaction_data(dated, "account_id", "day", observation_period_end=until)


if __name__ == "__main__":
    answer("BG/NBD", silences)
