"""A company's project: `foresail.toml`, checked as a whole.

Loading reads no model and no data, so it is quick; an error names file, key, value and remedy.
"""

import difflib
import json
import os
import re
import string
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, time
from functools import cached_property
from importlib import resources
from pathlib import Path
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

from pydantic import BaseModel, ValidationError

from features.errors import ExitCode, ForesailError
from features.history.ingest.sources import Source
from foresail.config.project_file import NAMED, TABLES, File, NightlyTable, TargetTable
from registry.target_kinds import KINDS, LEAVING
from serving.interventions.declare.inconsistent import inconsistencies
from serving.interventions.declare.library import with_library
from serving.interventions.declare.settings import InterventionSettings, Library
from serving.segmentation.settings import StandingSettings

if TYPE_CHECKING:
    import sqlalchemy as sa

    from features.engine.plan import FeatureSet
    from features.history.store import History
    from serving.publish import Destination
    from training.data.targets import Target
    from training.evaluation.profit import Campaign

FILE_NAME = "foresail.toml"
MOST_DAYS = 36_500
CHURN_DAYS = 90
"""Of a project without a target of kind churn."""
PASSWORD = re.compile(r"(://[^:/@]*:).*@")
"""In a URL, with what stands around it."""


class ProjectError(ForesailError):
    """The project file is missing or wrong; the message names file, key, value and remedy, for every problem."""

    exit_code = ExitCode.PROJECT


@dataclass(frozen=True)
class Training:
    """From which moments a model learns: at most `dates` of them, `every_days` apart."""

    every_days: int
    dates: int
    min_history_days: int | None
    """History that must lie before the first; None means one horizon of the target."""
    half_life_days: int | None = None
    """After so long a date counts half as much in what is learnt; None: all alike."""


@dataclass(frozen=True)
class Project:
    """A checked project file and its folder."""

    directory: Path
    name: str
    currency: str
    timezone: str
    explain_top: int
    """How many of the riskiest accounts get reasons in a batch of scores."""
    buckets: int
    history_root: str
    storage_options: Mapping[str, str]
    """Settings of the object store that holds the history: region, endpoint, credentials."""
    earliest: datetime
    """Events before this moment are refused: midnight of [history] earliest in the project's timezone."""
    tracking_uri: str
    """MLFLOW_TRACKING_URI as it was at loading, else [mlflow] tracking_uri, else a sqlite store in the project folder."""
    sources: tuple[Source, ...]
    target_tables: Mapping[str, Mapping[str, Any]]
    training: Training
    costs: Mapping[str, float | None]
    """The figures of [costs], None where one is left open."""
    capacity: float | None
    """[team] capacity: below 1 a share of the accounts, else their number; None where it is left open."""
    nightly: NightlyTable
    """What the night does besides scoring every account."""
    database: str
    """SQLAlchemy URL of the operational database: [database] url, else a SQLite file in the project folder."""
    publish_folder: Path
    publish_database: str | None
    """SQLAlchemy URL of a database to publish tables in besides, None for none."""
    publish_hyper: bool
    """Whether to publish a .hyper file for Tableau besides."""
    standing: StandingSettings
    """Where the cuts of quadrants, tiers, segments, health and severity lie."""
    requests_per_second: float | None
    """[serving] requests_per_second: the rate limit of one API key; None for no limit."""
    burst: int
    """[serving] burst: the requests that one key may make at once, where there is a rate limit."""
    library: Library
    """The chosen entries of the ready library."""
    interventions: InterventionSettings
    """Roles, playbooks, rules, SLAs, calendar, channels and limits, those of the library among them."""
    feature_files: tuple[Path, ...]
    """Files that declare features of the company's own: [features] extend."""

    @property
    def slug(self) -> str:
        """The name in lower case with hyphens, as it begins a registered model's name: gift-wholesaler."""
        return re.sub(r"\W+", "-", self.name.lower()).strip("-")

    @property
    def history(self) -> "History":
        """The history of the project at its newest versions; it need not exist yet."""
        from features.history.store import History

        return History(self.history_root, buckets=self.buckets, storage_options=dict(self.storage_options) or None)

    def engine(self, *, wait_seconds: float | None = None) -> "sa.Engine":
        """The operational database with the tables of this release; a command may be the first that needs them.

        `wait_seconds` is how long a transaction waits for another one; left out, as long as one of the service. DatabaseUnavailable.
        """
        from serving.database.engine import opened
        from serving.database.upgrade import upgrade

        engine = opened(self.database) if wait_seconds is None else opened(self.database, wait_seconds=wait_seconds)
        upgrade(engine)
        return engine

    @cached_property
    def catalog(self) -> "FeatureSet":
        """All features that the project knows: Foresail's and its own; ProjectError where its files cannot be used."""
        from features.catalog.custom import ExtensionError, catalog_with

        try:
            return catalog_with(self.feature_files)
        except ExtensionError as error:
            raise ProjectError(f"{self.directory / FILE_NAME}, [features] extend:\n{error}") from error

    @property
    def targets(self) -> "dict[str, Target]":
        """The targets by name."""
        from training.data.targets import target_from

        return {name: target_from({"name": name, **table}) for name, table in self.target_tables.items()}

    def target(self, name: str) -> "Target":
        """The target called `name`; ProjectError that lists the targets if there is none."""
        if name not in self.target_tables:
            known = ", ".join(self.target_tables) or "none"
            raise ProjectError(
                f"{self.directory / FILE_NAME} has no target '{name}'; it has {known}. Add a table [targets.{name}]"
            )
        return self.targets[name]

    @property
    def campaign(self) -> "Campaign":
        """The company's costs and the number of accounts that its team can contact."""
        from training.evaluation.profit import Campaign

        return Campaign(**self.costs, capacity=self.capacity, currency=self.currency)

    @property
    def destination(self) -> "Destination":
        """Where tables are published for other tools."""
        from serving.publish import Destination

        return Destination(self.publish_folder, self.publish_database, self.publish_hyper)

    @property
    def churn_days(self) -> int:
        """After how many days without an order an account has churned: the horizon of the first target of that kind."""
        horizons = (int(table["horizon_days"]) for table in self.target_tables.values() if table["kind"] == "churn")
        return next(horizons, CHURN_DAYS)

    def model_name(self, target: str) -> str:
        """The registered name of a target's models; ProjectError if the project has no such target."""
        from registry.writer import registered_name

        return registered_name(self.slug, self.target(target).name)

    def report_path(self, target: str, kind: str, as_of: datetime) -> Path:
        """Where the report of a training or an evaluation is written; its date is that of the project's timezone."""
        day = as_of.astimezone(ZoneInfo(self.timezone))
        return self.directory / "reports" / f"{target}-{kind}-{day:%Y-%m-%d}.html"

    def min_history_days(self, target: str) -> int:
        """How much history must lie before the first moment that a model of this target learns from."""
        if self.training.min_history_days is not None:
            return self.training.min_history_days
        return int(self.target_tables[target]["horizon_days"])


