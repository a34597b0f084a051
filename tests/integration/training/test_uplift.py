"""Effects of interventions: known answers, known truths, and refusals."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from trials import persuadable, share_of_oracle, trial

from training.uplift import NoOverlap, NotRandomised, TooSmall, estimate_effects, plots

HILLSTROM = Path(__file__).parents[4] / "shared/data/hillstrom/hillstrom.parquet"


def estimated(one, **how):
    """The effect in a trial of one treatment."""
    given = {"direction": "lower_is_better", "seed": 1, **how}
    return estimate_effects(one.features, one.treated, one.churned, **given).only


@pytest.fixture(scope="module")
def mixed():
    """Some are won over, some annoyed; a twentieth can be treated, and accounts differ in what they are worth."""
    one = trial(8000, 3, persuadable)
    return one, estimated(one, value=one.value, budget=0.05, learners=["S", "T"])


@pytest.fixture(scope="module")
def alike():
    """A treatment that lowers everybody's churn by ten points."""
    one = trial(2000, 4)
    return one, estimated(one)


@pytest.fixture(scope="module")
def hillstrom():
    """64,000 people, two mails and no mail, and who visited the shop in the two weeks after (MineThatData, Hillstrom 2008)."""
    if not HILLSTROM.is_file():
        pytest.skip("../shared/data/hillstrom is not here")
    rows = pd.read_parquet(HILLSTROM)
    shares = dict.fromkeys(rows["segment"].unique(), 1 / 3)
    return estimate_effects(
        rows[["womens", "newbie"]],
        rows["segment"],
        rows["visit"],
        control="No E-Mail",
        propensity=shares,
        learners=["S"],
    )


@pytest.mark.parametrize(("mail", "points"), [("Mens E-Mail", 7.66), ("Womens E-Mail", 4.52)])
def test__hillstrom__average_effects__are_the_known_ones(hillstrom, mail, points):
    """Visits by mail, in points; the doubly robust estimate is that of the difference but for noise."""
    effect = hillstrom[mail]
    assert 100 * effect.difference.value == pytest.approx(points, abs=0.006)
    assert 100 * effect.average.value == pytest.approx(points, abs=0.1)
    assert 100 * effect.difference.standard_error == pytest.approx(0.33, abs=0.02)


def test__hillstrom__whom_each_mail_helps__is_what_the_field_knows(hillstrom):
    """The women's mail moves those who bought women's things; of the men's nothing shows that it matters to whom it goes."""
    womens = hillstrom["Womens E-Mail"]
    buyers = pd.DataFrame({"womens": [0, 1], "newbie": [0, 0]})
    assert womens.choice.name != "constant"
    assert womens.chosen.quality.qini.low > 0
    assert np.diff(womens.predict(buyers))[0] > 0.02
    assert hillstrom["Mens E-Mail"].choice.name == "constant"


def test__average__true_effect__lies_in_both_intervals(mixed):
    """By difference and by doubly robust scores; the scores, which know the features, are the surer."""
    one, effect = mixed
    for estimate in (effect.difference, effect.average):
        assert estimate.low < one.effect.mean() < estimate.high < 0
    assert effect.average.standard_error < 0.97 * effect.difference.standard_error


def test__choice__effects_differ__five_percent_reach_nine_tenths_of_the_oracle(mixed):
    """On accounts that the learner has not seen, and on new ones; the average effect × value comes to six tenths."""
    one, effect = mixed
    new = trial(6000, 103, persuadable)
    assert effect.choice.name != "constant"
    assert share_of_oracle(one, effect.accounts["net"]) >= 0.90
    assert share_of_oracle(new, -effect.predict(new.features) * new.value) >= 0.90
    assert share_of_oracle(one, one.value) < 0.7


