"""The tables and keys of foresail.toml, and the values that each may have.

The description of a field completes the sentence of an error about it.
"""

import math
import re
from datetime import date
from pathlib import Path
from typing import Annotated, Any, Literal
from zoneinfo import available_timezones

from pydantic import AfterValidator, BaseModel, Field, StrictInt, model_validator

from features.history.ingest.sources import FORMATS, POSTED, RESERVED, Database, Source
from features.history.streams import STREAMS
from registry.target_kinds import KINDS, Kind
from serving.interventions.declare.settings import (
    Calendar,
    Channel,
    EffectPrior,
    IncomingWebhook,
    Library,
    Limits,
    Playbook,
    Role,
    Rule,
    Sla,
    Step,
)
from serving.segmentation.settings import (
    Declared,
    Health,
    HealthWeights,
    Hysteresis,
    Matrix,
    Segments,
    Severity,
    StandingSettings,
    TargetOf,
    Threshold,
    TierRule,
    Tiers,
)

MOST_DAYS = 36_500


def _known_timezone(value: str) -> str:
    if value not in available_timezones():
        raise ValueError
    return value


def _known_stream(value: str) -> str:
    if value not in STREAMS:
        raise ValueError
    return value


def _table_name(value: str) -> str:
    # Ingest's own tables must not be replaced.
    if not re.fullmatch(r"[A-Za-z_]\w*", value) or value.lower() in RESERVED or value.lower().startswith("foresail_"):
        raise ValueError
    return value


def _source_name(value: str) -> str:
    if not re.search(r"\w", value) or value == POSTED:
        raise ValueError
    return value


def _name(value: str) -> str:
    # A target's becomes part of a registered model's name, and a column's.
    if not re.fullmatch(r"[a-z][a-z0-9_]*", value):
        raise ValueError
    return value


Name = Annotated[str, AfterValidator(_name)]


class ProjectTable(Declared):
    name: str = Field(pattern=r"\w", description='the company\'s name, for example "Gift wholesaler"')
    currency: str = Field(pattern=r"^[A-Z]{3}$", description='an ISO 4217 code: three capital letters, like "EUR"')
    timezone: Annotated[str, AfterValidator(_known_timezone)] = Field(
        description='a zone of the IANA database, like "Europe/London"'
    )
    explain_top: StrictInt = Field(default=100, ge=0, description="a whole number of accounts, 0 or more")


class HistoryTable(Declared):
    root: str | None = Field(default=None, description="a folder or the URL of an object store")
    buckets: StrictInt = Field(default=16, ge=1, le=65536, description="a whole number of buckets, 1 or more")
    storage_options: dict[str, str] = Field(
        default_factory=dict, description='a table of text, like { AWS_REGION = "eu-central-1" }'
    )
    earliest: date = Field(
        default=date(1970, 1, 1), ge=date(1900, 1, 1), description='a date from 1900 on, like "1970-01-01"'
    )


class FeaturesTable(Declared):
    extend: tuple[Annotated[str, Field(min_length=1)], ...] = Field(
        default=(), description='a list of Python files that declare FEATURES, like ["our_features.py"]'
    )


class MlflowTable(Declared):
    tracking_uri: str | None = Field(
        default=None, description='the address of an MLflow store, like "http://mlflow:5000"'
    )


class SourceTable(Declared):
    """One source as the file declares it; paths are relative to the project folder."""

    name: Annotated[str, AfterValidator(_source_name)] = Field(
        description='a name of its own among the sources, like "invoices", and not "posted": the service\'s events are called so'
    )
    stream: Annotated[str, AfterValidator(_known_stream)] = Field(description=f"one of {', '.join(STREAMS)}")
    pattern: str = Field(
        default="", alias="from", min_length=1, description='a glob for files, like "data/invoices/*.parquet"'
    )
    database: str = Field(
        default="",
        min_length=1,
        description='an SQLAlchemy URL, like "postgresql+psycopg://reader:${PASSWORD}@host/shop"',
    )
    query: str | None = Field(default=None, min_length=1, description="one SQL query that the database understands")
    table: str | None = Field(default=None, min_length=1, description='a table of the database, like "sales.orders"')
    cursor: str | None = Field(
        default=None, min_length=1, description='the column that tells new rows, like "updated_at"'
    )
    late_days: StrictInt = Field(default=1, ge=0, le=MOST_DAYS, description="a whole number of days, 0 or more")
    select: str = Field(default="select * from source", description="one SQL query over the table source")
    format: Literal["csv", "parquet", "json", "excel"] | None = Field(
        default=None, description=f"one of {', '.join(FORMATS)}"
    )
    options: dict[str, Any] = Field(default_factory=dict, description='a table, like { encoding = "latin-1" }')
    tables: dict[Annotated[str, AfterValidator(_table_name)], str] = Field(
        default_factory=dict, description='globs for files to join, by name, like { products = "data/products.csv" }'
    )

    def to_features(self, directory: Path) -> Source:
        """The source as ingest takes it, for a project in `directory`."""
        database = (
            Database(self.database, self.query, self.table, self.cursor, self.late_days) if self.database else None
        )
        return Source(
            self.name,
            self.stream,
            self.pattern,
            directory,
            self.select,
            self.format,
            self.options,
            self.tables,
            database,
        )


