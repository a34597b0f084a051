"""docs/explanation/simulation.md, written from the declarations: python -m foresail.docgen.reference."""

from collections.abc import Iterator
from itertools import groupby

from foresail.simulation.truth.truth import KINDS, LOST, MATTERS, SAFE
from foresail.simulation.world.settings import SITUATION_MEANINGS, Settings, parameters

INTRODUCTION = """\
# A company whose truth is known

No public data set holds purchases, service cases, contracts, use and randomised interventions of the same accounts, together with
the truth about them. `foresail simulate` makes a company that does: a maker of equipment and software, from 300 accounts to a million,
day by day. What its systems would export goes into one folder, with the `foresail.toml` that maps it; what is true goes into
another one, which the pipeline never reads. **Nothing in it is real data.** Use it to find out whether a method finds what is there.

```sh
foresail simulate my-company --accounts 600 --seed 7
foresail ingest --project my-company --as-of 2025-01-01
foresail train churn --project my-company --as-of 2024-10-03
foresail evaluate churn --project my-company --as-of 2024-10-03 --known-by 2025-01-01 --truth my-company-truth
```

The last one opens the truth: how much of what could be known the model knew, how far its probabilities are from the true ones, and
what acting on them would have brought: a win-back offer to one in ten of the active accounts that have been quiet, chosen in
several ways. `foresail demo --company simulated` does all of this with 3,000 accounts in a minute and a half. (`foresail` is
`.venv/bin/foresail` in a clone.) With three hundred accounts or fewer the recency rule is often all that the data can carry, and the model is that rule.

## What moves what

![The causal graph](../images/simulation.svg)

Every account has a state that nobody sees: satisfaction, a rival's pull, budget, need, and the wear of its machines. Once a week it moves,
by chance and by what has happened; every day something may happen, more or less likely by the state. At most one of these happens on
a day: an order, a case, a champion's leaving, the account's leaving. The chance of each is its rate / (1 + sum of all rates), so that it is
known exactly. What is due by the calendar happens besides: meetings, surveys, renewals, readings of the machines, playbooks.

Chance is a function of seed, account, day and purpose. So no life depends on how many accounts are simulated, in what order
or by how many threads; an account more, or a playbook more, changes nobody else's luck; and two futures that differ in one deed differ by
nothing but that deed. An account's arm in an experiment is drawn once, for good.

The same settings, seed and version give the same company to the last bit on one machine. On another one a library's logarithm may round
differently.

## The truth

From where each account stands at a moment its life is simulated again and again, with shocks, programme and all. No order within the
horizon is not counted but multiplied up, day by day, so that its error is small; what is counted has the error √(p(1 − p)/futures).
Nobody who sees only the exports can rank better than the true probabilities do: they know the state, and who has left already.
Values are those of orders, before anything is sent back or called off. Moments are midnights UTC.

`targets`, one row per account that has joined by the moment:

| column | meaning |
| --- | --- |
| `active` | ordered within `truth.active_days`: who may be scored for churn |
| `in_contract` | a contract is in force |
| `yearly_pace` | ordered in the 365 days before; of a younger account scaled up to a year, as if it had been one for 90 days at least |
| `churn`, `churn_error` | probability of no order within `truth.horizon_days`, and its standard error; 1 for an account that has left |
| `contraction`, `upsell` | probability that it orders less than 1 − `truth.contraction`, or more than 1 + `truth.expansion` (or replaces a machine with ours), of `yearly_pace` × horizon / 365 |
| `cross_sell` | probability that it orders from a category that it has not ordered from for `truth.lookback_days` |
| `contract_churn` | probability that it gives notice, or that a contract ends of which it had given notice; 0 without a contract |
| `value`, `value_error` | expected value ordered within `truth.value_days`, and its standard error |
| `next_order_p10`, `_p50`, `_p90` | days until the next order that so many percent of the futures do not exceed; infinite beyond `truth.value_days` |

`states`, one row per account that has joined: `satisfaction`, `rival`, `budget`, `wear`, `boost` (what a playbook has added to the rate of
orders, fading), `has_left`, `days_since_order`.

`effects`, one row per account, active or not, and playbook that may begin with it now, one at a time, while nobody else acts:

| column | meaning |
| --- | --- |
| `churn_without` | probability of churn if nobody acts |
| `churn_change`, `value_change` | what acting adds to that, and to the value ordered within `truth.value_days`; `…_error` are the standard errors |
| `net` | `value_change` × `orders.margin` − cost |
| `kind` | see below |

`allocation`, one row per account that should be acted on: the playbook, in the allocation with the most net value that the capacities allow.
`lifetimes`, one row per account: `joined_at`, `left_at` (the last moment of its last day), `orders` and `ordered` within the days that are recorded.
The files hold a little less, because lines come late or have lost their account. `company.json` keeps every setting, and how many rows
reporting has delayed, doubled and robbed of their account."""


def simulation_page() -> str:
    """The whole page."""
    return "\n".join([INTRODUCTION, "", *_kinds(), "", *_exports(), "", *_playbooks(), "", *_settings(), ""])


