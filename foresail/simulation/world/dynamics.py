"""The life of one account, day by day: what happens to it, and what that does to its state.

`live` is the only place where anything happens. The recorded past, every future that the truth is taken from, and the
futures in which somebody acts all run through it; they differ in the key of their chance, and in whether a `book`
is there to write into.

Once a week, on its own weekday, an account's state moves and what is due is done: meetings, readings of the machines,
renewals, the programme of playbooks. On every other day at most one thing happens, and the chance of each is
rate / (1 + sum of all rates), so that the chance of an order is known exactly on every day.
"""

import math
from typing import Any

import numpy as np

from features.arrays import Array
from features.engine.compilation import compiled_without_memory
from foresail.simulation.world.randomness import bell, uniform
from foresail.simulation.world.settings import CATEGORIES, MOST_PLAYBOOKS, SITUATIONS

NEVER = -100_000
"""A day before all days."""
NO_ONE = -1
MONTH, QUARTER, HALF, YEAR = 4, 13, 26, 52
"""In weeks."""
LONGEST_WAIT = 3.0
"""In cycles: need grows no further."""
RHYTHM = math.pi / 2.0
"""A rate that grows by so much a cycle has gaps of one cycle on average (Rayleigh)."""
FATIGUE_DAYS = 90
FARTHEST = 8.0
"""In units of the state, or of a log rate: nothing goes beyond."""
SOON_DAYS = 120

ACCOUNT = np.dtype(
    [
        ("first_day", "i4"), ("weekday", "i4"), ("arms", "i4"), ("week", "i4"), ("industry", "i4"), ("opted_out", "i4"),
        ("equipment", "i4"), ("software", "i4"), ("executive", "i4"), ("review", "i4"), ("routine", "i4"),
        ("pace", "f8"), ("order_value", "f8"), ("satisfaction", "f8"), ("exposure", "f8"), ("wear", "f8"),
        ("size", "f8"), ("fit", "f8"), ("logins", "f8"), ("mix", "f8", (len(CATEGORIES),)),
        ("response", "f8", (MOST_PLAYBOOKS,)),
    ]
)  # fmt: skip
"""What an account is: it does not change.

`weekday` and `week` are where its weeks and years begin; `arms` has a bit for each playbook, set if an experiment acts on
the account, for good: control would else be treated the month after; `pace` is in cycles a day; `executive`, `review` and
`routine` say which meetings it has; `exposure` is how much of a shock reaches it; `size` is in spreads from the middle; `mix` adds up its categories.
"""

STATE = np.dtype(
    [
        ("satisfaction", "f8"), ("rival", "f8"), ("budget", "f8"), ("boost", "f8"), ("wear", "f8"),
        ("order_rate", "f8"), ("leave_rate", "f8"), ("case_rate", "f8"), ("champion_rate", "f8"),
        ("last_order", "i4"), ("left", "i4"), ("champion", "i4"), ("reference", "i4"), ("open_until", "i4"),
        ("complaint_until", "i4"), ("contract_ends", "i4"), ("notice", "i4"), ("seats", "i4"), ("replace_on", "i4"),
        ("playbook", "i4"), ("act_on", "i4"), ("last_action", "i4"), ("orders", "i4"), ("cases", "i4"),
        ("contacts", "i4"), ("last_bought", "i4", (len(CATEGORIES),)),
        ("waited", "f8"), ("expected", "f8"), ("spent", "f8"), ("replaced", "i4"), ("ended", "i4"),
        ("new_category", "i4"), ("looked_back_to", "i4"),
    ]
)  # fmt: skip
"""How an account stands at the beginning of a day.

The rates hold until something moves the state. The last seven are tallies: the chance of no order so far, the expected
and the true value ordered, machines replaced with ours, contracts ended, whether a category was bought that was not
bought since `looked_back_to`.
"""

PLAYBOOK = np.dtype(
    [
        ("situation", "i4"), ("programme", "i4"), ("delay", "i4"), ("monthly", "f8"), ("treated", "f8"),
        ("satisfaction", "f8"), ("rival", "f8"), ("boost", "f8"), ("champion", "f8"),
    ]
)  # fmt: skip
"""What the company can do; `champion` is what a champion adds to the response."""

NOTHING, EXPERIMENT, HABIT = 0, 1, 2
"""How a playbook was used."""

ANY, DUE, QUIET, COMPLAINT, NEW, ANNIVERSARY, ENDING, FAULTY, STRATEGIC, SOFTWARE = range(len(SITUATIONS))