class Bands(Declared):
    medium: float = Field(default=0.70, gt=0, lt=1, description="a percentile between 0 and 1, like 0.70")
    high: float = Field(default=0.90, gt=0, lt=1, description="a percentile between 0 and 1, like 0.90")

    @model_validator(mode="after")
    def _ordered(self) -> "Bands":
        if self.medium >= self.high:
            raise ValueError
        return self


class TargetTable(Declared):
    kind: Kind = Field(description="one of " + ", ".join(KINDS))
    horizon_days: StrictInt = Field(
        gt=0, le=MOST_DAYS, description="a whole number of days above 0, like 90, without a unit"
    )
    active_within_days: StrictInt | None = Field(
        default=None,
        gt=0,
        le=MOST_DAYS,
        description="a whole number of days above 0, like 365, without a unit; leave it out for no limit",
    )
    bands: Bands = Field(default=Bands(), description="{ medium = 0.70, high = 0.90 } with medium below high")
    min_tenure_days: StrictInt = Field(
        default=0, ge=0, le=MOST_DAYS, description="a whole number of days, 0 or more, without a unit"
    )
    grace_days: StrictInt = Field(
        default=0, ge=0, le=MOST_DAYS, description="a whole number of days, 0 or more, without a unit"
    )
    share: float = Field(default=0.5, gt=0, le=100, description="a share above 0, like 0.5; of contraction below 1")
    seasonal: bool = Field(default=True, description="true or false")
    category: str | None = Field(default=None, min_length=1, description='a category of products, like "service"')
    lookback_days: StrictInt = Field(
        default=365, gt=0, le=MOST_DAYS, description="a whole number of days above 0, like 365, without a unit"
    )
    measure: Literal["amount", "margin"] = Field(default="amount", description='"amount" or "margin"')


class TrainingTable(Declared):
    every_days: StrictInt = Field(
        default=30, gt=0, le=MOST_DAYS, description="a whole number of days above 0, like 30, without a unit"
    )
    dates: StrictInt = Field(default=12, ge=1, le=1000, description="a whole number of dates, 1 to 1000")
    min_history_days: StrictInt | None = Field(
        default=None,
        ge=0,
        le=MOST_DAYS,
        description="a whole number of days, 0 or more, without a unit; leave it out for one horizon",
    )
    half_life_days: StrictInt | None = Field(
        default=None,
        gt=0,
        le=MOST_DAYS,
        description="a whole number of days above 0, like 180, without a unit; leave it out, and all dates count alike",
    )


class CostsTable(Declared):
    account_value: float | None = Field(
        default=None, gt=0, description="an amount above 0: what an account that is kept brings in a year"
    )
    contact_cost: float | None = Field(default=None, ge=0, description="an amount, 0 or more: what one contact costs")
    incentive_cost: float | None = Field(
        default=None, ge=0, description="an amount, 0 or more, below account_value: what the offer costs if it is taken"
    )
    accept_rate: float | None = Field(
        default=None, gt=0, lt=1, description="a share between 0 and 1: of those who would leave, who stay if contacted"
    )
    accept_seen_on: float | None = Field(
        default=None, ge=1, description="a number of accounts, 1 or more: on how many the accept_rate was seen"
    )

    @model_validator(mode="after")
    def _incentive_saves_something(self) -> "CostsTable":
        if self.account_value is not None and (self.incentive_cost or 0) >= self.account_value:
            raise ValueError
        return self


def _share_or_number(value: float) -> float:
    if not math.isfinite(value) or (value >= 1 and value != int(value)):
        raise ValueError
    return value


class TeamTable(Declared):
    capacity: Annotated[float, AfterValidator(_share_or_number)] | None = Field(
        default=None,
        gt=0,
        description="a share of the accounts below 1, like 0.10, or a whole number of accounts, like 200",
    )


class DatabaseTable(Declared):
    url: str | None = Field(
        default=None,
        pattern=r"^(sqlite|postgresql\+psycopg)://",
        description='the URL of an SQLite file or of PostgreSQL, like "postgresql+psycopg://foresail:${PASSWORD}@host/foresail"',
    )


class PublishTable(Declared):
    folder: str = Field(default="published", min_length=1, description='a folder for Parquet files, like "published"')
    database: str | None = Field(
        default=None,
        pattern=r"^[a-z0-9_+]+://",
        description='an SQLAlchemy URL, like "postgresql+psycopg://writer:${PASSWORD}@host/bi"',
    )
    hyper: bool = Field(default=False, description="true or false: whether to write a .hyper file for Tableau, too")


class NightlyTable(Declared):
    explain_severity: Literal["low", "medium", "high", "critical"] = Field(
        default="high", description='"low", "medium", "high" or "critical"'
    )
    explain_most: StrictInt = Field(default=10_000, ge=0, description="a whole number of scores, 0 or more")
    keep_scores_days: StrictInt = Field(
        default=400, gt=0, le=MOST_DAYS, description="a whole number of days above 0, like 400, without a unit"
    )


