"""Effects that decisions rest on: assumed, learnt, and between; from the registry alone."""

from datetime import UTC, datetime, timedelta

import numpy as np
import pandas as pd
import pytest
from learnt import learnt_by_night

from features.catalog import CATALOG, fingerprint, named
from features.engine.plan import FeatureSet
from registry.card import EffectCard
from registry.errors import FingerprintMismatch, NoChampion
from registry.loader import effect_version, version_of
from registry.writer import effect_name, register_effect
from serving.interventions.decide.effects import effects_of, is_harmful
from serving.interventions.declare.settings import EffectPrior, Playbook
from training.experiments import Arms, Outcomes, measured
from training.experiments.learning import learn

FEATURES = ("purchases_amount_sum_365d", "purchases_amount_sum_90d")
CALL = Playbook(when="true", **{"for": "churn"}, role="r", effect=EffectPrior(prior=0.10, strength=100.0), control=0.5)


def experiment(n=1_600, seed=0, helps=0.6):
    """Accounts that the call helps where they ordered much lately, and does nothing for where not."""
    rng = np.random.default_rng(seed)
    year, lately = rng.gamma(2, 500, n), rng.gamma(2, 100, n)
    treated, chance = rng.random(n) < 0.5, rng.uniform(0.2, 0.6, n)
    missed = (rng.random(n) < chance * (1 - helps * treated * (lately > 200))).astype(float)
    outcomes = Outcomes(
        Arms(treated, np.full(n, 0.5)), missed, year * (1 - missed), chance, chance * 1_000.0, np.full(n, 1_000.0),
        np.column_stack([chance, year]), np.full(n, None, dtype=object),
    )  # fmt: skip
    return outcomes, pd.DataFrame({FEATURES[0]: year, FEATURES[1]: lately}), chance


def registered(uri, playbook="call", catalog=CATALOG, at="2026-01-01T00:00:00+00:00", **how):
    """Learn from an experiment and register it."""
    outcomes, features, _ = experiment(**how)
    learnt = learn(outcomes, measured(outcomes, 0.0), features)
    own = {"playbook": playbook, "target": "churn", "kind": "churn", "learnt_as_of": at}
    own["fingerprint"] = fingerprint(named(learnt.card.features, catalog))
    card = EffectCard.from_json(learnt.card.to_json() | own)
    register_effect(effect_name("shop", playbook), card, learnt.boosters, uri)
    return card


@pytest.fixture(scope="module")
def uri(tmp_path_factory):
    """A store with the effect of the call, which tells accounts apart."""
    uri = f"sqlite:///{tmp_path_factory.mktemp('registry')}/mlflow.db"
    registered(uri)
    return uri


def test__no_experiment__is_what_the_company_assumes():
    effect = effects_of(CALL, None, pd.DataFrame(index=["A", "B"]))
    assert effect.mean.tolist() == [0.10, 0.10]
    assert (effect.sd, effect.source) == (0.10, "assumed")
    assert not is_harmful(None)


def test__no_registry__nothing_is_learnt(tmp_path):
    assert learnt_by_night(f"sqlite:///{tmp_path}/mlflow.db", "shop", ["call"]) == {}


def test__learnt__tells_accounts_apart__and_was_shrunk(uri):
    """1,600 against an assumption worth 100: hardly any of it is left."""
    learnt = learnt_by_night(uri, "shop", ["call", "mail"])
    assert list(learnt) == ["call"]
    _, features, chance = experiment(seed=1)
    effect = effects_of(CALL, learnt["call"], features.assign(chance=chance))
    much = features[FEATURES[1]] > 200
    assert effect.source == "learnt"
    assert effect.mean[much].mean() == pytest.approx(0.6, abs=0.2)
    assert effect.mean[~much].mean() == pytest.approx(0.0, abs=0.2)
    assert effect.sd == pytest.approx(learnt["call"].standard_error, rel=0.2)
    assert not is_harmful(learnt["call"])


