"""Every parameter of the simulated company, with its meaning, unit and default.

One configuration, `Settings`, is the whole input of the simulation. docs/explanation/simulation.md lists it, `foresail simulate
--parameters` prints it, and a test changes it with `Settings.of({"signal": 0, "company": {"accounts": 300}})`.
"""

import difflib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Annotated, Any, Literal, Self

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, ValidationError, model_validator

from features.errors import ExitCode, ForesailError

VERSION = 1
"""Of the simulation: the same settings under the same version give the same company, to the last byte of truth."""

INDUSTRIES = ("machines", "food", "retail", "chemicals", "logistics", "health")
CATEGORIES = ("machines", "spare parts", "tools", "consumables", "software", "training", "service", "sensors")
SITUATION_MEANINGS = {
    "any": "at any time",
    "due": "0.8 cycles or more since the last order",
    "quiet": "1.3 cycles or more since the last order",
    "complaint": "a complaint is open",
    "new": "an account for less than 90 days",
    "anniversary": "within four weeks after a full year as an account",
    "contract ends": "a contract ends within 120 days, and nothing is decided",
    "faults rise": "a machine is worn, and reports faults",
    "strategic": "strategic fit of 4 or 5",
    "software": "a contract is in force",
}
"""When a playbook may begin. A cycle is the account's own usual time between orders."""
SITUATIONS = tuple(SITUATION_MEANINGS)
SOURCES = (
    "accounts", "contacts", "contracts", "meetings", "relations", "orders", "backorders", "cases", "logins", "usage",
    "telemetry", "visits", "surveys", "outreach",
)  # fmt: skip
"""The exports of the company, by the name that foresail.toml gives them."""
WITH_NUMBERS = ("accounts", "contracts", "orders", "backorders", "cases", "usage", "telemetry", "surveys")
"""Those that a smaller unit would spoil."""


class SettingsError(ForesailError, ValueError):
    """A setting is unknown or out of its bounds; the message names it and says what it must be."""

    exit_code = ExitCode.USAGE


def parameter(default: Any, meaning: str, unit: str = "", **bounds: Any) -> Any:
    """A parameter as the documentation lists it."""
    return Field(default=default, description=meaning, json_schema_extra={"unit": unit}, **bounds)


def share(default: float, meaning: str, unit: str = "share") -> Any:
    """A parameter between 0 and 1."""
    return parameter(default, meaning, unit, ge=0.0, le=1.0)


def weight(default: float, meaning: str, unit: str = "log rate per unit") -> Any:
    """How strongly a cause acts."""
    return parameter(default, meaning, unit, ge=-10.0, le=10.0)


def spread(default: float, meaning: str, unit: str = "units") -> Any:
    """A standard deviation, or another size that is not negative."""
    return parameter(default, meaning, unit, ge=0.0, le=5.0)


def _several(value: Any) -> Any:
    """A list of whole numbers, however it is written: 90, [90, 0] or 90,0."""
    if isinstance(value, str):
        value = value.strip("[] ").split(",")
    given = [value] if isinstance(value, int) else value
    try:
        return tuple(int(one) for one in given)
    except (TypeError, ValueError):
        raise ValueError("write whole numbers, like [90, 0]") from None


def _one_of(words: Sequence[str]) -> AfterValidator:
    def check(value: str) -> str:
        if value not in words:
            raise ValueError(f"it must be one of {', '.join(words)}")
        return value

    return AfterValidator(check)