def load(directory: str | Path) -> Project:
    """The project in `directory`; ProjectError that lists every problem of its foresail.toml."""
    directory = Path(directory).resolve()
    path = directory / FILE_NAME
    if not path.is_file():
        raise ProjectError(f"{path} does not exist; `foresail init {directory}` writes one to fill in")
    content = _parsed(path)
    problems = [*_repeated_names(content), *_mixed_sources(content), *_misplaced(content)]
    try:
        file = File.model_validate(content)
    except ValidationError as error:
        problems = [*map(_problem, error.errors()), *problems]
    _refuse(path, problems)
    interventions, wrong_choices = _interventions(file)
    # Names can be looked up only where all tables are as they should be.
    _refuse(path, [*wrong_choices, *inconsistencies(interventions, file.standing().targets)])
    return _project(directory, file, interventions)


def _refuse(path: Path, problems: Sequence[str]) -> None:
    if problems:
        count = "1 problem" if len(problems) == 1 else f"{len(problems)} problems"
        raise ProjectError(f"{path} has {count}:\n" + "\n".join(f"  {problem}" for problem in problems))


def template() -> str:
    """The text of a new foresail.toml, with comments."""
    return resources.files("foresail.config").joinpath("foresail.toml.template").read_text(encoding="utf-8")


def initialise(directory: str | Path) -> Path:
    """Write a commented foresail.toml into `directory` (made if need be); ProjectError if there is one already."""
    path = Path(directory).resolve() / FILE_NAME
    if path.exists():
        raise ProjectError(f"{path} exists already; edit it, or choose another folder")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("x", encoding="utf-8") as file:
            file.write(template())
    except OSError as error:
        raise ProjectError(f"{path} cannot be written ({error.strerror}); name a folder") from error
    return path


