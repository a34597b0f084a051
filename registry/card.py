"""The card of a registered model: everything needed to use the model, to doubt it and to build it again.

A card is written once, by the training, and stored as JSON (`model.json`) beside the trees. Optional fields are those that cards of
earlier releases lack; fields of later releases are kept unread, so that a card read and written again is the same.
"""

from collections.abc import Mapping
from datetime import datetime
from typing import Annotated, Any, ClassVar, Literal, Self

from pydantic import BaseModel, ConfigDict, JsonValue, PlainSerializer, ValidationError

from registry.errors import CardUnreadable
from registry.target_kinds import AnswerKind

FORMAT = 1
"""Of the card; a change that an older reader would misread raises it."""

GradeLetter = Literal["A", "B", "C", "none"]
Moment = Annotated[datetime, PlainSerializer(datetime.isoformat, when_used="json")]
Number = int | float
"""Kept as it is stored: 1 stays 1, 1.0 stays 1.0."""
Interval = tuple[float | None, float | None, float | None]
"""Value, low and high end of the 95 % interval; null where not defined."""


class _Part(BaseModel):
    model_config: ClassVar[ConfigDict] = ConfigDict(frozen=True, extra="allow")

    @classmethod
    def from_json(cls, stored: Mapping[str, Any]) -> Self:
        """The typed form of stored JSON; CardUnreadable names each field that is missing or wrong."""
        try:
            return cls.model_validate(stored)
        except ValidationError as error:
            wrong = "; ".join(f"{'.'.join(map(str, mistake['loc']))}: {mistake['msg']}" for mistake in error.errors())
            raise CardUnreadable(f"the model card cannot be read ({wrong})", "Train the model again") from error

    def to_json(self) -> dict[str, Any]:
        """Plain JSON of the fields that are set, in their order: what is stored."""
        return self.model_dump(mode="json", exclude_unset=True)


class Calibration(_Part):
    """How margins are corrected before they become answers."""

    method: str
    parameters: dict[str, Number] = {}
    reason: str = ""


class LinearTerm(_Part):
    """What one feature adds to the margin: weight × (transformed value − centre) / scale."""

    feature: str
    transform: str = "signed_log1p"
    floor: float | None = None
    """Of a logarithm: the least value."""
    centre: float
    scale: float
    weight: float
    missing: float
    """Added where the feature is absent."""


class Linear(_Part):
    """A linear model."""

    intercept: float
    terms: tuple[LinearTerm, ...]


class Buying(_Part):
    """Parameters of BG/NBD and, with `worth`, of Gamma-Gamma."""

    r: float
    alpha: float
    a: float
    b: float
    worth: dict[str, float] | None = None
    horizon: Number
    reference: tuple[float, ...]
    """The values of an account of which nothing is known."""
    new: float | None = None
    """Margin of an account that never ordered."""


class Recipe(_Part):
    """What the code that travels with a model needs to answer: of the model itself, of its baseline, and of the judged model."""

    format: int
    rung: str
    features: tuple[str, ...]
    linear: Linear | None = None
    buying: Buying | None = None
    answer: AnswerKind = "probability"
    """Before there were other answers, every model answered with a probability."""
    offset: float = 0.0
    calibration: Calibration
    fingerprint: str = ""
    """Of the declarations of the features; empty on the judged model, which reads those of the registered one."""

    @classmethod
    def from_json(cls, stored: Mapping[str, Any]) -> Self:
        """As of every part; CardUnreadable also for a format that this release does not know."""
        if stored.get("format") != FORMAT:
            raise CardUnreadable(
                f"the model card has format {stored.get('format')}; this release reads format {FORMAT}",
                "Train the model again, or run the release of Foresail that trained it",
            )
        return super().from_json(stored)


class TargetCard(_Part):
    """What a model predicts, with the settings of its kind."""

    name: str
    horizon_days: int
    active_within_days: int | None = None
    band_medium: float
    band_high: float
    min_tenure_days: int = 0
    grace_days: int = 0
    share: Number | None = None
    seasonal: bool | None = None
    category: str | None = None
    lookback_days: int | None = None
    measure: str | None = None
    kind: str
    answer: AnswerKind = "probability"
    happened: str = "churned"
    """The verb for label 1."""
    definition: str
    """The target in words."""


class SuspectCard(_Part):
    """A feature that may know the outcome."""

    column: str
    mark: str
    figure: float | None
    words: str


class Leakage(_Part):
    """What the leakage audit before the fit found."""

    columns: int
    suspects: tuple[SuspectCard, ...]