class Section(BaseModel):
    """A group of parameters."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class CompanySettings(Section):
    """How large the company is, and when."""

    accounts: int = parameter(1000, "accounts that the company has had by the end", "accounts", ge=1, le=10_000_000)
    start: date = parameter(
        date(2023, 1, 1), "first day that is recorded, like 2023-01-01", ge=date(1920, 1, 1), le=date(2150, 1, 1)
    )
    days: int = parameter(731, "days that are recorded", "days", ge=120, le=3650)
    seed: int = parameter(0, "seed of everything random", ge=0, le=2**53)


class AccountsSettings(Section):
    """Who the accounts are."""

    existing_share: float = share(0.60, "were accounts before the first day; the others come evenly until the last")
    order_value: float = parameter(1800.0, "value of an order of the median account", "currency", gt=0, le=1e9)
    order_value_spread: float = spread(
        1.3, "spread of the typical order between accounts; 1.3 makes revenue 80/20", "log"
    )
    opted_out_share: float = share(0.01, "do not want to be contacted or profiled")
    group_share: float = share(0.12, "belong to the group of another account")
    equipment_share: float = share(0.60, "run our machines, which report their state")
    software_share: float = share(0.70, "have a software contract, which means logins, usage and renewals")


class StateSettings(Section):
    """The latent state of an account: satisfaction, rival's pull, budget. Nobody sees it; everything follows from it."""

    satisfaction_between: float = spread(0.45, "spread of what satisfaction returns to, between accounts")
    satisfaction_noise: float = spread(0.17, "what satisfaction moves in a week without a reason")
    satisfaction_memory: float = parameter(26.0, "half-life of any move of satisfaction", "weeks", gt=0, le=520)
    rival_noise: float = spread(0.20, "what the rival's pull moves in a week")
    rival_memory: float = parameter(16.0, "half-life of any move of the rival's pull", "weeks", gt=0, le=520)
    budget_noise: float = spread(0.16, "what the budget moves in a week")
    budget_memory: float = parameter(20.0, "half-life of any move of the budget", "weeks", gt=0, le=520)


class WorldSettings(Section):
    """What happens to whole industries at once."""

    shocks_per_year: float = parameter(
        0.7, "shocks to an industry: a rival's offer or a change of policy", "a year", ge=0, le=50
    )
    shock_size: float = spread(0.8, "how much a shock adds to the rival's pull, and takes from the budget")
    shock_memory: float = parameter(12.0, "half-life of a shock", "weeks", gt=0, le=520)
    season: float = spread(0.25, "how far an industry's orders swing in a year", "log")


class OrdersSettings(Section):
    """When an account orders, and what."""

    cycle_days: float = parameter(
        56.0, "days between orders of the median account in a neutral state", "days", ge=2, le=2000
    )
    cycle_spread: float = spread(0.25, "spread of that rhythm between accounts", "log")
    regularity: float = share(
        0.70, "how regular the rhythm is: 0 orders at any time, 1 need grows with every day", "0 to 1"
    )
    satisfaction: float = weight(0.66, "satisfaction on orders")
    budget: float = weight(0.25, "budget on orders")
    rival: float = weight(0.32, "rival's pull on orders, taken off")
    weekend: float = share(0.10, "rate of orders, cases, logins and visits on a Saturday or Sunday")
    value_noise: float = spread(0.50, "spread of the value of an account's orders", "log")
    lines: float = parameter(2.2, "lines of an order", "lines", ge=1, le=7)
    loyal_categories: float = share(0.80, "share of lines from the three categories that an account usually buys")
    margin: float = share(0.35, "what is left of an order's value after the cost of what was sold")
    returned: float = share(0.03, "lines that are sent back")
    called_off: float = share(0.01, "lines that are called off before delivery")
    short_of_stock: float = share(0.05, "orders of which something was out of stock")
    short_of_stock_satisfaction: float = weight(-0.20, "missing stock on satisfaction", "units")


class LeavingSettings(Section):
    """When an account leaves for good, without a word."""

    a_year: float = parameter(0.035, "accounts that leave in a neutral state", "a year", ge=0, le=50)
    satisfaction: float = weight(1.0, "satisfaction on leaving, taken off")
    rival: float = weight(0.8, "rival's pull on leaving")
    champion: float = weight(0.5, "a champion on leaving, taken off")


class ServiceSettings(Section):
    """Cases: what goes wrong, how long it takes to put right, and what that does."""

    cases_a_year: float = parameter(2.5, "cases of an account whose machines are sound", "a year", ge=0, le=1000)
    faults: float = weight(1.1, "worn machines on cases")
    complaints: float = share(0.20, "share of cases that are complaints")
    complaint_satisfaction: float = weight(-0.55, "a complaint on satisfaction", "units")
    fault_satisfaction: float = weight(-0.25, "a fault on satisfaction", "units")
    open_satisfaction: float = weight(-0.12, "a week with a case open on satisfaction", "units")
    hours_to_resolve: float = parameter(60.0, "hours to resolve the median case", "hours", gt=0, le=10_000)
    hours_spread: float = spread(1.1, "spread of those hours", "log")


