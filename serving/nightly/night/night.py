"""One night at work: what it was told, what it rests on, and what it has finished."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from functools import cached_property, partial
from os import cpu_count
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from features.catalog import named
from features.engine.plan import FeatureSet
from features.families.eligibility import OPTED_OUT
from features.history.store import History
from features.progress import StepProgress
from registry.loader import LoadedModel, load_effect, load_version
from serving.interventions.decide.candidates import GROWTH_SHARE, DecisionSettings, TargetedOutcome
from serving.interventions.decide.effects import LearntEffect
from serving.interventions.declare.columns import needed_features as needed_of_conditions
from serving.interventions.declare.settings import InterventionSettings
from serving.nightly.night.folder import NightFolder
from serving.nightly.night.journal import Journal, Pinned
from serving.nightly.night.pins import NightlySource
from serving.publish import Destination
from serving.scoring.scores import needed_features
from serving.segmentation.inputs import needed_features as needed_of_segmentation
from serving.segmentation.settings import SegmentationSettings

Done = Callable[[int, Any], None]
"""Told a bucket that is finished, and what was found of it."""


@dataclass(frozen=True)
class Explained:
    """What a company chose: reasons from this severity on, for at most so many scores; and of every target for the top ones."""

    severity: str
    most: int
    top: int


def _nothing(bucket: int, found: Any) -> None:
    """Work that notes by itself what is finished."""


@dataclass(frozen=True)
class Plan:
    """What a night has to be told of the project."""

    as_of: datetime
    folder: Path
    """Where nights keep their files."""
    history: History
    catalog: FeatureSet
    tracking_uri: str
    models: Mapping[str, str]
    """By target the name of its registered model."""
    sources: Sequence[NightlySource]
    timezone: str
    earliest: datetime
    currency: str
    explained: Explained
    keep_scores_days: int
    churn_days: int
    """After so many days without an order the KPIs count an account as lost."""
    segmentation: SegmentationSettings
    publish: Destination
    interventions: InterventionSettings = field(default_factory=InterventionSettings)
    effects: Mapping[str, str] = field(default_factory=dict)
    """By playbook the name of its registered effect, which need not exist."""


@dataclass(frozen=True)
class Night:
    """A night of a plan, with its entries in the database."""

    plan: Plan
    journal: Journal
    progress: StepProgress
    problems: dict[str, str] = field(default_factory=dict)
    """By source, what went wrong with it; complete once all are read."""
    seconds: dict[str, float] = field(default_factory=dict)
    """What each step took, in this run alone."""

    @property
    def as_of(self) -> datetime:
        return self.plan.as_of

    @property
    def engine(self) -> sa.Engine:
        return self.journal.engine

    @cached_property
    def folder(self) -> NightFolder:
        return NightFolder(self.plan.folder, self.as_of)

    @cached_property
    def pinned(self) -> Pinned:
        """What the night rests on. Not to be asked for before it is pinned."""
        pinned = self.journal.pinned
        assert pinned is not None  # noqa: S101  steps have an order
        return pinned

    @cached_property
    def history(self) -> History:
        """The history as it was when the night was pinned."""
        return self.plan.history.at(self.pinned.versions)

    @property
    def buckets(self) -> range:
        return range(self.plan.history.buckets)

    @cached_property
    def models(self) -> list[LoadedModel]:
        """The models that the night was pinned to, in the order of the project's targets."""
        return [
            load_version(self.plan.tracking_uri, self.plan.models[target], version, self.plan.catalog)
            for target, version in self.pinned.models.items()
        ]

    @cached_property
    def features(self) -> FeatureSet:
        """The features of every account: all that models, reasons and segmentation read."""
        wanted = [*needed_features(self.models), *self.segmentation_features, *self.decision_features]
        return FeatureSet({feature.name: feature for feature in wanted}.values())

    @cached_property
    def segmentation_features(self) -> FeatureSet:
        """The features that segmentation reads."""
        return FeatureSet(needed_of_segmentation())

    @property
    def decides(self) -> bool:
        """Whether it is this night that begins and warns; `foresail decide` does where [policy] leaves it to a command."""
        return self._has_conditions and self.plan.interventions.policy.decided_by == "night"

    @property
    def _has_conditions(self) -> bool:
        return bool(self.plan.interventions.playbooks or self.plan.interventions.rules)

    @cached_property
    def decision_features(self) -> FeatureSet:
        """Those that conditions and learnt effects read; none where there is nothing to decide."""
        if not self._has_conditions:
            return FeatureSet([])
        read = [named(learnt.features, self.plan.catalog) for learnt in self.company.learnt.values()]
        wanted = [*needed_of_conditions(), OPTED_OUT, *(feature for own in read for feature in own)]
        return FeatureSet({feature.name: feature for feature in wanted}.values())

    @cached_property
    def company(self) -> DecisionSettings:
        """What decisions are made with; effects are those that the night was pinned to."""
        plan = self.plan
        learnt = {
            playbook: LearntEffect(
                playbook, *load_effect(plan.tracking_uri, plan.effects[playbook], plan.catalog, version)
            )
            for playbook, version in self.pinned.effects.items()
            if playbook in plan.effects
        }
        return DecisionSettings(plan.interventions, self._outcomes(), learnt, plan.currency)

    def _outcomes(self) -> dict[str, TargetedOutcome]:
        targets = {model.target.name: model.target for model in self.models}
        return {
            name: TargetedOutcome(target.kind, target.settings.get("share") or GROWTH_SHARE)
            for name, target in targets.items()
        }

    def missing_buckets(self, step: str, files: str) -> list[int]:
        """The buckets of which a step is not noted, or has lost its file."""
        return [
            bucket for bucket in self.buckets if not (self.journal.has(step, bucket) and self.folder.has(files, bucket))
        ]

    @contextmanager
    def timed(self, step: str) -> Iterator[None]:
        """Adds up what a step takes."""
        began = self.journal.clock()
        yield
        self.seconds[step] = (self.journal.clock() - began).total_seconds()

    def in_parts(self, step: str, work: Callable[[int], Any], buckets: Sequence[int], said: str) -> None:
        """Do `work` for each of these buckets, as many at a time as there are cores; note each that is finished with what it found."""
        self.spread(work, buckets, said, cpu_count() or 1, partial(self.journal.note, step))

    def spread(
        self, work: Callable[[int], Any], buckets: Sequence[int], said: str, at_once: int, done: Done = _nothing
    ) -> None:
        """Do `work` for each of these buckets, `at_once` at a time; `done` is told each that is finished, and what it found.

        The first failure is raised, and what has not begun is not begun any more.
        """
        with ThreadPoolExecutor(at_once) as pool:
            jobs = {pool.submit(work, bucket): bucket for bucket in buckets}
            try:
                for job in as_completed(jobs):
                    done(jobs[job], job.result())
                    self.progress(len(self.buckets) - sum(not each.done() for each in jobs), len(self.buckets), said)
            finally:
                for job in jobs:
                    job.cancel()
