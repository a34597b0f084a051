"""Who the accounts are: drawn once each, from the account's number alone, so that no block or company size matters."""

from dataclasses import dataclass

import numpy as np

from features.arrays import Array
from foresail.simulation.world.dynamics import ACCOUNT, NEVER, NO_ONE, STATE
from foresail.simulation.world.randomness import keys, mixed_all, normals, uniforms
from foresail.simulation.world.settings import CATEGORIES, INDUSTRIES, Settings

REGIONS = ("north", "south", "east", "west", "overseas")
COUNTRIES = {"north": "DE", "south": "IT", "east": "CN", "west": "FR", "overseas": "US"}
OWNERS_PER_REGION = 8
AT_MOST_OLD = 3000
"""Days before the first one since when an account can have been one."""

# What is drawn for an account.
(
    _INDUSTRY, _REGION, _OWNER, _EXISTS, _JOINED, _SIZE, _VALUE, _CYCLE, _FIT, _INFLUENCE, _SWITCHING, _WILLING,
    _OPTED_OUT, _PARENT, _EQUIPMENT, _SOFTWARE, _WEEKDAY, _WEEK, _WEAR, _LOGINS, _SATISFACTION, _SATISFIED, _RIVAL,
    _BUDGET, _SINCE, _WORN, _ENDS, _SEATS, _CHAMPION, _REFERENCE, _FOUNDED, _ACQUIRED, _GROWTH, _SHARE,
) = range(34)  # fmt: skip
_FAVOURITE, _RESPONSE, _ARM = 100, 200, 300
_WHO = 1 << 50
"""Who an account is is drawn apart from what happens to it on its days, the first of which would else know."""
FAVOURITES = 3


@dataclass(frozen=True)
class Accounts:
    """Some accounts of the company: what they are, how they stand on their first day, and what the CRM knows of them."""

    numbers: Array
    keys: Array
    """Of all chance in their histories."""
    made: Array
    """ACCOUNT, one each."""
    states: Array
    """STATE, one each."""
    attributes: dict[str, Array]
    """Each one's attributes: region, owner, size (people), strategic_fit, joined (day) and the like."""

    def __len__(self) -> int:
        return len(self.numbers)


def draw(settings: Settings, first: int, last: int) -> Accounts:
    """Accounts number first … last − 1."""
    numbers = np.arange(first, last)
    key = keys(settings.company.seed, numbers)
    who = mixed_all(key, _WHO, 0)
    attributes = _attributes(settings, who, numbers)
    made = _made(settings, who, attributes)
    return Accounts(numbers, key, made, _first_states(settings, who, made, attributes), attributes)