class RelationSettings(Section):
    """People: meetings, champions, references."""

    meeting_cancelled: float = weight(-2.2, "meetings that a neutral account cancels", "log-odds")
    meeting_satisfaction: float = weight(1.3, "satisfaction on cancelling, taken off", "log-odds per unit")
    meeting_rival: float = weight(0.9, "rival's pull on cancelling", "log-odds per unit")
    meeting_held: float = weight(0.05, "a meeting held on satisfaction", "units")
    champion_share: float = share(0.70, "accounts with somebody who speaks for us")
    champion_leaves: float = parameter(0.20, "champions who leave", "a year", ge=0, le=50)
    champion_gone: float = weight(0.60, "a champion's leaving on the rival's pull", "units")
    champion_found: float = share(0.01, "accounts without a champion that find one", "share a week")
    reference_removed: float = share(0.01, "references that a neutral account takes back", "share a week")
    reference_satisfaction: float = weight(2.0, "satisfaction on taking it back, taken off")


class ContractsSettings(Section):
    """Software contracts of 52 weeks that are renewed unless cancelled."""

    notice_days: int = parameter(45, "days before the end by which a contract must be cancelled", "days", ge=0, le=180)
    cancelled: float = weight(-1.9, "contracts that a neutral account cancels", "log-odds")
    satisfaction: float = weight(1.4, "satisfaction on cancelling, taken off", "log-odds per unit")
    rival: float = weight(1.1, "rival's pull on cancelling", "log-odds per unit")
    upgraded: float = weight(-1.4, "renewals of a neutral account with more seats", "log-odds")
    upgraded_satisfaction: float = weight(0.9, "satisfaction on taking more seats", "log-odds per unit")
    leaves: float = share(0.40, "accounts that leave altogether when a cancelled contract ends")


class EquipmentSettings(Section):
    """Machines: they wear, report faults when worn, and some three months later must be replaced."""

    life_weeks: float = parameter(170.0, "weeks until a machine is worn", "weeks", ge=4, le=5000)
    warning_days: int = parameter(
        90, "days from the first faults of wear to the decision to replace", "days", ge=7, le=1000
    )
    replaced: float = weight(0.6, "worn machines that a neutral account replaces with ours", "log-odds")
    satisfaction: float = weight(1.0, "satisfaction on replacing with ours", "log-odds per unit")
    rival: float = weight(1.0, "rival's pull on replacing with ours, taken off", "log-odds per unit")
    replacement_value: float = parameter(8.0, "value of a replacement", "typical orders", gt=0, le=1000)
    rival_bought: float = weight(0.7, "a machine bought from a rival on the rival's pull", "units")
    faults_a_week: float = parameter(0.15, "faults that a sound machine reports", "a week", ge=0, le=1000)
    worn_faults: float = parameter(9.0, "how many times more a worn one reports", "times", ge=1, le=1000)


class EngagementSettings(Section):
    """What shows of the state in how our products and pages are used."""

    logins: float = share(0.18, "chance of a login on a working day, of a software account in a neutral state")
    logins_satisfaction: float = weight(0.90, "satisfaction on logins")
    usage: float = parameter(
        140.0, "minutes of use in a week of a neutral account, a function", "minutes", gt=0, le=1e6
    )
    usage_satisfaction: float = weight(0.60, "satisfaction on minutes of use")
    usage_noise: float = spread(0.30, "spread of the minutes from week to week", "log")
    visits: float = share(0.045, "chance of a visit to the web shop on a day, when no order is due")
    visits_due: float = weight(0.8, "a due order on visits", "log rate per cycle")
    survey_answered: float = weight(-1.0, "surveys that a neutral account answers", "log-odds")
    survey_feeling: float = weight(
        1.1, "feeling, content or furious, on answering", "log-odds per unit of satisfaction"
    )
    nps: float = weight(7.2, "answer of a neutral account to would you recommend us", "0 to 10")
    nps_satisfaction: float = weight(2.0, "satisfaction on that answer", "points per unit")
    nps_noise: float = spread(1.1, "spread of the answers", "points")


