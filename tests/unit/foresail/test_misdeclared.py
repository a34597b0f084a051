"""foresail.toml of interventions: every name that leads nowhere is an error that says where it could lead."""

import pytest

from foresail.config.project import ProjectError, load

GOOD = """
[project]
name = "Machines"
currency = "EUR"
timezone = "Europe/Berlin"
[targets.churn]
kind = "churn"
horizon_days = 90
[targets.next_order]
kind = "next_order"
horizon_days = 90
[roles.success_manager]
channels = ["chat"]
[roles.director]
members = ["dana"]
[playbooks.win_back]
when = "churn_band = 'high' and value_at_stake > 5000"
for = "churn"
role = "success_manager"
effect = { prior = 0.08 }
[rules.down]
when = "purchases_down_two_quarters"
start = "win_back"
[sla.urgent]
when = "case_severity = 'urgent' and tier = 'strategic'"
notify = ["success_manager"]
claim_within = "15m"
escalate_to = "director"
[calendar]
country = "DE-BY"
[channels.chat]
kind = "people"
url = "dingtalk://${TOKEN}/"
[channels.crm]
kind = "webhook"
url = "https://crm.example.com/hook"
secrets = ["${CRM_SECRET}"]
[webhooks.jira]
secrets = ["${JIRA_SECRET}"]
"""


def loaded(folder, text):
    (folder / "foresail.toml").write_text(text, encoding="utf-8")
    return load(folder)


def test__load__all_fits_together__is_what_is_declared(tmp_path):
    found = loaded(tmp_path, GOOD).interventions
    assert found.playbooks["win_back"].outcome == "churn"
    assert found.calendar.timezone == "Europe/Berlin"


WRONG = [
    ('role = "success_manager"', 'role = "success_manger"', 'playbooks.win_back.role = "success_manger": there is none of that name; did you mean success_manager?'),
    ('for = "churn"', 'for = "chrun"', 'playbooks.win_back.for = "chrun": there is none of that name; did you mean churn?'),
    ('for = "churn"', 'for = "next_order"', "it is a target of kind next_order, which says nothing of a risk or a chance; name one of churn"),
    ("churn_band = 'high'", "churn_bnd = 'high'", "playbooks.win_back.when = \"churn_bnd = 'high' and value_at_stake > 5000\": there is no column 'churn_bnd'; did you mean churn_band?"),
    ('start = "win_back"', 'start = "win_bak"', 'rules.down.start = "win_bak": there is none of that name; did you mean win_back?'),
    ('"purchases_down_two_quarters"', '"purchases_down_two_quartrs"', "did you mean purchases_down_two_quarters?"),
    ('notify = ["success_manager"]', 'notify = ["success_manager", "boss"]', 'sla.urgent.notify[1] = "boss": there is none of that name; name one of director, success_manager, or add a table [roles.NAME]'),
    ('escalate_to = "director"', 'escalate_to = "directr"', "sla.urgent.escalate_to"),
    ("case_severity = 'urgent'", "case_severity = 'very urgent'", "case_severity is never 'very urgent'; did you mean urgent?"),
    ("tier = 'strategic'", "detractor", "there is no column 'detractor'"),
    ('members = ["dana"]', 'members = ["dana", "dana"]', 'roles.director.members: "dana" is named twice; name each once'),
    ('members = ["dana"]', "members = []\ncapacity_per_week = 2", "roles.director.members: it is empty, so that there is no capacity at all; name somebody"),
    ('channels = ["chat"]', 'channels = ["chatt"]', 'roles.success_manager.channels[0] = "chatt": there is none of that name; did you mean chat?'),
    ('country = "DE-BY"', 'country = "DE-XX"', 'calendar.country = "DE-XX": no such part of DE is known; it has BB, BE'),
    ('country = "DE-BY"', 'country = "ZZ"', 'calendar.country = "ZZ": no holidays are known of it'),
    ('country = "DE-BY"', 'timezone = "Europe/Berln"', 'calendar.timezone = "Europe/Berln": there is none of that name; did you mean Europe/Berlin'),
    ("https://crm", "mailtos://crm", 'channels.crm.url = "mailtos://...": a webhook begins with https://'),
    ("https://crm", "http://crm", 'channels.crm.url = "http://...": it can be read on its way'),
    ("dingtalk://${TOKEN}/", "ann@example.com", 'channels.chat.url = "...": it is no URL of Apprise'),
    ('secrets = ["${CRM_SECRET}"]', 'secrets = ["hunter2"]', "channels.crm.secrets[0]: a secret stands in the file; put it into the environment"),
    ('kind = "people"\nurl = "dingtalk', 'kind = "people"\ntypes = ["a"]\nurl = "dingtalk', "channels.chat.types: it belongs to a webhook"),
    ("[sla.urgent]", "[sla.win_back]", "sla.win_back: a playbook has that name, too"),
]  # fmt: skip


@pytest.mark.parametrize(("there", "instead", "said"), WRONG, ids=[each[2][:40] for each in WRONG])
def test__load__one_thing_wrong__key_value_and_remedy_are_said(tmp_path, there, instead, said):
    assert there in GOOD
    with pytest.raises(ProjectError) as refused:
        loaded(tmp_path, GOOD.replace(there, instead, 1))
    assert said in str(refused.value)
    assert "has 1 problem" in str(refused.value)
    assert "hunter2" not in str(refused.value)


def test__load__several_things_wrong__all_are_listed(tmp_path):
    text = GOOD.replace('for = "churn"', 'for = "chrun"').replace('start = "win_back"', 'start = "win_bak"')
    with pytest.raises(ProjectError, match="has 3 problems") as refused:
        loaded(tmp_path, text + '[library]\nrules = ["nothing"]\n')
    assert 'library.rules has "nothing"' in str(refused.value)


def test__load__chosen_from_the_library__stands_among_the_projects_own(tmp_path):
    found = loaded(tmp_path, GOOD + '[library]\nplaybooks = "all"\nrules = ["complaint_unresolved"]\n').interventions
    assert {"win_back", "repair_plan"} <= set(found.playbooks)
    assert found.rules["complaint_unresolved"].start == "repair_plan"
    assert found.roles["success_manager"].channels == ("chat",)