def test__choice__learners_within_noise_of_each_other__their_mean_serves(mixed):
    """Out of fold and for new accounts it is the mean of what its learners say, and it says which they are."""
    _, effect = mixed
    alike = effect.choice.name.removeprefix("mean of ").split(", ")
    assert len(alike) > 1
    members = [one.effects for one in effect.contenders if one.name in alike]
    np.testing.assert_allclose(effect.chosen.effects, np.mean(members, axis=0))
    np.testing.assert_allclose(effect.accounts["effect"], effect.chosen.effects)
    assert "cannot tell between these learners" in effect.choice.reason


def test__choice__effects_are_alike__constant_wins_and_says_so(alike):
    """What helps all alike must not be told as if it helped some more."""
    _, effect = alike
    assert effect.choice.name == "constant"
    assert np.ptp(effect.predict(trial(10).features)) == 0
    assert list(effect.learners().index)[:5] == ["constant", "S", "T", "X", "DR"]


def test__account_effects__out_of_fold__go_with_the_true_ones(mixed):
    """Account by account in step with the truth, and right on average."""
    one, effect = mixed
    found = effect.accounts["effect"]
    assert np.corrcoef(found, one.effect)[0, 1] > 0.75
    assert found.mean() == pytest.approx(one.effect.mean(), abs=0.03)
    assert found.index.equals(one.features.index)


def test__estimate__same_seed__same_to_the_last_bit():
    """Folds, trees and bootstrap have no other source of chance."""
    one = trial(640, 5, persuadable)
    first, second = estimated(one), estimated(one)
    pd.testing.assert_frame_equal(first.learners(), second.learners(), check_exact=True)
    pd.testing.assert_frame_equal(first.accounts, second.accounts, check_exact=True)
    assert not first.learners().equals(estimated(one, seed=2).learners())


def test__confounded__without_leave__is_refused():
    """Managers visit those who would have stayed: the features tell whom, and the message says which."""
    one = trial(2000, 6, chance=lambda x: 1 / (1 + np.exp(x["a"])))
    with pytest.raises(NotRandomised, match=r"AUROC 0\.7.*the arms differ before the treatment in a \(-0\..*allow_obs"):
        estimated(one)


def test__confounded__with_leave__doubly_robust_is_near_the_truth_and_marked():
    """The plain difference is far off; what the features explain is taken out of it."""
    one = trial(4000, 7, chance=lambda x: 1 / (1 + np.exp(x["a"])))
    effect = estimated(one, allow_observational=True, learners=())
    naive = one.churned[one.treated].mean() - one.churned[~one.treated].mean()
    assert naive < one.effect.mean() - 0.08
    assert effect.average.value == pytest.approx(one.effect.mean(), abs=0.04)
    assert effect.average.low < one.effect.mean() < effect.average.high
    assert not effect.is_randomised
    assert effect.mark.startswith("not randomised")


def test__randomised__needs_no_mark(alike):
    """And its check of randomisation has no objection."""
    _, effect = alike
    assert (effect.mark, effect.randomisation.objections) == ("", ())
    assert effect.randomisation.auroc.low < 0.5 < effect.randomisation.auroc.high


def test__lot_with_stated_chances__is_a_lot_and_is_weighed():
    """Four in five of one kind and one in five of another were treated, as said: no objection, and no bias."""
    one = trial(3000, 8, chance=lambda x: np.where(x["a"] > 0, 0.8, 0.2))
    effect = estimated(one, propensity=np.where(one.features["a"] > 0, 0.8, 0.2), learners=())
    assert effect.is_randomised
    for estimate in (effect.difference, effect.average):
        assert estimate.low < one.effect.mean() < estimate.high
    with pytest.raises(NotRandomised, match="AUROC"):
        estimated(one)


def test__lot_with_another_share_than_stated__is_refused():
    """Of a lot of one half, three fifths treated are a sign that somebody dropped out, or in."""
    one = trial(2000, 9, chance=lambda x: np.full(len(x), 0.6))
    with pytest.raises(NotRandomised, match=r"6\d\.\d% were treated, 50\.0% should have been"):
        estimated(one, propensity=0.5)