def _parsed(path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except tomllib.TOMLDecodeError as error:
        raise ProjectError(f"{path} is not valid TOML: {error}") from error
    except UnicodeDecodeError as error:
        raise ProjectError(f"{path} is not encoded in UTF-8; save it as UTF-8") from error


def _project(directory: Path, file: File, interventions: InterventionSettings) -> Project:
    zone = ZoneInfo(file.project.timezone)
    training = file.training
    return Project(
        directory=directory,
        name=file.project.name,
        currency=file.project.currency,
        timezone=file.project.timezone,
        explain_top=file.project.explain_top,
        buckets=file.history.buckets,
        history_root=_history_root(directory, file.history.root),
        storage_options=file.history.storage_options,
        earliest=datetime.combine(file.history.earliest, time(), zone),
        tracking_uri=_tracking_uri(directory, file.mlflow.tracking_uri),
        sources=tuple(table.to_features(directory) for table in file.sources),
        target_tables={name: _target(table) for name, table in file.targets.items()},
        training=Training(training.every_days, training.dates, training.min_history_days, training.half_life_days),
        costs=file.costs.model_dump(),
        capacity=file.team.capacity,
        nightly=file.nightly,
        database=_database(directory, "[database] url", file.database.url or "sqlite:///.foresail/foresail.db"),
        publish_folder=directory / file.publish.folder,
        publish_database=file.publish.database and _database(directory, "[publish] database", file.publish.database),
        publish_hyper=file.publish.hyper,
        standing=file.standing(),
        requests_per_second=file.serving.requests_per_second,
        burst=file.serving.burst,
        library=file.library,
        interventions=interventions,
        feature_files=tuple(directory / name for name in file.features.extend),
    )


def _interventions(file: File) -> tuple[InterventionSettings, list[str]]:
    """The interventions of the file and of the library, and the problems of the choice from the library."""
    own = InterventionSettings(
        roles=file.roles,
        playbooks=file.playbooks,
        rules=file.rules,
        sla=file.sla,
        calendar=file.calendar.model_copy(update={"timezone": file.calendar.timezone or file.project.timezone}),
        channels=file.channels,
        webhooks=file.webhooks,
        policy=file.policy,
    )
    return with_library(own, file.library, file.standing().targets)


def _history_root(directory: Path, root: str | None) -> str:
    if root is not None and "://" in root:
        return root
    return str(directory / (root or ".foresail/history"))


def _tracking_uri(directory: Path, configured: str | None) -> str:
    """A relative sqlite path is one of the project folder, not of wherever a command happens to run."""
    # Read once: MLflow itself writes this variable whenever it is pointed at a store.
    return _in_folder(directory, os.environ.get("MLFLOW_TRACKING_URI") or configured or "sqlite:///.foresail/mlflow.db")


def _database(directory: Path, key: str, url: str) -> str:
    """With what the environment puts in the place of ${NAME}; ProjectError where it has no such variable."""
    try:
        given = string.Template(url).substitute(os.environ)
    except KeyError as unset:
        raise ProjectError(
            f"{directory / FILE_NAME}, {key}: the environment has no variable {unset.args[0]}; set it"
        ) from unset
    return _in_folder(directory, given)


def _in_folder(directory: Path, url: str) -> str:
    relative = re.fullmatch(r"sqlite:///([^/].*)", url)
    return f"sqlite:///{directory / relative[1]}" if relative else url


def _target(table: TargetTable) -> dict[str, Any]:
    return {
        **table.model_dump(exclude={"bands"}),
        "band_medium": table.bands.medium,
        "band_high": table.bands.high,
    }


OF_KINDS = {
    "active_within_days": tuple(kind for kind in KINDS if kind != "contract_churn"),
    "grace_days": LEAVING,
    "min_tenure_days": tuple(kind for kind in KINDS if kind != "contract_churn"),
    "share": ("contraction", "upsell"),
    "seasonal": ("contraction", "upsell"),
    "category": ("cross_sell",),
    "lookback_days": ("cross_sell",),
    "measure": ("value",),
}
"""The kinds of target that a setting belongs to, where it does not belong to all."""


def _misplaced(content: Mapping[str, Any]) -> Iterator[str]:
    """Settings of targets whose kind ignores them: a reader would take them for effective."""
    targets = content.get("targets")
    for name, target in (targets if isinstance(targets, dict) else {}).items():
        kind = target.get("kind") if isinstance(target, dict) else None
        for key in (key for key in OF_KINDS if kind in KINDS and key in target and kind not in OF_KINDS[key]):
            belongs = " or ".join(OF_KINDS[key])
            yield f"targets.{name}.{key} = {_shown(target[key])}: it belongs to {belongs}, and this is {kind}; leave it out"
        if kind == "contraction" and isinstance(target.get("share"), int | float) and target["share"] >= 1:
            yield f"targets.{name}.share = {_shown(target['share'])}: less than nothing cannot be ordered; give below 1"


def _repeated_names(content: Mapping[str, Any]) -> Iterator[str]:
    sources = content.get("sources")
    names: dict[str, int] = {}
    for position, source in enumerate(sources if isinstance(sources, list) else []):
        name = source.get("name") if isinstance(source, dict) else None
        if not isinstance(name, str):
            continue
        if name in names:
            yield f"sources[{position}].name = {_shown(name)}: sources[{names[name]}] has that name; give each its own"
        names.setdefault(name, position)


OF_FILES, OF_DATABASES = ("from", "format", "options"), ("query", "table", "cursor", "late_days")


def _mixed_sources(content: Mapping[str, Any]) -> Iterator[str]:
    """The keys that each source has too much or too little: a source is files, or a database."""
    sources = content.get("sources")
    for position, source in enumerate(sources if isinstance(sources, list) else []):
        if isinstance(source, dict):
            yield from (f"sources[{position}].{problem}" for problem in _mixed(source))


def _mixed(source: Mapping[str, Any]) -> Iterator[str]:
    if "database" not in source:
        if "from" not in source:
            yield 'from is missing: it must be a glob for files, like "data/invoices/*.parquet" (or name a database)'
        elif "://" in str(source["from"]):
            yield f"from = {_shown(source['from'])}: it must be a glob for files; the URL of a database belongs into database"
        for key in (key for key in OF_DATABASES if key in source):
            yield f"{key} = {_shown(source[key])}: it belongs to a database; name one, or leave it out"
        return
    for key in (key for key in OF_FILES if key in source):
        yield f"{key} = {_shown(source[key])}: it belongs to files, and this source is a database; leave it out"
    if ("table" in source) == ("query" in source):
        yield "table is missing: a database needs either table or query, to say what is read there; give one of them"
    if "late_days" in source and "cursor" not in source:
        yield f'late_days = {_shown(source["late_days"])}: it is counted back from a cursor; name one, like "updated_at"'


def _problem(error: Mapping[str, Any]) -> str:
    """One line for one problem: the key, the value found, and what it must be."""
    location = [part for part in error["loc"] if part != "[key]"]
    key, (table, name) = _dotted(location), _place(location)
    fields = {field.alias or name: field for name, field in table.model_fields.items()}
    if error["type"] == "extra_forbidden":
        nearest = difflib.get_close_matches(name, fields, n=3, cutoff=0.5)
        hint = f"did you mean {' or '.join(nearest)}?" if nearest else f"known here: {', '.join(fields)}"
        return f"{key} = {_shown(error['input'])}: unknown key; {hint}"
    must_be = fields[name].description if name in fields else error["msg"]
    if error["type"] == "missing":
        return f"{key} is missing: it must be {must_be}"
    return f"{key} = {_shown(error['input'])}: it must be {must_be}"


def _place(location: Sequence[int | str]) -> tuple[type[BaseModel], str]:
    """The innermost table that a location passes through, and the name of the key in it."""
    generic = [
        "*" if isinstance(part, int) or (position == 1 and location[0] in NAMED) else str(part)
        for position, part in enumerate(location)
    ]
    for end in range(len(generic) - 1, -1, -1):
        if tuple(generic[:end]) in TABLES:
            return TABLES[tuple(generic[:end])], generic[end]
    raise AssertionError(location)


def _dotted(location: Sequence[int | str]) -> str:
    parts = [f"[{part}]" if isinstance(part, int) else f".{part}" for part in location]
    return "".join(parts).lstrip(".")


def _shown(value: Any) -> str:
    """A value as it could stand in the file, shortened."""
    text = json.dumps(value, ensure_ascii=False, default=str)
    if isinstance(value, BaseModel):
        text = "{ " + ", ".join(f"{name} = {item}" for name, item in value.model_dump().items()) + " }"
    text = PASSWORD.sub(r"\1***@", text)
    return text if len(text) <= 60 else text[:57] + "..."
