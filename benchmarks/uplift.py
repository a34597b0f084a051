"""Whom to treat: how much of the best possible value learnt effects reach, and how well they rank, beside EconML's.

    python benchmarks/uplift.py [--rows 200_000] [--company 3000]

Known truth: churn of accounts whose effect is known, a treatment by lot, and a budget for one account in twenty; accounts differ
in what they are worth. Learnt on --rows rows, judged on 50,000 new ones by the value that is truly saved, as a share of
what the best choice saves.

Hillstrom: the women's mail against none, learnt on two thirds and judged on the rest by Qini.

--company: a simulated company's own experiments beside the true effects, which takes minutes; 0 leaves it out.
"""

import argparse
import json
import subprocess
import tempfile
import time
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pandas as pd
from data import Absent, data_file
from measure import Line, note
from peers.environment import Unanswered, interpreter

from training.uplift import CannotEstimate, estimate_effects
from training.uplift.coding import Coding
from training.uplift.curves import Ranked, RankPosition
from training.uplift.trial import Trial

PEER = Path(__file__).parent / "peers/with_econml.py"
BUDGET, NEW = 0.05, 50_000
END = datetime(2025, 1, 1, tzinfo=UTC)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=20_000, help="of the known truth")
    parser.add_argument("--company", type=int, default=0, help="accounts of the simulated company")
    arguments = parser.parse_args()
    known_truth(arguments.rows)
    try:
        hillstrom(pd.read_parquet(data_file("hillstrom/hillstrom.parquet")))
    except Absent as absent:
        print(f"Hillstrom is left out: {absent}")
    if arguments.company:
        company(arguments.company)


def known_truth(rows: int) -> None:
    """The share of the oracle's value that a budget for one in twenty reaches."""
    old, new = accounts(rows, 0), accounts(NEW, 1)
    names = [name for name in old if name.startswith("f")]
    seconds, cpu, effect = ours(
        old[names], old["treated"], old["outcome"], direction="lower_is_better", value=old["value"], budget=BUDGET,
        propensity=0.5,
    )  # fmt: skip
    print(effect.choice.reason)
    said = {f"foresail, chosen: {effect.choice.name}": (effect.predict(new[names]).to_numpy(), seconds, cpu)}
    said |= econml(old[[*names, "treated", "outcome"]], new[names])
    lines = [
        Line(
            who,
            taken,
            taken / seconds,
            None,
            None,
            used,
            f"{share_of_oracle(new, -found * new['value']):.1%} of the oracle",
        )
        for who, (found, taken, used) in said.items()
    ]
    rules = {"risk": new["risk"], "value": new["value"], "risk × value": new["risk"] * new["value"]}
    lines += [
        Line(f"rule: highest {name}", None, note=f"{share_of_oracle(new, gain):.1%} of the oracle")
        for name, gain in rules.items()
    ]
    note("uplift", f"Value saved by treating 5 % of {NEW:,} accounts, effects learnt from {rows:,}", lines)


def accounts(n: int, seed: int) -> pd.DataFrame:
    """Accounts of whom all is known: features, a lot, whether they churned, worth, risk, and the true effect."""
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(n, 12))
    risk = 1 / (1 + np.exp(-(-1.2 + 0.9 * x[:, 0] + 0.5 * x[:, 1] - 0.5 * x[:, 2] * (x[:, 3] > 0))))
    after = np.clip(risk + 0.06 - 0.30 / (1 + np.exp(-2 * (x[:, 1] + x[:, 4] - 0.5))), 0, 1)
    treated = rng.random(n) < 0.5
    churned = rng.random(n) < np.where(treated, after, risk)
    told = {"treated": treated.astype(int), "outcome": churned.astype(float)}
    value = np.exp(0.9 * x[:, 5] + 0.4 * rng.normal(size=n))
    features = pd.DataFrame(x, columns=[f"f{at}" for at in range(12)])
    return features.assign(**told, value=value, risk=risk, effect=after - risk)


def share_of_oracle(new: pd.DataFrame, gain) -> float:
    saved = (-new["effect"] * new["value"]).to_numpy()
    most = int(BUDGET * len(saved))
    return saved[np.argsort(-np.asarray(gain))[:most]].sum() / np.sort(saved)[-most:].sum()