class PlaybookSettings(Section):
    """One way to act on an account, and what it truly does."""

    situation: Annotated[str, _one_of(SITUATIONS)] = parameter("any", "when it may begin: one of the situations above")
    role: str = parameter("success_manager", "who carries it out: a name of your own")
    channel: str = parameter("phone", "how it reaches the account: a word of your own")
    cost: float = parameter(100.0, "what it costs to act once", "currency", ge=0, le=1e9)
    delay_days: int = parameter(3, "days from the decision to the account", "days", ge=1, le=60)
    capacity: float = share(0.02, "accounts that can be acted on at one time", "share of accounts")
    satisfaction: float = weight(0.0, "on satisfaction, where the response is 1", "units")
    rival: float = weight(0.0, "on the rival's pull, where the response is 1", "units")
    boost: float = weight(0.0, "on the rate of orders for some weeks, where the response is 1", "log rate")
    response: float = weight(0.6, "response of an average account: 1 as hoped, 0 none, below 0 annoyed", "response")
    response_size: float = weight(0.0, "size of the account on the response", "response per spread")
    response_fit: float = weight(0.0, "strategic fit on the response", "response per point beyond 3")
    response_champion: float = weight(0.0, "a champion on the response", "response")
    response_noise: float = spread(0.35, "spread of the response for reasons that nobody sees", "response")
    programme: Literal["experiment", "habit", "none"] = parameter(
        "none", "how it was used: an experiment with a control group, managers' habit, or not at all"
    )
    monthly: float = share(0.05, "accounts in the situation that enter it in four weeks")
    treated: float = share(0.5, "of those in an experiment, the share that is acted on")


def _playbooks() -> dict[str, PlaybookSettings]:
    """The playbooks of a key-account programme, each with a true effect of its own shape."""
    return {
        "win_back_offer": PlaybookSettings(
            situation="quiet", cost=160, satisfaction=0.35, rival=-0.6, boost=0.5, response=0.45, response_size=0.25,
            response_champion=0.45, response_noise=0.5, programme="experiment", monthly=0.25,
        ),
        "repair_plan": PlaybookSettings(
            situation="complaint", role="support_lead", cost=220, delay_days=1, satisfaction=0.7, response=0.8,
            response_fit=0.15, programme="experiment", monthly=0.3,
        ),
        "business_review": PlaybookSettings(
            situation="strategic", role="account_manager", channel="in person", cost=400, delay_days=10,
            satisfaction=0.45, rival=-0.45, response=0.6, response_size=0.3, programme="habit", monthly=0.12,
        ),
        "insight_report": PlaybookSettings(
            situation="any", role="marketing", channel="mail", cost=15, satisfaction=0.12, response=0.3,
            response_size=0.3, response_noise=0.6, programme="experiment", monthly=0.04,
        ),
        "coupon": PlaybookSettings(
            situation="due", role="marketing", channel="mail", cost=40, delay_days=1, boost=0.5, rival=-0.1,
            response=0.4, response_size=-0.3, response_noise=0.4, programme="experiment", monthly=0.1,
        ),
        "upgrade_plan": PlaybookSettings(
            situation="faults rise", role="account_manager", cost=300, satisfaction=0.5, rival=-0.7, response=0.7,
            response_champion=0.3, programme="habit", monthly=0.3,
        ),
        "renewal_talk": PlaybookSettings(
            situation="contract ends", cost=120, satisfaction=0.3, rival=-0.5, response=0.4, response_champion=0.5,
            response_noise=0.5, programme="experiment", monthly=0.25,
        ),
        "welcome_guide": PlaybookSettings(
            situation="new", role="marketing", channel="mail", cost=20, satisfaction=0.25, response=0.7,
            programme="experiment", monthly=0.4,
        ),
        "loyalty_call": PlaybookSettings(
            situation="any", cost=60, satisfaction=0.25, rival=-0.25, response=-0.3, response_champion=0.35,
            response_noise=0.5, programme="habit", monthly=0.03,
        ),
        "member_event": PlaybookSettings(
            situation="due", role="marketing", channel="in person", cost=150, delay_days=14, satisfaction=0.3, boost=0.2,
            response=0.3, response_size=-0.2, response_champion=0.3, programme="habit", monthly=0.04,
        ),
        "anniversary_greeting": PlaybookSettings(
            situation="anniversary", role="marketing", channel="mail", cost=5, satisfaction=0.1, response=0.3,
            response_noise=0.5, programme="experiment", monthly=0.5,
        ),
        "beta_invitation": PlaybookSettings(
            situation="software", role="product_manager", channel="mail", cost=50, delay_days=7, satisfaction=0.3,
            response=0.35, response_fit=0.25,
        ),
        "dedicated_team": PlaybookSettings(
            situation="strategic", role="account_manager", channel="in person", cost=2500, delay_days=14, capacity=0.005,
            satisfaction=0.9, rival=-0.9, response=0.8, response_size=0.2,
        ),
        "joint_growth_plan": PlaybookSettings(
            situation="strategic", role="account_manager", channel="in person", cost=1200, delay_days=21, capacity=0.01,
            satisfaction=0.4, rival=-0.3, boost=0.6, response=0.5, response_fit=0.4, response_champion=0.3,
        ),
        "account_plan": PlaybookSettings(
            situation="quiet", role="account_manager", cost=500, delay_days=7, capacity=0.01, satisfaction=0.6,
            rival=-0.4, response=0.6, response_size=0.4, response_noise=0.4,
        ),
    }  # fmt: skip