def test__no_overlap__is_refused_even_with_leave():
    """Who was always treated shows nothing of what else would have been."""
    one = trial(3000, 10, chance=lambda x: np.where(x["a"] > 0, 0.99, 0.01))
    with pytest.raises(NoOverlap, match="of the rows the chance of treatment lies outside of 5% to 95%"):
        estimated(one, allow_observational=True)


def test__too_few_accounts__says_how_many_and_what_they_could_find():
    """An interval of twenty says nothing; rows of the same account do not make it more."""
    one = trial(40, 11)
    with pytest.raises(
        TooSmall, match=r"control: \d+ accounts; 30 in each are needed.*find with 80 % power is about 0\.4"
    ):
        estimated(one)
    twice = {"clusters": np.tile(np.arange(40), 3)}
    with pytest.raises(TooSmall, match="30 in each"):
        estimate_effects(pd.concat([one.features] * 3), np.tile(one.treated, 3), np.tile(one.churned, 3), **twice)


def test__outcome_that_hardly_occurs__is_refused():
    """Three churners of a thousand cannot be compared."""
    one = trial(1000, 12)
    one.churned[:] = np.arange(1000) < 3
    with pytest.raises(TooSmall, match="show the outcome 1; 5 in each arm are needed"):
        estimated(one)


def test__effect_worth_finding__that_would_be_missed__says_how_many_it_takes():
    """Four times the accounts find half the effect."""
    one = trial(400, 13)
    with pytest.raises(TooSmall, match=r"none as small as 0\.05: that takes about") as refused:
        estimated(one, worth_finding=0.05)
    assert 1500 < int(str(refused.value).split("about ")[1].split(" ")[0].replace(",", "")) < 5000
    assert estimated(one, worth_finding=0.3).average.value < 0


def test__few_accounts__only_the_average_is_learnt():
    """Two hundred an arm tell nothing of who gains more, and the reason says so."""
    effect = estimated(trial(400, 14, persuadable))
    assert effect.choice.name == "constant"
    assert "300 accounts in each arm are needed" in effect.choice.reason


def test__rows_of_one_account__count_once_and_share_a_fold():
    """Every row three times: the interval of difference and scores stays what it was."""
    one = trial(500, 15)
    accounts = np.tile(np.arange(500), 3)
    thrice = estimate_effects(
        pd.concat([one.features] * 3), np.tile(one.treated, 3), np.tile(one.churned, 3), clusters=accounts, seed=1
    ).only
    once = estimated(one)
    assert thrice.difference.value == pytest.approx(once.difference.value)
    assert thrice.difference.standard_error == pytest.approx(once.difference.standard_error, rel=1e-9)
    assert thrice.treated_accounts + thrice.control_accounts == 500


def test__direction__turns_what_is_better_and_not_the_effect():
    """Of a treatment that lowers churn the effect is below 0 and the gain above it."""
    one = trial(500, 16)
    churn = estimated(one)
    stayed = estimate_effects(one.features, one.treated, 1 - one.churned, seed=1).only
    assert churn.average.value == pytest.approx(-stayed.average.value, abs=1e-6)
    assert churn.average_net.value == pytest.approx(stayed.average_net.value, abs=1e-6)
    assert churn.average.value < 0 < churn.average_net.value


def test__cost__that_no_effect_repays__treats_nobody():
    """Each costs more than it can bring: every policy's value is 0, and the average's net is below."""
    effect = estimated(trial(640, 17), cost=2.0)
    assert effect.chosen.policy_value.value == 0
    assert effect.average_net.value == pytest.approx(-effect.average.value - 2.0)