def _attributes(settings: Settings, key: Array, numbers: Array) -> dict[str, Array]:
    one, days = settings.accounts, settings.company.days
    exists = uniforms(key, 0, _EXISTS) < one.existing_share
    begins = uniforms(key, 0, _JOINED)
    size = normals(key, 0, _SIZE)
    fit = np.clip(np.round(3.0 + 0.5 * size + 0.9 * normals(key, 0, _FIT)), 1, 5)
    return {
        "industry": (uniforms(key, 0, _INDUSTRY) * len(INDUSTRIES)).astype(np.int32),
        "region": (uniforms(key, 0, _REGION) * len(REGIONS)).astype(np.int32),
        "owner": (uniforms(key, 0, _OWNER) * OWNERS_PER_REGION).astype(np.int32),
        "joined": np.where(exists, -1 - (begins * AT_MOST_OLD).astype(np.int32), (begins * days).astype(np.int32)),
        "size": size,
        "employees": np.maximum(3, np.round(120 * np.exp(1.1 * size))),
        "strategic_fit": fit,
        "influence": np.clip(np.round(2.5 + 0.8 * size + 0.8 * normals(key, 0, _INFLUENCE)), 1, 5),
        "switching_cost": np.clip(np.round(3.0 + 1.0 * normals(key, 0, _SWITCHING)), 1, 5),
        "willing": uniforms(key, 0, _WILLING) < 0.1 + 0.05 * fit,
        "opted_out": uniforms(key, 0, _OPTED_OUT) < one.opted_out_share,
        "parent": np.where(uniforms(key, 0, _PARENT) < one.group_share, numbers // 10 * 10, numbers),
        "founded": 1.0 + 60.0 * uniforms(key, 0, _FOUNDED),
        "acquisition_cost": np.round(200 * np.exp(0.6 * size + 0.5 * normals(key, 0, _ACQUIRED)), 2),
        "industry_growth": np.round(0.03 + 0.03 * normals(key, 0, _GROWTH), 3),
        "market_share": np.round(0.15 + 0.7 * uniforms(key, 0, _SHARE), 2),
    }


def _made(settings: Settings, key: Array, attributes: dict[str, Array]) -> Array:
    signal, size = settings.signal, attributes["size"]
    made = np.zeros(len(key), dtype=ACCOUNT)
    made["first_day"] = attributes["joined"]
    monday = -settings.company.start.weekday() % 7
    made["weekday"] = (monday + (uniforms(key, 0, _WEEKDAY) * 5).astype(np.int32)) % 7
    made["week"] = (uniforms(key, 0, _WEEK) * 52).astype(np.int32)
    made["industry"] = attributes["industry"]
    made["opted_out"] = attributes["opted_out"]
    made["equipment"] = uniforms(key, 0, _EQUIPMENT) < settings.accounts.equipment_share
    made["software"] = uniforms(key, 0, _SOFTWARE) < settings.accounts.software_share
    made["executive"], made["review"], made["routine"] = size > -0.3, size > 0.3, size > -0.8
    rhythm = np.exp(signal * settings.orders.cycle_spread * normals(key, 0, _CYCLE))
    made["pace"] = 1.0 / (settings.orders.cycle_days * rhythm)
    value_noise = 0.8 * normals(key, 0, _VALUE) + 0.6 * size
    made["order_value"] = settings.accounts.order_value * np.exp(settings.accounts.order_value_spread * value_noise)
    made["satisfaction"] = settings.state.satisfaction_between * normals(key, 0, _SATISFACTION)
    made["exposure"] = 1.6 - 0.2 * attributes["switching_cost"]
    made["wear"] = np.exp(0.3 * normals(key, 0, _WEAR)) / settings.equipment.life_weeks
    made["size"], made["fit"] = size, attributes["strategic_fit"]
    made["logins"] = np.minimum(0.9, settings.engagement.logins * np.exp(0.4 * normals(key, 0, _LOGINS)))
    made["mix"] = _mix(settings, key)
    for number, playbook in enumerate(settings.playbooks.values()):
        made["arms"] |= (uniforms(key, number, _ARM) < playbook.treated).astype(np.int32) << number
        made["response"][:, number] = (
            playbook.response
            + playbook.response_size * size
            + playbook.response_fit * (attributes["strategic_fit"] - 3.0)
            + playbook.response_noise * normals(key, number, _RESPONSE)
        )
    return made


def _mix(settings: Settings, key: Array) -> Array:
    """Cumulative shares of the categories: three favourites, which may be the same one, and a little of all others."""
    shares = np.full((len(key), len(CATEGORIES)), (1.0 - settings.orders.loyal_categories) / len(CATEGORIES))
    for favourite in range(FAVOURITES):
        chosen = (uniforms(key, favourite, _FAVOURITE) * len(CATEGORIES)).astype(np.int64)
        shares[np.arange(len(key)), chosen] += settings.orders.loyal_categories / FAVOURITES
    cumulative = np.cumsum(shares, axis=1)
    cumulative[:, -1] = 1.0
    return cumulative


def _first_states(settings: Settings, key: Array, made: Array, attributes: dict[str, Array]) -> Array:
    """How accounts stand on the first day that is recorded of them: as after a long time of the same."""
    states, state = np.zeros(len(key), dtype=STATE), settings.state
    begins = np.maximum(made["first_day"], 0)
    old = made["first_day"] < 0
    states["satisfaction"] = made["satisfaction"] + _lasting(
        state.satisfaction_noise, state.satisfaction_memory
    ) * normals(key, 0, _SATISFIED)
    states["rival"] = _lasting(state.rival_noise, state.rival_memory) * normals(key, 0, _RIVAL)
    states["budget"] = _lasting(state.budget_noise, state.budget_memory) * normals(key, 0, _BUDGET)
    # A new account comes because it needs something.
    since = np.where(old, 1.2 * uniforms(key, 0, _SINCE), 2.0)
    states["last_order"] = begins - np.round(since / made["pace"]).astype(np.int32)
    states["wear"] = np.where(old, uniforms(key, 0, _WORN), 0.3 * uniforms(key, 0, _WORN))
    states["left"], states["champion"] = NO_ONE, uniforms(key, 0, _CHAMPION) < settings.relations.champion_share
    states["reference"] = attributes["willing"] & (uniforms(key, 0, _REFERENCE) < 0.6) & old
    for never in (
        "open_until",
        "complaint_until",
        "act_on",
        "last_action",
        "replace_on",
        "last_bought",
        "looked_back_to",
    ):
        states[never] = NEVER
    states["playbook"] = NO_ONE
    states["contract_ends"] = np.where(made["software"], _first_contract_ends(key, made, begins, old), NO_ONE)
    states["seats"] = np.maximum(1, np.round(attributes["employees"] * (0.1 + 0.2 * uniforms(key, 0, _SEATS))))
    return states


def _first_contract_ends(key: Array, made: Array, begins: Array, old: Array) -> Array:
    """Contracts end on the account's own weekday, 52 weeks after they began: before the first day, or on it."""
    weeks = np.where(old, 8 + (uniforms(key, 0, _ENDS) * 44).astype(np.int32), 52)
    ends: Array = begins + (made["weekday"] - begins) % 7 + 7 * weeks
    return ends


def _lasting(noise: float, half_life: float) -> float:
    """The spread that a weekly move of `noise` keeps up, when half of it is gone after so many weeks."""
    kept = 0.5 ** (1.0 / half_life)
    return noise / float(np.sqrt(1.0 - kept**2))