class ProgrammeSettings(Section):
    """How the company has acted so far: experiments with a control group, and managers who follow their habits."""

    rest_days: int = parameter(
        45, "days for which an account is left alone after it was acted on", "days", ge=0, le=3650
    )
    fatigue: float = weight(0.7, "an action within the last 90 days on the response to the next, taken off", "response")
    habit_satisfaction: float = weight(
        0.9, "satisfaction on whom managers choose: they like to visit those who like them"
    )
    habit_size: float = weight(0.6, "size on whom managers choose", "log rate per spread")


class ReportingSettings(Section):
    """How what happened becomes rows of a file: late, twice, without an id, wrong at first."""

    late_share: float = share(0.04, "rows that are entered late")
    late_days: float = parameter(12.0, "days by which they are late, on average", "days", ge=0, le=400)
    duplicate_share: float = share(0.004, "rows of a file that stand there twice")
    missing_id_share: float = share(0.003, "order lines and visits without an account id")
    corrected_share: float = share(0.006, "order lines entered with a wrong amount and put right some days later")


class ShiftSettings(Section):
    """The drivers change at a date: what mattered before matters less, or more."""

    at_day: int | None = parameter(
        None, "day, counted from the first, from which on the factors hold; none for never", "days"
    )
    satisfaction: float = parameter(
        1.0, "factor on satisfaction where it drives what happens, not where it merely shows", "times", ge=-10, le=10
    )
    rival: float = parameter(1.0, "factor on the rival's pull where it drives what happens", "times", ge=-10, le=10)
    orders: float = parameter(1.0, "factor on the rate of orders", "times", gt=0, le=10)


class BreakSettings(Section):
    """A source that fails for some days."""

    source: Annotated[str, _one_of(SOURCES)] | None = parameter(
        None, f"the export that fails, one of {', '.join(SOURCES)}; none for none"
    )
    how: Literal["missing", "doubled", "thousandfold"] = parameter(
        "missing",
        "missing: its rows are; doubled: they stand there twice; thousandfold: their numbers are in a smaller unit",
    )
    from_day: int = parameter(600, "first day of it, counted from the first", "days", ge=0, le=7300)
    days: int = parameter(60, "for how long", "days", ge=1, le=7300)


