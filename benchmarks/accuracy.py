"""How good our models are beside others' on the same rows, labels and split: AUROC and log loss, judged once and later.

    python benchmarks/accuracy.py [cdnow online_retail complete_journey tv_churn bank_upsell simulated]

Contenders: what `training.train` would register ("chosen") and every rung of its ladder; CatBoost and XGBoost on our
features; featuretools + LightGBM and BG/NBD (`lifetimes`) from the raw events; RFM logistic. All get one folder of files
without the test's labels, choose their rounds on the same folds, and learn from the same rows for the test. Where a rival's
own probabilities gain by a calibration on the folds, as ours are, the line "+ calibration" has them too.

"best" is whoever has the lowest log loss; the difference to him is paired, with a 95 % bootstrap over accounts.
"""

import json
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import numpy as np
from contests import SETS, Set, laid_out
from data import Absent
from measure import BENCH, Line, note
from peers.environment import Unanswered, run_script

from training.evaluation.comparison import Evaluation, judge
from training.metrics.probabilities import log_losses, measure
from training.models import calibration
from training.models.calibration import PROBABILITIES, Margins

OURS = "ladder"
EVENTS = ("featuretools_lightgbm", "lifetimes")
RIVALS = {
    "catboost": "CatBoost",
    "xgboost": "XGBoost",
    "rfm_logistic": "RFM logistic",
    "lifetimes": "BG/NBD (lifetimes)",
    "featuretools_lightgbm": "featuretools + LightGBM",
}
PATIENCE_SECONDS, SEED = 3600, 0


@dataclass(frozen=True)
class Said:
    """What one contender says of the test's rows, and what it took from the files to these probabilities."""

    name: str
    probability: np.ndarray
    seconds: float | None
    peak_mb: float | None


def main() -> None:
    wanted = sys.argv[1:] or list(SETS)
    rows, lines = [], []
    for name in wanted:
        try:
            with laid_out(name) as found:
                rows += contested(found, lines)
        except Absent as absent:
            print(f"{name} was skipped: {absent}")
    print("\n" + "\n".join([*HEADER, *rows]))
    if lines:
        note("accuracy", "accuracy: from the files to calibrated probabilities of the test, choosing included", lines)


def contested(found: Set, lines: list[Line]) -> list[str]:
    """The rows of the table on one data set."""
    started = time.perf_counter()
    said = list(answers(found))
    evaluation = judged(found, said)
    title = f"{found.name}, judged at {judged_at(found)}: {evaluation.accounts:,} accounts, {found.labels.mean():.1%} happened"
    print(f"\n{title} ({time.perf_counter() - started:.0f} s for all). {found.note}", flush=True)
    rows = [row(found, one, evaluation) for one in sorted(said, key=lambda one: loss(evaluation, one.name))]
    print("\n".join([*HEADER, *rows]), flush=True)
    lines += [Line(f"{found.name}: {one.name}", one.seconds, peak_mb=one.peak_mb) for one in said if one.seconds]
    return rows


def answers(found: Set) -> Iterator[Said]:
    """Ours first; a rival that cannot answer is named and left out."""
    for script in (OURS, *RIVALS):
        if script in EVENTS and not found.contest.streams:
            continue
        try:
            yield from answered(found, script)
        except Unanswered as failed:
            print(f"{found.name}: left out: {failed}", flush=True)


def answered(found: Set, script: str) -> list[Said]:
    """What a contender's script wrote; AssertionError if it judged other accounts than it was asked for."""
    contest, kept = found.contest, BENCH / "accuracy" / found.name
    kept.mkdir(parents=True, exist_ok=True)
    out, figures = kept / f"{script}.npz", kept / f"{script}.json"
    run_script(script, [contest.folder, out, figures], PATIENCE_SECONDS)
    parts, run = dict(np.load(out)), json.loads(figures.read_text())
    print(f"{found.name}: {script} took {run['seconds']:.0f} s ({run['cpu_seconds']:.0f} s of CPU)", flush=True)
    np.testing.assert_array_equal(parts.pop("account_id"), contest.account_id[contest.at(contest.dates.test)])
    margins: dict[str, list[np.ndarray]] = {}
    for key in sorted(parts, key=lambda key: int(key.rpartition("/")[2])):
        margins.setdefault(key.rpartition("/")[0], []).append(parts[key])
    if script == OURS:
        return [
            _said(f"Foresail {name}", every[-1], run if name.startswith("(chosen") else {})
            for name, every in margins.items()
        ]
    [every] = margins.values()
    return [_said(RIVALS[script], every[-1], run), *calibrated(found, RIVALS[script], every)]


