"""Champion and challenger: who serves, decided on what happened, and the way back.

Both models are put back to the newest as_of whose horizon has closed, score the same eligible accounts, and meet the
checks of `training.promotion.gate`. What a training has seen of the newest horizon, it has seen more of before, so no older one would
be fairer. A model that has seen it is judged as it was fitted at its test date, before that, which is kept with it; where
that cannot be, it is said how much of the horizon each training has seen.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime

import numpy as np

from features.arrays import Floats
from features.catalog import CATALOG, named
from features.engine.plan import FeatureSet
from features.errors import ExitCode, ForesailError
from features.history.store import History
from features.timestamps import in_utc
from registry.card import ModelCard
from registry.errors import NoModel
from registry.promotion_log import FORCED, PROMOTED, REFUSED, ROLLED_BACK, Check, Decision, settle, version_history
from registry.target_kinds import RISKS
from registry.versions import ModelVersion, Scorer, load_version
from training.backtest.backtest import (
    OtherFeatures,
    answers_for,
    closed_rows,
    main,
    refuse_other_features,
    seen_of,
)
from training.data.coverage import StaleHistory
from training.data.dataset import Dataset, unlabelled
from training.data.splits import NotEnoughHistory
from training.data.targets import HorizonOpen, Target, target_from
from training.evaluation.profit import NOTHING_GIVEN, Campaign
from training.evaluation.summary import ORDERED, RETURNED, groups_at
from training.models.ladder import task_for
from training.promotion.gate import Compared, Gate, examine, examine_numbers


class NotPromoted(ForesailError, RuntimeError):
    """A decision that did not move the champion: refused by a check, or overtaken by another decision."""

    exit_code = ExitCode.NOT_PROMOTED


@dataclass(frozen=True)
class Order:
    """Who wants what, when and why: what a decision keeps of the person behind it."""

    decided_at: datetime
    by: str = ""
    reason: str = ""
    force: bool = False
    """Promote though a check fails; the decision then says so, and which."""


def promote(  # noqa: PLR0913  # all but three are given by name
    history: History,
    version: int,
    order: Order,
    *,
    name: str,
    tracking_uri: str,
    as_of: datetime,
    known_by: datetime | None = None,
    gate: Gate | None = None,
    campaign: Campaign = NOTHING_GIVEN,
    seed: int = 0,
    catalog: FeatureSet = CATALOG,
) -> Decision:
    """Make a version the champion if it passes the gate; the decision, as it is kept with the registered model.

    Judged on the newest horizon closed by as_of, with labels from what was known by `known_by` (default: as_of). There
    is nothing to pass for a first champion, and where the champion can no longer be read or computed here, so that it
    serves nobody; the champion itself stays, and nothing is kept. What cannot be judged is refused.

    NoModel for a version that is not there or cannot be read, OtherFeatures for one that cannot be computed here, even
    by force: it could not serve.
    """
    challenger = _usable(tracking_uri, name, version, catalog)
    champion = version_history(tracking_uri, name).champion
    decision = Decision(PROMOTED, version, champion, in_utc(order.decided_at), order.by, order.reason)
    if champion == version:
        return decision
    as_of, known_by = in_utc(as_of), in_utc(known_by or as_of)
    try:
        rival = None if champion is None else _usable(tracking_uri, name, champion, catalog)
    except (NoModel, OtherFeatures) as gone:
        rival, decision = None, replace(decision, notes=(f"nothing to compare with: {gone}",))
    if rival is not None:
        pair = _Pair(rival, challenger, as_of, known_by, catalog)
        decision = _judged(decision, pair, history, order.force, _Demands(gate or Gate(), campaign, seed))
    return settle(tracking_uri, name, decision)


def rollback(order: Order, *, name: str, tracking_uri: str, catalog: FeatureSet = CATALOG) -> Decision:
    """Make the champion before the present one champion again; the decision, as it is kept.

    Twice goes two champions back: a rollback takes the last one off the line (`VersionHistory.line`). NoModel if there is none
    before, or if it cannot be read any more; OtherFeatures if it cannot be computed here.
    """
    history = version_history(tracking_uri, name)
    if len(history.line) < 2:
        raise NoModel(f"'{name}' has had no champion before the present one: there is nothing to go back to")
    version = history.line[-2]
    _usable(tracking_uri, name, version, catalog)
    back = Decision(ROLLED_BACK, version, history.champion, in_utc(order.decided_at), order.by, order.reason)
    return settle(tracking_uri, name, back)


@dataclass(frozen=True)
class _Pair:
    """Two models that are to be judged on the newest horizon closed by as_of."""

    champion: ModelVersion
    challenger: ModelVersion
    as_of: datetime
    known_by: datetime
    catalog: FeatureSet

    @property
    def target(self) -> Target:
        return target_from(self.challenger.card.target.to_json())

    @property
    def judged_on(self) -> datetime:
        return self.as_of - self.target.closes_after

    @property
    def features(self) -> FeatureSet:
        models = (self.champion, self.challenger, self.fair(self.champion), self.fair(self.challenger))
        wanted = (*(name for model in models for name in model.features), ORDERED, RETURNED)
        return named(list(dict.fromkeys(wanted)), self.catalog)

    def fair(self, model: ModelVersion) -> Scorer:
        """The model as it may be judged here: as it was at its test date, if it has seen this horizon since."""
        tested = model.card.test_date
        if tested is None or not _seen(model.card, self) or tested > self.judged_on:
            return model
        return model.as_judged or model

    @property
    def questions(self) -> tuple[str, str]:
        """The definitions of the two targets."""
        champion, challenger = (
            target_from(model.card.target.to_json()).definition for model in (self.champion, self.challenger)
        )
        return champion, challenger


@dataclass(frozen=True)
class _Demands:
    """What is demanded of a challenger, and by which draws."""

    gate: Gate
    campaign: Campaign
    seed: int

    def of(self, value: Floats) -> Gate:
        """The gate with what the company said of its costs and capacity in the place of what the gate assumes."""
        terms = self.campaign.terms(value)
        cost = None if self.campaign.contact_cost is None else terms.contact_cost
        return replace(self.gate, capacity=terms.capacity, saved_share=terms.accept_rate, contact_cost=cost)


def _judged(decision: Decision, pair: _Pair, history: History, force: bool, demands: _Demands) -> Decision:
    checks = _checks(pair, history.at(history.versions()), demands)
    failed = not all(check.passed for check in checks)
    kind = PROMOTED if not failed else FORCED if force else REFUSED
    fair = _fairness(decision, pair)
    return replace(decision, kind=kind, judged_on=pair.judged_on, checks=tuple(checks), notes=(*decision.notes, *fair))


def _checks(pair: _Pair, history: History, demands: _Demands) -> Sequence[Check]:
    """The gate's checks, or the one that says why there is nothing to check."""
    champion, challenger = pair.questions
    if champion != challenger:
        words = f"they answer different questions: this one «{challenger}», the champion «{champion}»"
        return [Check("comparable", False, words)]
    try:
        rows = closed_rows(history, pair.target, pair.judged_on, pair.known_by, pair.features)
    except (HorizonOpen, StaleHistory, NotEnoughHistory) as not_yet:
        return [Check("comparable", False, str(not_yet))]
    if not len(rows):
        return [Check("comparable", False, f"no account was eligible at {pair.judged_on.isoformat()}")]
    compared = _compared(pair, history, rows)
    if pair.target.answer != "probability":
        return examine_numbers(compared, task_for(pair.target), demands.gate, demands.seed)
    return examine(compared, demands.of(compared.value), demands.seed, at_risk=pair.target.kind in RISKS)