def _kinds() -> Iterator[str]:
    meanings = (
        f"acting lowers the probability of churn by more than {100 * MATTERS:.0f} points",
        f"it does not, and the probability is {SAFE:.0%} at most",
        f"it does not, and the probability is {LOST:.0%} at least",
        f"acting raises it by more than {100 * MATTERS:.0f} points",
        "it does not, and the probability lies between",
    )
    yield from ("| `kind` | meaning |", "| --- | --- |")
    yield from (f"| {kind} | {meaning} |" for kind, meaning in zip(KINDS, meanings, strict=True))


def _exports() -> Iterator[str]:
    yield from (
        "## The exports", "",
        "| system | files | shape | becomes |", "| --- | --- | --- | --- |",
        "| CRM | `crm/crm.db` (SQLite) | tables: versions of accounts, contacts, contracts, champions and references | accounts, contacts, contracts, engagement |",
        "| ERP | `erp/orders-*.csv`, `erp/backorders-*.csv` | a file a month of order lines; position 1xx sends a line back or calls it off, 2xx takes off what was booked wrong, 3xx books it again | purchases, engagement |",
        "| calendar | `calendar/meetings-*.csv` | held and cancelled meetings | engagement |",
        "| surveys | `surveys/surveys-*.csv` | answers to would you recommend us | engagement |",
        "| help desk | `helpdesk/cases-*.parquet` | one row per case with all its times, each of which becomes an event | service |",
        "| product | `product/logins-*.parquet`, `product/usage-*.parquet` | logins; minutes a week and function | engagement |",
        "| machines | `machines/telemetry-*.parquet` | faults and energy a week, an event each | engagement |",
        "| web shop | `webshop/visits-*.parquet` | pages and carts | engagement |",
        "| marketing | `marketing/outreach-*.parquet` | what was done to whom | engagement |",
        "| programme | `programme/assignments-*.csv` | which account entered which playbook, randomised or chosen by a manager, and its arm | not read yet: for measuring effects |",
        "",
        "Rows come late, stand there twice, have lost their account, or were booked wrong and are put right later, as the settings of",
        "`reporting` say. What had not been entered by the end is in no file. A system of which there is not a row is not in `foresail.toml`.",
    )  # fmt: skip


def _playbooks() -> Iterator[str]:
    yield from (
        "## The playbooks", "",
        "A playbook moves the state, not the outcome: its push times the account's response. The response is 1 as hoped, 0 for none, and below 0 for an",
        "account that is annoyed; it depends on size, fit, a champion, on how recently somebody acted before, and on what nobody sees.",
        "Those of an experiment were randomised among the accounts in the situation; those of habit by managers, who like to visit",
        "large accounts that like them: **compared without care, habit looks better than it is.**", "",
        "| playbook | situation | used as | role | cost | on satisfaction, rival's pull, orders | response: average, size, fit, champion, unseen |",
        "| --- | --- | --- | --- | --- | --- | --- |",
    )  # fmt: skip
    for name, one in Settings().playbooks.items():
        pushes = f"{one.satisfaction:+g}, {one.rival:+g}, {one.boost:+g}"
        response = f"{one.response:+g}, {one.response_size:+g}, {one.response_fit:+g}, {one.response_champion:+g}, ±{one.response_noise:g}"
        yield f"| {name} | {one.situation} | {one.programme} | {one.role} | {one.cost:g} | {pushes} | {response} |"
    yield from ("", "| situation | meaning |", "| --- | --- |")
    yield from (f"| {name} | {meaning} |" for name, meaning in SITUATION_MEANINGS.items())


def _settings() -> Iterator[str]:
    yield from (
        "## The settings", "",
        "All of them, with `--set KEY=VALUE`, or section by section in a TOML file for `--settings`:", "",
        "```sh",
        "foresail simulate no-signal --accounts 300 --set signal=0",
        "foresail simulate drifting --accounts 300 --set shift.at_day=500 --set shift.satisfaction=0 --set shift.rival=3",
        "foresail simulate broken --accounts 300 --set broken.source=usage --set broken.how=missing --set broken.from_day=600",
        "```", "",
        "With `signal=0` accounts order at the same rate, nobody leaves, and no state matters: every ranking by risk of churn is worth 0.5. `shift` changes",
        "the drivers at a date, `broken` makes a source fail; what is doubled, ingest recognises. In a file, with a playbook of your own:",
        "",
        "```toml",
        "[company]",
        "accounts = 300",
        "[truth]",
        "days_before_end = [90, 0]",
        "[playbooks.site_visit]",
        'situation = "faults rise"',
        'programme = "experiment"',
        "satisfaction = 0.6",
        "cost = 250",
        "```",
    )  # fmt: skip
    for section, rows in groupby(parameters(), key=lambda one: one.key.rpartition(".")[0]):
        yield from ("", f"### {section or 'signal'}", "", _meaning(section), "")
        yield from ("| setting | default | allowed | unit | meaning |", "| --- | --- | --- | --- | --- |")
        yield from (f"| `{one.key}` | {one.default} | {one.allowed} | {one.unit} | {one.meaning} |" for one in rows)


def _meaning(section: str) -> str:
    """What a section is about: the first line of its class."""
    if not section:
        return "How much there is to be found."
    name = section.partition(".")[0]
    if name == "playbooks":
        return "One way to act on an account, and what it truly does; the defaults are those of a playbook that says nothing else."
    return str(type(Settings.model_fields[name].default).__doc__)