EVENT = np.dtype(
    [
        ("account", "i4"), ("day", "i4"), ("kind", "i2"), ("word", "i2"), ("serial", "i4"),
        ("amount", "f8"), ("quantity", "f8"), ("mood", "f4"),
    ]
)  # fmt: skip
"""What is written into the book; what `word`, `serial`, `amount` and `quantity` hold depends on the kind."""

(
    ORDER_LINE, SHORTAGE, CASE, LOGIN, USE, READING, VISIT, MEETING, SURVEY, CHAMPION, REFERENCE, CONTRACT,
    ATTRIBUTE, ASSIGNED, DELIVERED,
) = range(15)  # fmt: skip

HELD, CANCELLED = 0, 1
STRATEGY, REVIEW, ROUTINE = 0, 1, 2
SIGNED, RENEWED, UPGRADED, NOTICE = 0, 1, 2, 3
JOINED, LEFT = 0, 1
REMOVED = 1
TREATED, CONTROL, CHOSEN = 0, 1, 2
MARKET_SHARE, OWNER, EMPLOYEES = 0, 1, 2
COMPLAINED, FAULT, QUESTION, REQUEST = 0, 1, 2, 3

# What chance is drawn for. A new purpose comes last: the others keep their draws.
(
    _HAPPENS, _SATISFACTION, _RIVAL, _BUDGET, _LOGIN, _VISIT, _ORDER_VALUE, _LINES, _CATEGORY, _SHORT, _TOPIC, _HOURS,
    _MEETING, _CONTRACT, _LEAVES, _REPLACES, _CHAMPION, _REFERENCE, _ENROLS, _WEAR, _DELAY, _SEVERITY, _SHARE,
    _UPGRADE,
) = range(24)  # fmt: skip
_OF_LINES = 100
_OF_PLAYBOOKS = 200
MOST_LINES = 7


DAY = np.dtype([("season", "f8"), ("shock", "f8")])
"""What all accounts of an industry share on a day: the season's log rate of orders, and what the rivals and policies of
the day add to the rival's pull and take from the budget."""


@compiled_without_memory
def pull(account: Any, state: Any, today: Any) -> Any:
    """The rival's pull, with what hits the whole industry."""
    return state.rival + account.exposure * today.shock


@compiled_without_memory
def _bounded(value: float) -> float:
    """Extreme settings give extreme histories, and no infinities."""
    return min(max(value, -FARTHEST), FARTHEST)


@compiled_without_memory
def refresh(account: Any, state: Any, today: Any, c: Any) -> None:
    """The rates that follow from a state; they hold until it moves again."""
    state.satisfaction, state.rival = _bounded(state.satisfaction), _bounded(state.rival)
    satisfaction, rival = state.satisfaction, pull(account, state, today)
    budget = _bounded(state.budget) - today.shock / 2.0
    mood = c.orders_satisfaction * satisfaction + c.orders_budget * budget - c.orders_rival * rival
    mood += state.boost + today.season
    state.order_rate = c.orders_rate * math.exp(_bounded(c.signal * mood)) * account.pace
    leaving = c.leaving_rival * rival - c.leaving_satisfaction * satisfaction - c.leaving_champion * state.champion
    state.leave_rate = c.signal * c.leaving_a_year / 365.0 * math.exp(min(leaving, 4.0))
    state.case_rate = c.service_cases_a_year / 365.0
    if account.equipment == 1 and state.wear >= 1.0:
        state.case_rate *= math.exp(c.signal * c.service_faults)
    # Where nobody speaks for us nothing comes of it; the rate is the same, so that it tells accounts nothing apart.
    state.champion_rate = c.relations_champion_leaves / 365.0


@compiled_without_memory
def live(
    first: int, last: int, key: Any, account: Any, state: Any, days: Array, days_from: int, drivers: Array, changes: int,
    playbooks: Array, book: Array, place: Array, waiting: bool, curve: Array,
) -> None:  # fmt: skip
    """Days first … last − 1 of one account; `days` (industries, days) begin with the day `days_from`.

    Of the two `drivers` the second holds from the day `changes` on. With `waiting` no order comes, and `waited` becomes
    the chance of that; what it has come to by the end of each day is added to `curve`, if that has room, up to the day before the
    account leaves.
    """
    day = max(first, account.first_day)
    while day < last and state.left < 0:
        today, c = days[account.industry, day - days_from], drivers[1 if day >= changes else 0]
        if day == changes:
            refresh(account, state, today, c)
        _what_is_due(day, key, account, state, today, c, playbooks, book, place, waiting)
        if state.left < 0:
            until = min(last, _next_due(day, changes, account, state))
            day = _until_something_happens(
                day, until, key, account, state, days[account.industry], days_from, c, book, place, waiting, curve
            )