class TruthSettings(Section):
    """What is known of the future, because it is simulated again and again from where an account stands."""

    days_before_end: Annotated[tuple[int, ...], BeforeValidator(_several)] = parameter(
        (90, 0), "moments for which the truth is told, counted back from the end", "days"
    )
    horizon_days: int = parameter(90, "horizon of every probability", "days", ge=7, le=3650)
    value_days: int = parameter(180, "horizon of value, and of the value of an action", "days", ge=7, le=3650)
    active_days: int = parameter(180, "an account is active for so long after an order", "days", ge=7, le=3650)
    lookback_days: int = parameter(
        365, "a category counts as new if it was not bought for so long", "days", ge=7, le=3650
    )
    contraction: float = share(0.5, "contraction: more than that share of the account's usual orders is missing")
    expansion: float = parameter(
        0.5, "upsell: more than that share comes on top of the account's usual orders", "share", ge=0, le=100
    )
    futures: int = parameter(80, "futures per account that probabilities are taken from", "futures", ge=2, le=100_000)
    futures_of_actions: int = parameter(12, "pairs of futures per account and playbook", "futures", ge=2, le=100_000)


class Settings(Section):
    """The whole company."""

    signal: float = share(1.0, "how much of all that tells accounts apart is left: 0 makes them all the same", "0 to 1")
    company: CompanySettings = CompanySettings()
    accounts: AccountsSettings = AccountsSettings()
    state: StateSettings = StateSettings()
    world: WorldSettings = WorldSettings()
    orders: OrdersSettings = OrdersSettings()
    leaving: LeavingSettings = LeavingSettings()
    service: ServiceSettings = ServiceSettings()
    relations: RelationSettings = RelationSettings()
    contracts: ContractsSettings = ContractsSettings()
    equipment: EquipmentSettings = EquipmentSettings()
    engagement: EngagementSettings = EngagementSettings()
    programme: ProgrammeSettings = ProgrammeSettings()
    playbooks: dict[str, PlaybookSettings] = Field(default_factory=_playbooks)
    reporting: ReportingSettings = ReportingSettings()
    shift: ShiftSettings = ShiftSettings()
    broken: BreakSettings = BreakSettings()
    truth: TruthSettings = TruthSettings()

    @classmethod
    def of(cls, changes: Mapping[str, Any]) -> Self:
        """The default company with some settings changed, section by section; SettingsError for what cannot be."""
        given = dict(changes)
        if isinstance(given.get("playbooks"), Mapping):
            given["playbooks"] = _with_defaults(given["playbooks"])
        try:
            return cls.model_validate(given)
        except ValidationError as error:
            raise SettingsError("\n".join(_problem(one) for one in error.errors())) from None

    @model_validator(mode="after")
    def _fits(self) -> Self:
        problems = [problem for problem in self._problems() if problem]
        if problems:
            raise ValueError("\n".join(problems))
        return self

    def _problems(self) -> Iterator[str]:
        """What each setting allows by itself and the company does not, or what would do nothing without a word."""
        days, truth, shift, broken = self.company.days, self.truth, self.shift, self.broken
        if not truth.days_before_end or not all(0 <= before < days for before in truth.days_before_end):
            yield f"truth.days_before_end must be one or more numbers from 0 to {days - 1}, which is company.days less one"
        if truth.value_days < truth.horizon_days:
            yield f"truth.value_days ({truth.value_days}) must not be less than truth.horizon_days ({truth.horizon_days})"
        if shift.at_day is None and (shift.satisfaction, shift.rival, shift.orders) != (1.0, 1.0, 1.0):
            yield "shift has factors and no date: say shift.at_day, the day from which they hold"
        if shift.at_day is not None and not 0 <= shift.at_day < days:
            yield f"shift.at_day is {shift.at_day}: it must lie between 0 and {days - 1}"
        if broken.source is not None and broken.from_day >= days:
            yield f"broken.from_day is {broken.from_day}: it must lie before day {days}, on which the records end"
        if broken.how == "thousandfold" and broken.source is not None and broken.source not in WITH_NUMBERS:
            yield f"broken.how: {broken.source} has no numbers; {', '.join(WITH_NUMBERS)} have"
        if len(self.playbooks) > MOST_PLAYBOOKS:
            yield f"playbooks: {len(self.playbooks)} are too many; at most {MOST_PLAYBOOKS}"
        for name, one in self.playbooks.items():
            if (one.satisfaction, one.rival, one.boost) == (0.0, 0.0, 0.0) and name not in _playbooks():
                near = difflib.get_close_matches(name, _playbooks(), n=2)
                hint = f"; nearest of the usual ones: {', '.join(near)}" if near else ""
                yield f"playbooks.{name} moves nothing: say satisfaction, rival or boost{hint}"

    @property
    def end(self) -> date:
        """The day after the last one."""
        return self.company.start + timedelta(days=self.company.days)