def _compared(pair: _Pair, history: History, rows: Dataset) -> Compared:
    today = unlabelled(history, pair.target, pair.as_of, pair.features)
    return Compared(
        rows.labels,
        rows.account,
        champion=answers_for(pair.fair(pair.champion), rows),
        challenger=answers_for(pair.fair(pair.challenger), rows),
        # What is returned is a negative amount.
        value=rows.columns([ORDERED, RETURNED]).sum(axis=1),
        groups=groups_at(history, pair.judged_on, rows.account_id.tolist()),
        champion_today=main(answers_for(pair.champion, today)),
        challenger_today=main(answers_for(pair.challenger, today)),
        seen=bool(_seen(pair.challenger.card, pair)) and pair.fair(pair.challenger) is pair.challenger,
    )


def _fairness(decision: Decision, pair: _Pair) -> tuple[str, ...]:
    """Which of the two has seen the answer; how it is judged all the same, or when there will be a fair horizon."""
    both = ((decision.version, pair.challenger), (decision.before, pair.champion))
    seen = [(version, model) for version, model in both if _seen(model.card, pair)]
    as_then = [
        f"version {version} has seen {_seen(model.card, pair)} this horizon in training; it is judged as it was fitted on "
        f"{model.card.test_date:%Y-%m-%d}, before that"
        for version, model in seen
        if pair.fair(model) is not model
    ]
    unfair = [
        f"version {version} has seen {_seen(model.card, pair)} it"
        for version, model in seen
        if pair.fair(model) is model
    ]
    if not unfair:
        return tuple(as_then)
    trained = max(model.card.trained_as_of for _, model in both)
    words = (
        f"this is no fair test: of the horizon from {pair.judged_on:%Y-%m-%d} to {pair.as_of:%Y-%m-%d}, "
        f"{' and '.join(unfair)} in training. The first that neither has seen closes on {trained + pair.target.closes_after:%Y-%m-%d}"
    )
    return (*as_then, words)


def _seen(card: ModelCard, pair: _Pair) -> str:
    return seen_of(card, pair.judged_on, pair.target)


def _usable(tracking_uri: str, name: str, version: int, catalog: FeatureSet) -> ModelVersion:
    """A registered version that can be read, computed here, and answers for an account of which nothing is known."""
    model = load_version(tracking_uri, name, version)
    refuse_other_features(model.card, name, version, catalog)
    answer = np.atleast_1d(model.answers(np.full((1, len(model.features)), np.nan))[0])
    most = 1.0 if model.card.answer == "probability" else np.inf
    if not ((answer >= 0.0) & (answer <= most)).all():
        raise NoModel(f"version {version} of '{name}' answers {answer}, which cannot be; train it again")
    return model