class AsOfDates(_Part):
    """The dates of the training: the judged model learnt from `train` and `calibrate`, the registered one from all of `refit`."""

    train: tuple[Moment, ...] = ()
    calibrate: tuple[Moment, ...] = ()
    test: Moment
    refit: tuple[Moment, ...] = ()


class DateRows(_Part):
    """How many eligible accounts a date had, and to how many of them it happened."""

    as_of: Moment
    accounts: int
    churned: int


class Table(_Part):
    """The feature table of the training: enough to build it again, and to tell that it is the same."""

    digest: str
    rows: int
    dates: tuple[Moment, ...]
    features: tuple[str, ...]
    fingerprint: str


class Spread(_Part):
    """The distribution of a feature in the reference population."""

    quantiles: tuple[float, ...]
    nan_share: float


class Reference(_Part):
    """The accounts eligible on the day of the training: percentiles and drift are measured against them."""

    accounts: int | None = None
    scores: tuple[float, ...] = ()
    features: dict[str, Spread] = {}


class Grade(_Part):
    """How far the scores can be relied on."""

    letter: GradeLetter
    reasons: tuple[str, ...] = ()
    meaning: str | None = None


class EstimateCard(_Part):
    """A value with its 95 % interval."""

    value: float | None
    low: float | None
    high: float | None


class Reliability(_Part):
    """Whether the probabilities on the test date came true."""

    foreseen: float
    happened: float
    low: float
    high: float
    ece: float
    ece_by_chance: float
    level_holds: bool
    shape_holds: bool


class Profit(_Part):
    """What a campaign among the riskiest accounts of the test date would earn an account."""

    terms: dict[str, JsonValue]
    accounts: int
    empc: dict[str, EstimateCard]
    at_capacity: dict[str, EstimateCard]
    best_share: dict[str, float | None]
    differences: dict[str, EstimateCard]


class Slice(_Part):
    """The figures of the accounts with one value of one attribute."""

    attribute: str
    value: str
    accounts: int
    churned: int
    metrics: dict[str, EstimateCard]
    foreseen: float
    happened: float
    low: float
    high: float
    verdict: str


class ModelCard(Recipe):
    """The whole card."""

    project: str = ""
    target: TargetCard
    choice: str = ""
    """Why this rung, in words."""
    notes: tuple[str, ...] = ()
    """What could not be done as usual, and why."""
    leakage: Leakage | None = None
    baseline: Recipe | None = None
    """The simple rule that the model had to beat."""
    trained_as_of: Moment
    as_of_dates: AsOfDates | None = None
    rows: tuple[DateRows, ...] = ()
    data_versions: dict[str, int] = {}
    """The versions of the streams that the training read."""
    table: Table | None = None
    seed: int | None = None
    metrics: dict[str, dict[str, Interval]] = {}
    """By rung, on the test date."""
    created_by: dict[str, str] = {}
    environment: dict[str, str] = {}
    purpose: str = ""
    not_for: tuple[str, ...] = ()
    limits: tuple[str, ...] = ()
    reference: Reference
    grade: Grade | None = None
    """None of a card from before there were grades."""
    reliability: Reliability | None = None
    profit: Profit | None = None
    slices: tuple[Slice, ...] = ()
    as_judged: Recipe | None = None
    """The same recipe as it was fitted at the test date."""

    @property
    def test_date(self) -> datetime | None:
        """The date on which the model was judged."""
        return self.as_of_dates.test if self.as_of_dates else None


class EffectPart(_Part):
    """Trees that have a say in the change that acting makes; `switch` is the value of their last column, the treatment."""

    weight: float
    booster: str
    switch: float | None = None


class LearntEffect(_Part):
    """The effect of a playbook as learnt from its experiment: what the code that travels with it needs."""

    format: int
    share: float
    """The average share of what is at stake that acting keeps or wins."""
    standard_error: float
    always_low: float
    always_high: float
    treatment: int
    control: int
    accounts: float
    """As many accounts, evenly split, would know the effect as well."""
    harmful: bool
    verdict: str
    learner: str
    learner_why: str
    trust: float
    """How much of the accounts' differences from the average held up on accounts not seen, 0 to 1."""
    features: tuple[str, ...]
    parts: tuple[EffectPart, ...]


class EffectCard(LearntEffect):
    """The whole card of a registered effect."""

    playbook: str
    target: str
    kind: str
    learnt_as_of: Moment
    """The moment up to which outcomes were known."""
    fingerprint: str