@compiled_without_memory
def _what_is_due(
    day: int,
    key: Any,
    account: Any,
    state: Any,
    today: Any,
    c: Any,
    playbooks: Array,
    book: Array,
    place: Array,
    waiting: bool,
) -> None:
    if (day - account.weekday) % 7 == 0:
        _one_week(day, key, account, state, today, c, playbooks, book, place)
        if state.left >= 0:
            return
    if state.act_on == day:
        _act(day, account, state, today, c, playbooks, book, place)
    if state.replace_on == day:
        _replace(day, key, account, state, today, c, book, place, waiting)


@compiled_without_memory
def _next_due(day: int, changes: int, account: Any, state: Any) -> Any:
    """The next day on which something is due whatever happens."""
    due = day + 7 - (day - account.weekday) % 7
    if changes > day:
        due = min(due, changes)
    if state.act_on > day:
        due = min(due, state.act_on)
    if state.replace_on > day:
        due = min(due, state.replace_on)
    return due


@compiled_without_memory
def _until_something_happens(
    day: int, until: int, key: Any, account: Any, state: Any, days: Array, days_from: int, c: Any, book: Array, place: Array,
    waiting: bool, curve: Array,
) -> int:  # fmt: skip
    """Let days pass until something happens or is due; the day to go on with. The rates hold all the while."""
    keeping = curve.shape[0] > 0
    recording, weekend, weekday = book.shape[0] > 0, c.orders_weekend, (day - int(c.monday)) % 7
    calm, growing = 1.0 - c.orders_regularity, c.orders_regularity * RHYTHM
    rate, rare, last_order, pace = (
        state.order_rate,
        state.leave_rate + state.champion_rate,
        state.last_order,
        account.pace,
    )
    expected, waited = 0.0, state.waited
    found, others, total, chance = until, 0.0, 0.0, 1.0
    for at in range(day, until):
        working = weekend if weekday >= 5 else 1.0
        weekday = weekday + 1 if weekday < 6 else 0
        cycles = min((at - last_order) * pace, LONGEST_WAIT)
        order = rate * (calm + growing * cycles) * working
        others = rare + state.case_rate * working
        total = 1.0 + others + order
        share = 1.0 / total
        expected += order * share
        if recording:
            _seen(at, key, account, state, c, cycles, working, book, place)
        chance = uniform(key, at, _HAPPENS)
        limit = others + order
        if waiting:
            stays = 1.0 - order * share
            waited *= stays
            chance *= stays
            limit = others
        if chance < limit * share:
            found = at
            break
        if keeping:
            curve[at - days_from] += waited
    state.expected += expected * account.order_value
    state.waited = waited
    if found == until:
        return until
    _happen(found, chance * total, others, key, account, state, days[found - days_from], c, book, place)
    if keeping and state.left < 0:
        curve[found - days_from] += waited
    return found + 1


@compiled_without_memory
def _happen(
    day: int, x: float, others: float, key: Any, account: Any, state: Any, today: Any, c: Any, book: Array, place: Array
) -> None:
    """What happens on a day, by where `x` falls among the rates laid end to end; orders lie behind the others."""
    if x >= others:
        _order(day, key, account, state, today, c, book, place)
    elif x < state.leave_rate:
        state.left = day
    elif x < state.leave_rate + state.champion_rate:
        _champion_leaves(day, account, state, today, c, book, place)
    else:
        _open_case(day, key, account, state, today, c, book, place)


@compiled_without_memory
def _write(
    book: Array, place: Array, state: Any, day: int, kind: int, word: int, serial: int, amount: float, quantity: float
) -> None:
    """A line in the book, if there is one. A full book counts on, so that the caller learns how long it must be."""
    if book.shape[0] == 0:
        return
    if place[0] < book.shape[0]:
        line = book[place[0]]
        line.account, line.day, line.kind, line.word, line.serial = place[1], day, kind, word, serial
        line.amount, line.quantity, line.mood = amount, quantity, state.satisfaction
    place[0] += 1