class ServingTable(Declared):
    requests_per_second: float | None = Field(
        default=None,
        gt=0,
        description="a number above 0: how many requests a second one API key may make; left out: any",
    )
    burst: StrictInt = Field(default=50, ge=1, description="a whole number of requests, 1 or more")


class File(Declared):
    project: ProjectTable = Field(description="a table [project] with name, currency and timezone")
    history: HistoryTable = Field(default=HistoryTable(), description="a table [history]")
    features: FeaturesTable = Field(default=FeaturesTable(), description="a table [features]")
    mlflow: MlflowTable = Field(default=MlflowTable(), description="a table [mlflow]")
    sources: tuple[SourceTable, ...] = Field(
        default=(), description="tables [[sources]], each with name, stream and from"
    )
    targets: dict[Name, TargetTable] = Field(
        default_factory=dict, description="tables [targets.NAME], NAME of small letters, digits and _, like churn_90"
    )
    training: TrainingTable = Field(default=TrainingTable(), description="a table [training]")
    costs: CostsTable = Field(
        default=CostsTable(), description="a table [costs] whose incentive_cost is below its account_value"
    )
    team: TeamTable = Field(default=TeamTable(), description="a table [team]")
    database: DatabaseTable = Field(default=DatabaseTable(), description="a table [database] with url")
    nightly: NightlyTable = Field(default=NightlyTable(), description="a table [nightly]")
    publish: PublishTable = Field(default=PublishTable(), description="a table [publish]")
    matrix: Matrix = Field(default=Matrix(), description="a table [matrix] with value and potential")
    tiers: Tiers = Field(default=Tiers(), description="a table [tiers]")
    segments: Segments = Field(default=Segments(), description="a table [segments]")
    hysteresis: Hysteresis = Field(default=Hysteresis(), description="a table [hysteresis] with margin")
    health: Health = Field(default=Health(), description="a table [health] whose reinforce is not above its healthy")
    severity: Severity = Field(
        default=Severity(), description="a table [severity] with medium below high below critical"
    )

    serving: ServingTable = Field(default=ServingTable(), description="a table [serving]")
    library: Library = Field(default=Library(), description="a table [library]")
    roles: dict[Name, Role] = Field(default_factory=dict, description="tables [roles.NAME]")
    playbooks: dict[Name, Playbook] = Field(default_factory=dict, description="tables [playbooks.NAME]")
    rules: dict[Name, Rule] = Field(default_factory=dict, description="tables [rules.NAME]")
    sla: dict[Name, Sla] = Field(default_factory=dict, description="tables [sla.NAME]")
    calendar: Calendar = Field(default=Calendar(), description="a table [calendar]")
    channels: dict[Name, Channel] = Field(default_factory=dict, description="tables [channels.NAME]")
    webhooks: dict[Name, IncomingWebhook] = Field(default_factory=dict, description="tables [webhooks.NAME]")
    policy: Limits = Field(default=Limits(), description="a table [policy]")

    def standing(self) -> StandingSettings:
        """The settings of segmentation, for the targets that the file names."""
        targets = {name: TargetOf(one.kind, one.horizon_days, one.measure) for name, one in self.targets.items()}
        return StandingSettings(
            targets, self.matrix, self.tiers, self.segments, self.hysteresis.margin, self.health, self.severity
        )


TABLES: dict[tuple[str, ...], type[BaseModel]] = {
    (): File,
    ("project",): ProjectTable,
    ("history",): HistoryTable,
    ("features",): FeaturesTable,
    ("mlflow",): MlflowTable,
    ("sources", "*"): SourceTable,
    ("targets", "*"): TargetTable,
    ("targets", "*", "bands"): Bands,
    ("training",): TrainingTable,
    ("costs",): CostsTable,
    ("team",): TeamTable,
    ("database",): DatabaseTable,
    ("nightly",): NightlyTable,
    ("publish",): PublishTable,
    ("matrix",): Matrix,
    ("matrix", "value"): Threshold,
    ("matrix", "potential"): Threshold,
    ("tiers",): Tiers,
    ("tiers", "value"): Threshold,
    ("tiers", "rules", "*"): TierRule,
    ("segments",): Segments,
    ("hysteresis",): Hysteresis,
    ("health",): Health,
    ("health", "weights"): HealthWeights,
    ("severity",): Severity,
    ("serving",): ServingTable,
    ("library",): Library,
    ("roles", "*"): Role,
    ("playbooks", "*"): Playbook,
    ("playbooks", "*", "effect"): EffectPrior,
    ("playbooks", "*", "steps", "*"): Step,
    ("rules", "*"): Rule,
    ("sla", "*"): Sla,
    ("sla", "*", "steps", "*"): Step,
    ("calendar",): Calendar,
    ("channels", "*"): Channel,
    ("webhooks", "*"): IncomingWebhook,
    ("policy",): Limits,
}
"""Where each table stands in the file; `*` is any number or name."""
NAMED = frozenset(path[0] for path in TABLES if len(path) > 1 and path[1] == "*")
"""Tables whose keys are names or numbers."""