def test__several_treatments__each_against_the_one_control():
    """One works and one does not; rows of one do not enter the other."""
    one, idle = trial(1200, 18), trial(600, 19, effect=lambda x: np.zeros(len(x)))
    arm = np.where(one.treated, "call", "none")
    features = pd.concat([one.features, idle.features[idle.treated]])
    arm = np.r_[arm, np.full(idle.treated.sum(), "mail")]
    churned = np.r_[one.churned, idle.churned[idle.treated]]
    shares = {"none": 0.4, "call": 0.4, "mail": 0.2}
    effects = estimate_effects(
        features, arm, churned, control="none", propensity=shares, direction="lower_is_better", learners=()
    )
    assert list(effects.averages().index) == ["call", "mail"]
    assert effects["call"].average.high < 0
    assert effects["mail"].average.low < 0 < effects["mail"].average.high
    assert list(effects.predict(one.features).columns) == ["call", "mail"]
    assert len(effects["mail"].accounts) == (~one.treated).sum() + idle.treated.sum()
    with pytest.raises(KeyError, match="there is no treatment 'fax'; there are call, mail"):
        effects["fax"]
    with pytest.raises(ValueError, match="there are 2 treatments"):
        _ = effects.only


def test__words__are_features_too_and_a_new_one_is_absent():
    """A text column tells effects apart; a word that training had not met gives a forecast all the same."""
    one = trial(1500, 20, lambda x: np.where(x["e"] > 0, -0.4, 0.0))
    features = one.features.assign(e=np.where(one.features["e"] > 0, "north", "south"))
    effect = estimate_effects(features, one.treated, one.churned, direction="lower_is_better", seed=1).only
    asked = features.iloc[:3].assign(e=["north", "south", "west"])
    assert effect.choice.name != "constant"
    by_word = effect.accounts["effect"].groupby(features["e"]).mean()
    assert by_word["north"] < by_word["south"] - 0.1
    assert effect.predict(asked[["e", "d", "c", "b", "a"]]).notna().all()


def test__pictures__say_what_was_found_and_do_not_lose_the_mark(mixed):
    """The same effect gives the same bytes; of a treatment without a lot the mark stands in the picture."""
    _, effect = mixed
    curve, qini = plots.targeting_curve(effect), plots.qini_curves(effect)
    assert plots.targeting_curve(effect) == curve
    assert f"best first, by {effect.choice.name}" in curve
    assert "not randomised" not in curve
    assert "constant: Qini +0.0000" in qini
    assert "not randomised" in plots.targeting_curve(replace(effect, is_randomised=False))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"direction": "up"}, "direction is 'up'"),
        ({"budget": 0.0}, "budget is 0.0"),
        ({"propensity": 1.0}, "propensity must lie between 0 and 1"),
        ({"value": -np.ones(100)}, "say direction='lower_is_better'"),
        ({"clusters": np.zeros(3)}, "clusters has 3 rows, features has 100"),
        ({"control": "nobody"}, "no row has the control 'nobody'"),
        ({"learners": ["R"]}, "there is no learner 'R'; there are constant, S, T, X, DR"),
    ],
)
def test__settings__that_cannot_be__are_refused_in_words(change, message):
    with pytest.raises(ValueError, match=message):
        estimated(trial(100), **change)


def test__columns__that_cannot_be__are_named():
    """Absent outcomes, names for features, arms without a control."""
    one = trial(200)
    unknown = one.churned.copy()
    unknown[0] = np.nan
    with pytest.raises(ValueError, match="outcome has absent"):
        estimate_effects(one.features, one.treated, unknown)
    with pytest.raises(ValueError, match="column 'id' holds 200 different texts"):
        estimate_effects(one.features.assign(id=[f"n{at}" for at in range(200)]), one.treated, one.churned)
    with pytest.raises(ValueError, match=r"treatment holds \['call', 'none'\]: name the control"):
        estimate_effects(one.features, np.where(one.treated, "call", "none"), one.churned)
    with pytest.raises(ValueError, match="features has no column 'b'"):
        estimated(trial(400)).predict(one.features[["a"]])