@compiled_without_memory
def _seen(
    day: int, key: Any, account: Any, state: Any, c: Any, cycles: float, working: float, book: Array, place: Array
) -> None:
    """Traces that an account leaves on a day and that change nothing."""
    logins = min(0.95, account.logins * math.exp(c.engagement_logins_satisfaction * state.satisfaction))
    if state.contract_ends > day and uniform(key, day, _LOGIN) < logins * working:
        _write(book, place, state, day, LOGIN, 0, 0, 0.0, 0.0)
    visits = c.engagement_visits * math.exp(c.signal * c.engagement_visits_due * min(cycles, 2.0)) * working
    if uniform(key, day, _VISIT) < visits:
        _write(book, place, state, day, VISIT, 0, 0, cycles, 0.0)


@compiled_without_memory
def _order(day: int, key: Any, account: Any, state: Any, today: Any, c: Any, book: Array, place: Array) -> None:
    noise = math.exp(c.orders_value_noise * bell(key, day, _ORDER_VALUE))
    value = account.order_value * noise * c.orders_value_correction
    lines = 1
    while lines < MOST_LINES and uniform(key, day, _LINES + _OF_LINES * lines) < 1.0 - 1.0 / c.orders_lines:
        lines += 1
    for line in range(lines):
        draw, category = uniform(key, day, _CATEGORY + _OF_LINES * line), 0
        while account.mix[category] <= draw:
            category += 1
        _bought(day, state, category)
        _write(book, place, state, day, ORDER_LINE, category, state.orders, value / lines, line)
    state.spent += value
    state.orders += 1
    state.last_order = day
    if uniform(key, day, _SHORT) < c.orders_short_of_stock:
        state.satisfaction += c.orders_short_of_stock_satisfaction
        _write(book, place, state, day, SHORTAGE, 0, state.orders - 1, 0.0, 0.0)
        refresh(account, state, today, c)


@compiled_without_memory
def _bought(day: int, state: Any, category: int) -> None:
    if state.last_bought[category] <= state.looked_back_to:
        state.new_category = 1
    state.last_bought[category] = day


@compiled_without_memory
def _open_case(day: int, key: Any, account: Any, state: Any, today: Any, c: Any, book: Array, place: Array) -> None:
    draw, worn = uniform(key, day, _TOPIC), account.equipment * (state.wear >= 1.0)
    if draw < c.service_complaints:
        topic, hit = COMPLAINED, c.service_complaint_satisfaction
    elif draw < c.service_complaints + 0.25 + 0.35 * worn:
        topic, hit = FAULT, c.service_fault_satisfaction
    else:
        topic, hit = (QUESTION if draw < 0.85 else REQUEST), 0.0
    hours = c.service_hours_to_resolve * math.exp(c.service_hours_spread * bell(key, day, _HOURS))
    state.satisfaction += hit
    until = day + math.ceil(hours / 24.0)
    state.open_until = max(state.open_until, until)
    if topic == COMPLAINED:
        state.complaint_until = max(state.complaint_until, until)
    _write(book, place, state, day, CASE, topic, state.cases, hours, uniform(key, day, _SEVERITY))
    state.cases += 1
    refresh(account, state, today, c)


@compiled_without_memory
def _champion_leaves(day: int, account: Any, state: Any, today: Any, c: Any, book: Array, place: Array) -> None:
    if state.champion == 0:
        return
    state.champion = 0
    state.rival += c.relations_champion_gone
    _write(book, place, state, day, CHAMPION, LEFT, state.contacts, 0.0, 0.0)
    refresh(account, state, today, c)


@compiled_without_memory
def _act(day: int, account: Any, state: Any, today: Any, c: Any, playbooks: Array, book: Array, place: Array) -> None:
    """A playbook reaches the account. Its response has been settled by who the account is, and by who came before."""
    number = state.playbook
    playbook = playbooks[number]
    response = account.response[number] + playbook.champion * state.champion
    if day - state.last_action <= FATIGUE_DAYS:
        response -= c.programme_fatigue
    state.satisfaction += playbook.satisfaction * response
    state.rival += playbook.rival * response
    state.boost += playbook.boost * response
    state.last_action, state.act_on, state.playbook = day, NEVER, NO_ONE
    _write(book, place, state, day, DELIVERED, number, 0, 0.0, 0.0)
    # The rates are those of the week's beginning until something moves the state.
    if playbook.satisfaction != 0.0 or playbook.rival != 0.0 or playbook.boost != 0.0:
        refresh(account, state, today, c)


