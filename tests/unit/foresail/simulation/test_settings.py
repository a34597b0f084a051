"""One configuration that a test can change, and errors that say which setting, which value, and what to do."""

import pytest

from foresail.operations.simulation import simulation_settings
from foresail.simulation.causes import CAUSES, PLACES
from foresail.simulation.world.settings import Settings, SettingsError, parameters


def test__settings__changed_in_part__keep_the_rest():
    changed = Settings.of({"orders": {"cycle_days": 40}, "signal": 0.5, "playbooks": {"coupon": {"cost": 7}}})
    assert (changed.orders.cycle_days, changed.signal, changed.playbooks["coupon"].cost) == (40, 0.5, 7)
    usual = Settings()
    assert changed.orders.model_copy(update={"cycle_days": usual.orders.cycle_days}) == usual.orders
    assert changed.playbooks["coupon"].response == usual.playbooks["coupon"].response
    assert changed.playbooks["win_back_offer"] == usual.playbooks["win_back_offer"]


@pytest.mark.parametrize("given", [[90, 0], "90,0", "[90, 0]", (90, 0)])
def test__several_numbers__may_be_written_in_several_ways(given):
    assert Settings.of({"truth": {"days_before_end": given}}).truth.days_before_end == (90, 0)


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"signal": 2}, "signal is 2: input should be less than or equal to 1"),
        ({"orders": {"cycle": 3}}, "there is no setting orders.cycle; nearest: orders.cycle_days"),
        ({"order": {"cycle_days": 3}}, "there is no setting order; nearest: orders"),
        ({"company": {"accounts": 0}}, "company.accounts is 0: input should be greater than or equal to 1"),
        ({"broken": {"source": "orderz"}}, "broken.source is 'orderz': it must be one of accounts, contacts"),
        ({"playbooks": {"x": {"situation": "rainy"}}}, "playbooks.x.situation is 'rainy': it must be one of any, due"),
        ({"truth": {"days_before_end": [731]}}, "truth.days_before_end must be one or more numbers from 0 to 730"),
        ({"truth": {"days_before_end": []}}, "truth.days_before_end must be one or more numbers"),
        ({"truth": {"days_before_end": "soon"}}, "write whole numbers, like [90, 0]"),
        ({"truth": {"value_days": 30}}, "truth.value_days (30) must not be less than truth.horizon_days (90)"),
        ({"shift": {"rival": 3}}, "shift has factors and no date: say shift.at_day"),
        ({"shift": {"at_day": 5000}}, "shift.at_day is 5000: it must lie between 0 and 730"),
        ({"broken": {"source": "usage", "from_day": 2000}}, "broken.from_day is 2000: it must lie before day 731"),
        ({"broken": {"source": "logins", "how": "thousandfold"}}, "logins has no numbers; accounts, contracts"),
        (
            {"playbooks": {"win_back": {"cost": 5}}},
            "moves nothing: say satisfaction, rival or boost; nearest of the usual",
        ),
        ({"playbooks": {f"p{n}": {"boost": 1} for n in range(9)}}, "playbooks: 24 are too many; at most 16"),
        ({"playbooks": "x"}, "playbooks is 'x': it must be a table, like [playbooks.NAME]"),
        ({"company": {"start": "01.02.2020"}}, "company.start is '01.02.2020': it must be a date, like 2023-01-01"),
        ({"signal": "high"}, "signal is 'high': it must be a number"),
        ({"sgnal": 0}, "there is no setting sgnal; nearest: signal"),
    ],
)
def test__settings__that_cannot_be__are_named_with_the_remedy(given, said):
    with pytest.raises(SettingsError, match=r".") as error:
        Settings.of(given)
    assert said in str(error.value)


def test__settings__from_file_and_command_line__the_command_line_wins(tmp_path):
    """TOML section by section, then KEY=VALUE in TOML's own notation; a bare word is text."""
    file = tmp_path / "mine.toml"
    file.write_text("signal = 0.5\n[orders]\ncycle_days = 40\nlines = 3\n")
    found = simulation_settings(file, ["orders.cycle_days=20", "broken.source=usage", "truth.days_before_end=[0, 30]"])
    assert (found.signal, found.orders.cycle_days, found.orders.lines) == (0.5, 20, 3)
    assert (found.broken.source, found.truth.days_before_end) == ("usage", (0, 30))


def test__settings__not_toml_or_no_pair__are_refused(tmp_path):
    file = tmp_path / "mine.toml"
    file.write_text("signal = ")
    with pytest.raises(SettingsError, match=r"mine\.toml is not valid TOML"):
        simulation_settings(file)
    with pytest.raises(SettingsError, match="--set signal: write KEY=VALUE, like orders"):
        simulation_settings(None, ["signal"])


def test__parameters__each_have_meaning_and_a_default_that_is_used():
    """What the documentation lists is what the settings hold."""
    listed = {one.key: one for one in parameters()}
    assert len(listed) > 120
    assert all(one.meaning for one in listed.values())
    assert listed["orders.cycle_days"].default == str(Settings().orders.cycle_days)
    assert listed["orders.cycle_days"].allowed == "2 to 2,000"
    assert listed["truth.days_before_end"].default == "[90, 0]"


def test__causal_graph__names_parameters_that_there_are():
    """Each arrow can be turned off where the graph says; each node is in the picture."""
    keys = {one.key for one in parameters()}
    assert [one for one in CAUSES if one.parameter not in keys] == []
    assert {name for one in CAUSES for name in (one.cause, one.effect)} == set(PLACES)