def test__learnt__of_accounts_that_hardly_anything_threatens__is_at_most_what_is_at_stake(uri):
    _, features, _ = experiment(seed=1)
    effect = effects_of(CALL, learnt_by_night(uri, "shop", ["call"])["call"], features.assign(chance=0.03))
    assert effect.mean.max() <= 1.0


def test__learnt__from_few__is_between_assumed_and_learnt(uri):
    """300 accounts, 100 assumed: three quarters of what they say; too few to tell accounts apart, so no feature is asked for."""
    card = registered(uri, "few", n=300)
    learnt = learnt_by_night(uri, "shop", ["few"])["few"]
    effect = effects_of(CALL, learnt, pd.DataFrame(index=range(4)))
    n = card.accounts
    assert learnt.features == ()
    assert n == pytest.approx(300, rel=0.05)
    assert effect.mean == pytest.approx((n * card.share + 100 * 0.10) / (n + 100))
    assert effect.source == "mixed"


def test__learnt__to_be_harmful__is_said(uri):
    registered(uri, "annoying", helps=-0.8)
    assert is_harmful(learnt_by_night(uri, "shop", ["annoying"])["annoying"])


def test__learnt__from_features_that_are_computed_differently__is_refused(uri):
    """As a score model would be."""
    fewer = FeatureSet(one for one in CATALOG if one.name not in FEATURES)
    with pytest.raises(FingerprintMismatch, match="reads features that the catalog does not have"):
        learnt_by_night(uri, "shop", ["call"], fewer)


def test__learnt__newest_version_is_the_champion(uri):
    for version in ("1", "2"):
        registered(uri, "again", n=300)
        assert learnt_by_night(uri, "shop", ["again"])["again"].version == version
    assert version_of(uri, effect_name("shop", "again")) == "2"


def test__learnt_later__is_not_known_yet(uri):
    """A night of the past rests on what experiments had shown by then, whichever version is newest."""
    first, second = datetime(2026, 2, 1, tzinfo=UTC), datetime(2026, 3, 1, tzinfo=UTC)
    for at in (first, second):
        registered(uri, "monthly", at=at.isoformat(), n=300)
    name = effect_name("shop", "monthly")
    assert effect_version(uri, name, second) == "2"
    assert effect_version(uri, name, second - timedelta(seconds=1)) == effect_version(uri, name, first) == "1"
    with pytest.raises(NoChampion, match="no version of 'shop-effect-monthly' was learnt by 2026-01-31"):
        effect_version(uri, name, first - timedelta(days=1))


def test__registered__is_what_was_learnt__bit_for_bit(uri):
    """Trees written as text and read again."""
    outcomes, features, chance = experiment()
    learnt = learn(outcomes, measured(outcomes, 0.0), features)
    from registry.effect_model import EffectModel

    own = EffectModel(learnt.card.to_json(), learnt.boosters)
    read = learnt_by_night(uri, "shop", ["call"])["call"].model
    assert np.array_equal(own.shares(features.to_numpy(), chance), read.shares(features.to_numpy(), chance))


def test__parts__say_what_the_learner_says():
    """Whatever learner was chosen, its trees taken apart add up to its own forecast."""
    from training.experiments.learning import _parts
    from training.uplift import estimate_effects
    from training.uplift.learners import LEARNERS

    outcomes, features, _ = experiment(1_200)
    for learner in LEARNERS[1:]:
        effect = estimate_effects(
            features,
            outcomes.arms.treated,
            outcomes.missed,
            direction="lower_is_better",
            propensity=0.5,
            learners=[learner.name],
        ).only
        chosen = effect.contenders[1].learner
        assert chosen.name == learner.name
        if effect.choice.name != learner.name:
            continue
        matrix = features.to_numpy()
        said = sum(
            one.weight
            * one.trees.predict(
                matrix if one.switch is None else np.column_stack([matrix, np.full(len(matrix), one.switch)])
            )
            for one in _parts(effect.model)
        )
        assert np.allclose(said, effect.predict(features))