def hillstrom(rows: pd.DataFrame) -> None:
    """Known averages on all rows, and Qini on a third that nobody has learnt from."""
    features = rows[["recency", "history", "mens", "womens", "zip_code", "newbie", "channel"]]
    averages = estimate_effects(features, rows["segment"], rows["visit"], control="No E-Mail", learners=()).averages()
    print(
        (
            100
            * averages[["difference", "difference_low", "difference_high", "average", "average_low", "average_high"]]
        ).round(2)
    )
    both = rows["segment"].isin(["Womens E-Mail", "No E-Mail"]).to_numpy()
    held = np.random.default_rng(0).random(len(rows)) < 1 / 3
    old, new = rows[both & ~held], rows[both & held]
    seconds, cpu, effect = ours(
        features.loc[old.index], old["segment"], old["visit"], control="No E-Mail",
        propensity={"Womens E-Mail": 1 / 3, "No E-Mail": 1 / 3},
    )  # fmt: skip
    print(effect.choice.reason)
    matrix = [pd.DataFrame(effect.coding.matrix(features.loc[part.index])) for part in (old, new)]
    coded = [part.rename(columns=lambda at: f"f{at}") for part in matrix]
    told = {"treated": (old["segment"] != "No E-Mail").to_numpy(int), "outcome": old["visit"].to_numpy(float)}
    said = {
        f"foresail, chosen: {effect.choice.name}": (effect.predict(features.loc[new.index]).to_numpy(), seconds, cpu)
    }
    said |= econml(coded[0].assign(**told), coded[1])
    lines = [
        Line(who, taken, taken / seconds, None, None, used, f"Qini {1000 * qini(new, found):+.2f} per 1,000")
        for who, (found, taken, used) in said.items()
    ]
    note("uplift_hillstrom", f"Hillstrom, women's mail: learnt on {len(old):,}, judged on {len(new):,}", lines)


def qini(rows: pd.DataFrame, effect: np.ndarray) -> float:
    n = len(rows)
    treated, outcome = (rows["segment"] != "No E-Mail").to_numpy(), rows["visit"].to_numpy(float)
    trial = Trial(
        Coding((), {}), np.empty((n, 0)), treated, outcome, 1.0, np.ones(n), 0.0, np.arange(n),
        np.full(n, treated.mean()), False,
    )  # fmt: skip
    return float(Ranked.of(trial, RankPosition.of(effect, np.zeros(n, int)).middle).qini(np.ones((1, n)))[0])


def ours(features, treatment, outcome, **how):
    """Seconds, CPU seconds and the effect: checks, averages, the contest of all learners, curves and the final fit."""
    start, used = time.perf_counter(), time.process_time()
    effect = estimate_effects(features, treatment, outcome, **how).only
    return time.perf_counter() - start, time.process_time() - used, effect


def econml(train: pd.DataFrame, new: pd.DataFrame) -> dict:
    """EconML's effects on the new rows by each way, with seconds; nothing, and why, where it cannot be had."""
    try:
        python = interpreter("econml")
    except Unanswered as why:
        print(why)
        return {}
    with tempfile.TemporaryDirectory() as folder:
        paths = [Path(folder) / name for name in ("train.parquet", "new.parquet", "answer.parquet", "run.json")]
        train.to_parquet(paths[0])
        new.to_parquet(paths[1])
        done = subprocess.run([python, PEER, *paths], capture_output=True, text=True, timeout=3600, check=False)
        if done.returncode:
            print(f"econml: {(done.stderr.strip() or 'failed').splitlines()[-1]}")
            return {}
        answer, run = pd.read_parquet(paths[2]), json.loads(paths[3].read_text())
    return {
        f"econml {name}": (answer[name].to_numpy(), run["seconds"][name], run["cpu_seconds"][name]) for name in answer
    }


def company(size: int) -> None:
    """The experiments of a simulated company's own history, and the truth about the accounts in their situations."""
    from foresail.config.project import load
    from foresail.operations.effects import playbook_trial
    from foresail.operations.history import ingest_sources
    from foresail.operations.simulation import simulation_settings
    from foresail.simulation.company import write_company

    settings = simulation_settings(
        None,
        [f"company.accounts={size}", "company.seed=1", "truth.futures=4", "truth.days_before_end=[90,180,270,360]"],
    )
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        write_company(settings, root / "company", root / "truth")
        project = load(root / "company")
        ingest_sources(project, END)
        files = sorted((root / "company/data/programme").glob("*.csv"))
        assignments = pd.concat(map(pd.read_csv, files)).rename(columns={"account_no": "account_id"})
        true = true_effects(root / "truth")
        print(f"\n{'playbook':24}{'true':>8}{'found':>9}  interval")
        for playbook in assignments["playbook"].unique():
            trial = playbook_trial(project, assignments, playbook, "churn", END)
            print(f"{playbook:24}{true[playbook]:+8.4f}{told(trial)}", flush=True)


def true_effects(folder: Path) -> "pd.Series[float]":
    keys = ["account_id", "as_of"]
    effects, targets = (pd.read_parquet(folder / f"{name}.parquet") for name in ("effects", "targets"))
    active = effects.merge(targets.loc[targets["active"], keys], on=keys)
    return active.groupby("playbook")["churn_change"].mean()


def told(trial) -> str:
    try:
        how = {"learners": (), "allow_observational": not trial.by_lot}
        effect = trial.effects(**how).only
    except CannotEstimate as refused:
        return f"  refused: {str(refused)[:90]} …"
    average = effect.average
    return f"{average.value:+9.4f}  {average.low:+.4f} to {average.high:+.4f}  {effect.mark.split(':')[0]}"


if __name__ == "__main__":
    main()