MOST_PLAYBOOKS = 16


def _with_defaults(playbooks: Mapping[str, Any]) -> dict[str, Any]:
    """The usual playbooks with what was said of some of them; one that is new must say all that matters to it."""
    merged: dict[str, Any] = {name: one.model_dump() for name, one in _playbooks().items()}
    for name, changed in playbooks.items():
        merged[name] = {**merged.get(name, {}), **changed} if isinstance(changed, Mapping) else changed
    return merged


@dataclass(frozen=True)
class Parameter:
    """A setting as the documentation lists it; of the settings of a playbook one for all."""

    key: str
    default: str
    allowed: str
    unit: str
    meaning: str


def parameters() -> Iterator[Parameter]:
    """Every setting."""
    for name, field in Settings.model_fields.items():
        if isinstance(field.default, Section):
            yield from _parameters_of(type(field.default), name)
        elif name == "playbooks":
            yield from _parameters_of(PlaybookSettings, "playbooks.NAME")
        else:
            yield _listed(name, field)


def _parameters_of(section: type[Section], prefix: str) -> Iterator[Parameter]:
    for name, field in section.model_fields.items():
        yield _listed(f"{prefix}.{name}", field)


def _listed(key: str, field: Any) -> Parameter:
    default = (
        "none"
        if field.default is None
        else str(list(field.default) if isinstance(field.default, tuple) else field.default)
    )
    bounds = {
        type(one).__name__: next(iter(vars(one).values()), None) for one in field.metadata if hasattr(one, "__dict__")
    }
    bounds |= {
        name: getattr(one, name.lower())
        for one in field.metadata
        for name in ("Ge", "Gt", "Le")
        if hasattr(one, name.lower())
    }
    low, high = bounds.get("Ge", bounds.get("Gt")), bounds.get("Le")
    allowed = (
        ""
        if low is None
        else f"{'above ' if 'Gt' in bounds else ''}{low:,} to {high:,}"
        if not isinstance(low, date)
        else f"{low} to {high}"
    )
    return Parameter(key, default, allowed, (field.json_schema_extra or {}).get("unit", ""), field.description)


def _problem(error: Any) -> str:
    key = ".".join(map(str, error["loc"]))
    if error["type"] == "extra_forbidden":
        known = [
            *(Settings.model_fields if "." not in key else ()),
            *(one.key for one in parameters() if one.key != "signal"),
        ]
        near = difflib.get_close_matches(key, known, n=3) or [
            name for name in known if name.endswith(key.split(".")[-1])
        ]
        return f"there is no setting {key}; nearest: {', '.join(near)}" if near else f"there is no setting {key}"
    said = IN_OUR_WORDS.get(error["type"], error["msg"].removeprefix("Value error, "))
    return f"{key} is {error['input']!r}: {said[0].lower()}{said[1:]}" if key else said


IN_OUR_WORDS = {
    "float_parsing": "it must be a number",
    "float_type": "it must be a number",
    "int_parsing": "it must be a whole number",
    "int_from_float": "it must be a whole number",
    "int_type": "it must be a whole number",
    "date_from_datetime_parsing": "it must be a date, like 2023-01-01",
    "date_from_datetime_inexact": "it must be a date, like 2023-01-01",
    "date_parsing": "it must be a date, like 2023-01-01",
    "date_type": "it must be a date, like 2023-01-01",
    "dict_type": "it must be a table, like [playbooks.NAME]",
    "model_type": "it must be a table",
    "model_attributes_type": "it must be a table",
}