@compiled_without_memory
def _replace(
    day: int, key: Any, account: Any, state: Any, today: Any, c: Any, book: Array, place: Array, waiting: bool
) -> None:
    """A worn machine is replaced: with ours, which is an order, or with a rival's."""
    rival = pull(account, state, today)
    ours = _chance(
        c.equipment_replaced + c.signal * (c.equipment_satisfaction * state.satisfaction - c.equipment_rival * rival)
    )
    value = account.order_value * c.equipment_replacement_value
    state.replace_on = NEVER
    state.wear = -0.1
    state.expected += ours * value
    if not waiting and uniform(key, day, _REPLACES) < ours:
        _bought(day, state, 0)
        _write(book, place, state, day, ORDER_LINE, 0, state.orders, value, -1.0)
        state.spent += value
        state.orders += 1
        state.replaced += 1
        state.last_order = day
    else:
        if waiting:
            state.waited *= 1.0 - ours
        state.rival += c.signal * c.equipment_rival_bought
    refresh(account, state, today, c)


@compiled_without_memory
def _chance(log_odds: float) -> float:
    return 1.0 / (1.0 + math.exp(-log_odds))


@compiled_without_memory
def _one_week(
    day: int, key: Any, account: Any, state: Any, today: Any, c: Any, playbooks: Array, book: Array, place: Array
) -> None:
    week = (day - account.weekday) // 7 + account.week
    state.satisfaction += c.state_satisfaction_return * (account.satisfaction - state.satisfaction)
    state.satisfaction += c.state_satisfaction_noise * bell(key, day, _SATISFACTION)
    state.rival += c.state_rival_noise * bell(key, day, _RIVAL) - c.state_rival_return * state.rival
    state.budget += c.state_budget_noise * bell(key, day, _BUDGET) - c.state_budget_return * state.budget
    state.boost *= 0.75
    if state.open_until > day:
        state.satisfaction += c.service_open_satisfaction
    if account.equipment == 1:
        _machines(day, key, account, state, c, book, place)
    _meetings(day, week, key, account, state, today, c, book, place)
    _people(day, week, key, state, c, book, place)
    if account.software == 1:
        _contract(day, key, account, state, today, c, book, place)
    if state.left < 0:
        if week % MONTH == 0:
            _programme(day, key, account, state, c, playbooks, book, place)
        refresh(account, state, today, c)


@compiled_without_memory
def _machines(day: int, key: Any, account: Any, state: Any, c: Any, book: Array, place: Array) -> None:
    """Wear grows; the week it passes 1, faults begin, and the decision to replace is so many days away."""
    before = state.wear
    state.wear += account.wear * (1.0 + 0.3 * bell(key, day, _WEAR))
    if before < 1.0 <= state.wear and c.signal > 0.0:
        state.replace_on = day + int(c.equipment_warning_days * (0.8 + 0.4 * uniform(key, day, _DELAY)))
    _write(book, place, state, day, READING, 0, 0, state.wear, 0.0)


@compiled_without_memory
def _meetings(
    day: int, week: int, key: Any, account: Any, state: Any, today: Any, c: Any, book: Array, place: Array
) -> None:
    if account.executive == 1 and week % YEAR == 0:
        kind = STRATEGY
    elif account.review == 1 and week % QUARTER == 6:
        kind = REVIEW
    elif account.routine == 1 and week % MONTH == 2:
        kind = ROUTINE
    else:
        return
    rival = pull(account, state, today)
    log_odds = c.relations_meeting_rival * rival - c.relations_meeting_satisfaction * state.satisfaction
    cancelled = uniform(key, day, _MEETING) < _chance(c.relations_meeting_cancelled + c.signal * log_odds)
    _write(book, place, state, day, MEETING, kind, CANCELLED if cancelled else HELD, 0.0, 0.0)
    if not cancelled:
        state.satisfaction += c.relations_meeting_held


@compiled_without_memory
def _people(day: int, week: int, key: Any, state: Any, c: Any, book: Array, place: Array) -> None:
    if state.champion == 0 and uniform(key, day, _CHAMPION) < c.relations_champion_found:
        state.champion = 1
        state.contacts += 1
        _write(book, place, state, day, CHAMPION, JOINED, state.contacts, 0.0, 0.0)
    if state.reference == 1:
        feeling = c.signal * c.relations_reference_satisfaction * state.satisfaction
        if uniform(key, day, _REFERENCE) < c.relations_reference_removed * math.exp(min(-feeling, 4.0)):
            state.reference = 0
            _write(book, place, state, day, REFERENCE, REMOVED, 0, 0.0, 0.0)
    if week % QUARTER == 9:
        _write(book, place, state, day, SURVEY, 0, 0, 0.0, 0.0)
    if week % HALF == 11:
        _write(book, place, state, day, ATTRIBUTE, MARKET_SHARE, week, state.rival, uniform(key, day, _SHARE))
    if week % YEAR == 30:
        _write(book, place, state, day, ATTRIBUTE, OWNER if week % 3 == 0 else EMPLOYEES, week, 0.0, 0.0)