def calibrated(found: Set, name: str, margins: Sequence[np.ndarray]) -> list[Said]:
    """A rival with the calibration that ours would choose for it on the folds; nothing if that is none."""
    folds = [_margins(found, at, margin) for (_, at), margin in zip(found.contest.dates.folds, margins, strict=False)]
    method, _ = calibration.choose(folds, SEED)
    if method == "none":
        return []
    probability = PROBABILITIES.fit(method, folds).probability(margins[-1])
    return [Said(f"{name} + calibration", probability, None, None)]


def _margins(found: Set, at: int, margin: np.ndarray) -> Margins:
    contest, moment = found.contest, datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=at)
    rows = contest.at(at)
    _, account = np.unique(contest.account_id, return_inverse=True)
    closes = moment + timedelta(days=contest.dates.horizon_days)
    return Margins(moment, closes, margin, contest.labels[rows], account[rows])


def _said(name: str, margin: np.ndarray, run: dict[str, float]) -> Said:
    probability = 1.0 / (1.0 + np.exp(-np.clip(margin, -500, 500)))
    return Said(name, probability, run.get("seconds"), run.get("peak_mb"))


def judged(found: Set, said: Sequence[Said]) -> Evaluation:
    """All on the same replicates; the baseline, to which differences are taken, is the one of lowest log loss."""
    accounts = found.contest.account_id[found.contest.at(found.contest.dates.test)]
    best = min(said, key=lambda one: float(log_losses(one.probability, found.labels).mean()))
    everyone = {one.name: one.probability for one in said}
    return judge(everyone, found.labels, accounts, baseline=best.name, seed=SEED)


def loss(evaluation: Evaluation, name: str) -> float:
    return evaluation.metrics[name]["log_loss"].value


def judged_at(found: Set) -> str:
    flat = not found.contest.streams
    return "a random quarter" if flat else f"{datetime.fromtimestamp(found.contest.dates.test / 1e6, UTC):%Y-%m-%d}"


HEADER = (
    "| data set | judged at | accounts | rate | contender | AUROC | log loss | log loss − best | of the attainable | seconds | peak MB |",
    "| --- | --- | ---: | ---: | --- | ---: | ---: | ---: | ---: | ---: | ---: |",
)


def row(found: Set, one: Said, evaluation: Evaluation) -> str:
    figures = evaluation.metrics[one.name]
    cells = (
        found.name, judged_at(found), f"{evaluation.accounts:,}", f"{found.labels.mean():.1%}", one.name,
        figures["auroc"], figures["log_loss"], difference(one.name, evaluation), attainable(found, one),
        "" if one.seconds is None else f"{one.seconds:.0f}", "" if one.peak_mb is None else f"{one.peak_mb:,.0f}",
    )  # fmt: skip
    return f"| {' | '.join(map(str, cells))} |"


def difference(name: str, evaluation: Evaluation) -> str:
    if name == evaluation.baseline:
        return "**best**"
    found = evaluation.differences[name]["log_loss"]
    noise = "" if found.low > 0 else ", noise"
    return f"{found.value:+.4f} [{found.low:+.4f}, {found.high:+.4f}]{noise}"


def attainable(found: Set, one: Said) -> str:
    """Share of the way from guessing to the truth itself: AUROC from 0.5, log loss from the rate's own."""
    if found.true is None:
        return ""
    known = ~np.isnan(found.true)
    labels = found.labels[known]
    ours, truth = (measure(one[known], labels) for one in (one.probability, found.true))
    rate = measure(np.full(len(labels), labels.mean()), labels)["log_loss"][0]
    ranked = (ours["auroc"][0] - 0.5) / (truth["auroc"][0] - 0.5)
    gained = (rate - ours["log_loss"][0]) / (rate - truth["log_loss"][0])
    return f"{ranked:.0%} / {gained:.0%}"


if __name__ == "__main__":
    main()
