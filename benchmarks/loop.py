"""Does it learn? Twelve months of deciding, randomising and learning on a simulated company, from assumed effects alone.

    python benchmarks/loop.py [--accounts 24000] [--each 1] [--rounds 12] [--fates 5] [--repetitions 200] [--picture docs/images/loop.png]

Assumed are round figures, wrong by a factor of two and more, and of a call that annoys the wrong sign. Each month HiGHS gives each account the
playbook that is expected to bring most, within capacity; a randomised part is kept as control; what comes of it is drawn from the
truth, is known three months later, and is learnt from. Beside it the allocation that knows every effect, of the same accounts,
within the same capacity and with the same control.
"""

import argparse
import time
from pathlib import Path

import matplotlib as mpl
import numpy as np
from matplotlib.figure import Figure
from measure import Line, note

from features.arrays import Array
from foresail.simulation.months import Round, World, coverage, crowded, run, world
from foresail.simulation.world.settings import Settings
from serving.interventions.declare.settings import EffectPrior, Playbook
from training.reports.plots import BASELINE, MODEL, QUIET, STYLE

PLAYBOOKS = {
    "win_back_offer": 0.25, "business_review": 0.20, "beta_invitation": 0.10, "insight_report": 0.10, "coupon": 0.10,
    "member_event": 0.15, "renewal_talk": 0.20,
}  # fmt: skip
"""Assumed to keep that share of what is at stake."""
ANNOYING = {"annoying_call": {"situation": "any", "cost": 60, "satisfaction": 0.6, "response": -1.0}}
ASSUMED_OF_ANNOYING, STRENGTH, CONTROL, CAPACITY = 0.15, 200.0, 0.20, 0.05
LAST, CERTAIN = 4, 1e12
"""Months; and what an assumption is worth that no evidence changes."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--accounts", type=int, default=24_000)
    parser.add_argument("--each", type=int, default=1, help="accounts that each simulated one stands for")
    parser.add_argument("--rounds", type=int, default=12)
    parser.add_argument("--futures", type=int, default=24, help="from which each true effect is computed")
    parser.add_argument("--fates", type=int, default=5, help="of what comes of it, for the share of the last months")
    parser.add_argument("--repetitions", type=int, default=200, help="of the randomisation, for coverage")
    parser.add_argument("--picture", type=Path, help="where to draw it")
    arguments = parser.parse_args()
    true = crowded(world(company(arguments.accounts, arguments.rounds, arguments.futures)), arguments.each)
    playbooks = declared(true)
    capacity = np.full(len(true.playbooks), round(CAPACITY * len(true.accounts)))
    alike = loop(true, playbooks, capacity, tell_apart=False)
    others = [run(true, playbooks, capacity, seed=seed, tell_apart=False) for seed in range(1, arguments.fates)]
    last_months(true, playbooks, capacity, [alike, *others])
    months = loop(true, playbooks, capacity)
    per_playbook(true, months)
    if arguments.picture:
        draw({"effects of each account": months, "one effect for all": alike}, arguments.picture)
    covered(true, playbooks, arguments.repetitions)


def company(accounts: int, rounds: int, futures: int, seed: int = 5) -> Settings:
    """A company on which nobody has acted, told at the beginning of each of so many months."""
    idle = {name: {"programme": "none"} for name in PLAYBOOKS}
    told = {"days_before_end": [30 * (month + 1) for month in range(rounds)]}
    settings = Settings.of(
        {
            "company": {"accounts": accounts, "seed": seed, "days": 400 + 30 * rounds},
            "playbooks": {**idle, **{name: {**one, "programme": "none"} for name, one in ANNOYING.items()}},
            "truth": {**told, "futures": futures, "futures_of_actions": futures},
        }
    )
    kept = {name: settings.playbooks[name] for name in (*PLAYBOOKS, *ANNOYING)}
    return settings.model_copy(update={"playbooks": kept})


def declared(true: World) -> dict[str, Playbook]:
    """As a company would that has tried nothing yet: what takes people is assumed to do more than a mail."""
    return {
        name: Playbook(
            when="true", outcome="churn", role="anybody", cost=float(cost), control=CONTROL,
            effect=EffectPrior(prior=PLAYBOOKS.get(name, ASSUMED_OF_ANNOYING), strength=STRENGTH),
        )
        for name, cost in zip(true.playbooks, true.cost, strict=True)
    }  # fmt: skip


def loop(true: World, playbooks: dict[str, Playbook], capacity: Array, *, tell_apart: bool = True) -> list[Round]:
    start = time.process_time()
    months = run(true, playbooks, capacity, tell_apart=tell_apart)
    cpu = time.process_time() - start
    print(
        f"\n{'month':>6}{'treated':>9}{'control':>9}{'captured':>14}{'possible':>14}{'regret':>14}{'share':>8}  stopped"
    )
    for one in months:
        stopped = ", ".join(name for name, known in one.playbooks.items() if known.is_stopped)
        print(
            f"{one.number + 1:>6}{one.treated:>9,}{one.control:>9,}{one.captured:>14,.0f}{one.possible:>14,.0f}"
            f"{one.possible - one.captured:>14,.0f}{one.share:>8.1%}  {stopped}",
            flush=True,
        )
    how = "an effect of each account" if tell_apart else "one effect for all"
    lines = [Line(f"month {one.number + 1}", None, note=f"{one.share:.1%} of what was possible") for one in months]
    lost = 1 - sum(one.possible for one in months) / sum(one.without_control for one in months)
    lines.append(Line("price of the control groups", None, note=f"{lost:.1%} of what is possible without them"))
    note(f"loop_{tell_apart}", f"Value captured from assumed effects on, {how} ({cpu:,.0f} CPU s)", lines)
    return months


def last_months(true: World, playbooks: dict[str, Playbook], capacity: Array, fates: list[list[Round]]) -> None:
    """What the last four months capture with one effect for all: learnt, over several fates of the same company, and with the true averages."""
    shares = [together(months, LAST)[-1] for months in fates]
    known = {
        name: one.model_copy(update={"effect": EffectPrior(prior=truth, strength=CERTAIN)})
        for (name, one), truth in zip(playbooks.items(), true_shares(true), strict=True)
    }
    most = together(run(true, known, capacity, tell_apart=False), LAST)[-1]
    told = f"{np.mean(shares):.1%} on average, standard deviation {np.std(shares):.1%}, {min(shares):.1%} to {max(shares):.1%}"
    lines = [Line(f"learnt, {len(shares)} fates", None, note=told), Line("true averages", None, note=f"{most:.1%}")]
    note("loop_last", f"Captured in the last {LAST} months, one effect for all", lines)


def true_shares(true: World) -> list[float]:
    """Of each playbook what it keeps of the accounts that are expected to be lost, all for whom it may be begun together."""
    may = ~np.isnan(true.change)
    chances = (true.chance[:, :, None] * may).sum((0, 1))
    return list(-np.nansum(true.change, axis=(0, 1)) / chances)


def per_playbook(true: World, months: list[Round]) -> None:
    """What was known of each before the last month, beside the truth about those for whom it may be begun."""
    print(f"\n{'playbook':18}{'true':>8}{'found':>9}  {'95 %, any looks':18}{'T / C':>14}  {'verdict':15}learner")
    for name, truth in zip(true.playbooks, true_shares(true), strict=True):
        last = months[-1].playbooks[name]
        share, found = last.found.share, last.found
        told = f"{share.value:>+9.3f}  {share.always.low:+.3f} to {share.always.high:+.3f}" if share else f"{'–':>9}"
        arms = f"{found.treatment:,} / {found.control:,}"
        print(f"{name:18}{truth:>+8.3f}{told:29}{arms:>14}  {found.verdict:15}{last.learner}")


def covered(true: World, playbooks: dict[str, Playbook], repetitions: int) -> None:
    held = coverage(true, playbooks, repetitions)
    lines = [Line(name, None, note=f"{share:.1%}") for name, share in held.items()]
    note(
        "loop_coverage",
        f"Intervals that held the truth, {repetitions} repetitions of {len(playbooks)} playbooks",
        lines,
    )


def draw(runs: dict[str, list[Round]], path: Path) -> None:
    """Captured of what was possible in the last three months together: accounts rest for two, so that single months differ."""
    with mpl.rc_context(STYLE):
        figure = Figure(figsize=(6.4, 3.8), layout="constrained")
        axes = figure.subplots()
        for (name, months), colour in zip(runs.items(), (MODEL, BASELINE), strict=False):
            numbers = [one.number + 1 for one in months]
            axes.plot(numbers, together(months), color=colour, marker="o", ms=3, label=name)
        axes.axhline(0.85, color=QUIET, lw=1, ls=(0, (2, 3)), label="goal: 85 %")
        axes.set(xlabel="month", ylabel="captured of what was possible, three months", ylim=(0, 1))
        axes.yaxis.set_major_formatter(lambda share, _: f"{share:.0%}")
        axes.set_title("From assumed effects to learnt ones", loc="left", fontsize=10)
        axes.legend(frameon=False, loc="lower right")
        path.parent.mkdir(parents=True, exist_ok=True)
        figure.savefig(path, dpi=160, facecolor="white")


def together(months: list[Round], count: int = 3) -> list[float]:
    """Of each month the share of it and those before it, so many together."""
    last = [months[max(0, end - count) : end] for end in range(1, len(months) + 1)]
    return [sum(one.captured for one in some) / sum(one.possible for one in some) for some in last]


if __name__ == "__main__":
    main()