@compiled_without_memory
def _contract(day: int, key: Any, account: Any, state: Any, today: Any, c: Any, book: Array, place: Array) -> None:
    """Use is counted; by the last week for notice it is decided whether to renew; at its end a contract is renewed or not."""
    ends = state.contract_ends
    if ends < 0:
        return
    if day < ends or state.notice != 1:
        _write(book, place, state, day, USE, 0, state.seats, 0.0, 0.0)
    if state.notice == 0 and day + c.contracts_notice_days >= ends - 7:
        rival = pull(account, state, today)
        log_odds = c.contracts_rival * rival - c.contracts_satisfaction * state.satisfaction
        cancelled = uniform(key, day, _CONTRACT) < _chance(c.contracts_cancelled + c.signal * log_odds)
        state.notice = 1 if cancelled else 2
        if cancelled:
            state.ended += 1
            _write(book, place, state, day, CONTRACT, NOTICE, ends, state.seats, 0.0)
    if day < ends:
        return
    if state.notice == 1:
        state.contract_ends = NO_ONE
        if uniform(key, day, _LEAVES) < c.signal * c.contracts_leaves:
            state.left = day
        return
    more = _chance(c.contracts_upgraded + c.signal * c.contracts_upgraded_satisfaction * state.satisfaction)
    upgraded = uniform(key, day, _UPGRADE) < more
    if upgraded:
        state.seats += max(1, state.seats // 4)
    state.notice = 0
    state.contract_ends = ends + 7 * YEAR
    _write(book, place, state, day, CONTRACT, UPGRADED if upgraded else RENEWED, state.contract_ends, state.seats, 0.0)


@compiled_without_memory
def in_situation(situation: int, day: int, account: Any, state: Any) -> Any:
    """Whether a playbook for such a situation may begin; for the meaning of each see docs/explanation/simulation.md."""
    cycles = (day - state.last_order) * account.pace
    if situation == DUE:
        return cycles >= 0.8
    if situation == QUIET:
        return cycles >= 1.3
    if situation == COMPLAINT:
        return state.complaint_until > day
    if situation == NEW:
        return day - account.first_day < 90
    if situation == ANNIVERSARY:
        return day - account.first_day >= 365 and (day - account.first_day) % 365 < 7 * MONTH
    if situation == ENDING:
        return state.contract_ends > day and state.contract_ends - day < SOON_DAYS and state.notice == 0
    if situation == FAULTY:
        return state.wear >= 1.0
    if situation == STRATEGIC:
        return account.fit >= 4.0
    if situation == SOFTWARE:
        return state.contract_ends > day
    return True


@compiled_without_memory
def can_be_acted_on(day: int, account: Any, state: Any, rest_days: float) -> Any:
    """Not while another action is on its way, nor too soon after one, nor where the account does not want it."""
    return account.opted_out == 0 and state.act_on < day and day - state.last_action >= rest_days


@compiled_without_memory
def _programme(
    day: int, key: Any, account: Any, state: Any, c: Any, playbooks: Array, book: Array, place: Array
) -> None:
    """What the company does on its own: experiments by lot, and what managers have the habit of doing."""
    if not can_be_acted_on(day, account, state, c.programme_rest_days):
        return
    for number in range(playbooks.shape[0]):
        playbook = playbooks[number]
        if playbook.programme == NOTHING or not in_situation(playbook.situation, day, account, state):
            continue
        chance = playbook.monthly
        if playbook.programme == HABIT:
            liked = c.programme_habit_satisfaction * state.satisfaction + c.programme_habit_size * account.size
            chance *= math.exp(min(c.signal * liked, 3.0))
        if uniform(key, day, _ENROLS + _OF_PLAYBOOKS * (number + 1)) >= chance:
            continue
        arm = CHOSEN
        if playbook.programme == EXPERIMENT:
            arm = TREATED if account.arms >> number & 1 else CONTROL
        _write(book, place, state, day, ASSIGNED, number, arm, 0.0, 0.0)
        if arm != CONTROL:
            state.playbook, state.act_on = number, day + playbook.delay
            return
