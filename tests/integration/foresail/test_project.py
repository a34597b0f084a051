"""foresail.toml is checked as a whole: every problem names file, key, value and remedy."""

import re
import subprocess
import sys
import tomllib
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from features.history.ingest.sources import Database, Source
from foresail.config.project import ProjectError, initialise, load, template
from foresail.config.project_file import TABLES
from serving.segmentation.settings import HealthWeights, SegmentationSettings, TargetOf, Threshold, TierRule, Tiers
from training.evaluation.profit import Campaign

GOOD = """
[project]
name = "Gift wholesaler"
currency = "GBP"
timezone = "Europe/London"

[[sources]]
name = "invoices"
stream = "purchases"
from = "data/*.parquet"

[targets.churn]
kind = "churn"
horizon_days = 90
active_within_days = 365
"""


def project(folder, text=GOOD):
    (folder / "foresail.toml").write_text(text)
    return load(folder)


def problems(folder, text):
    """The lines of the error, without its heading."""
    with pytest.raises(ProjectError) as error:
        project(folder, text)
    heading, *lines = str(error.value).split("\n")
    count = f"{len(lines)} problem" + ("s" if len(lines) > 1 else "")
    assert heading == f"{folder.resolve()}/foresail.toml has {count}:"
    return [line.strip() for line in lines]


def test__load__good_file__has_what_it_says_and_documented_defaults(tmp_path, monkeypatch):
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    found = project(tmp_path)

    assert (found.name, found.slug, found.currency, found.timezone) == (
        "Gift wholesaler", "gift-wholesaler", "GBP", "Europe/London",
    )  # fmt: skip
    assert found.sources == (Source("invoices", "purchases", "data/*.parquet", tmp_path),)
    assert (found.explain_top, found.buckets, found.training.every_days, found.training.dates) == (100, 16, 30, 12)
    assert found.history_root == f"{tmp_path}/.foresail/history"
    assert found.tracking_uri == f"sqlite:///{tmp_path}/.foresail/mlflow.db"
    assert found.earliest == datetime(1969, 12, 31, 23, tzinfo=UTC)  # London kept summer time all year in 1970
    assert found.min_history_days("churn") == 90


def test__campaign__costs_and_capacity__are_what_the_file_gives_and_open_where_it_does_not(tmp_path):
    """What is left out stays open, so that whoever reckons with it can say that it was assumed."""
    assert project(tmp_path).campaign == Campaign(currency="GBP")
    text = GOOD + "[costs]\naccount_value = 500\naccept_rate = 0.2\n[team]\ncapacity = 200\n"
    given = Campaign(account_value=500.0, accept_rate=0.2, capacity=200.0, currency="GBP")
    assert project(tmp_path, text).campaign == given


def test__targets__are_those_of_training(tmp_path):
    found = project(
        tmp_path, GOOD + "bands = { medium = 0.5, high = 0.8 }\n[targets.soon]\nkind='churn'\nhorizon_days=7\n"
    )

    churn, soon = found.targets["churn"], found.target("soon")
    assert (churn.horizon_days, churn.active_within_days, churn.band_medium, churn.band_high) == (90, 365, 0.5, 0.8)
    assert (soon.name, soon.horizon_days, soon.active_within_days, soon.band_high) == ("soon", 7, None, 0.9)
    with pytest.raises(ProjectError, match=r"has no target 'chrn'; it has churn, soon. Add a table \[targets.chrn\]"):
        found.target("chrn")


def test__tracking_uri__environment_wins_then_the_file(tmp_path, monkeypatch):
    text = GOOD + '[mlflow]\ntracking_uri = "sqlite:///own.db"\n'
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    assert project(tmp_path, text).tracking_uri == f"sqlite:///{tmp_path}/own.db"

    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://mlflow:5000")
    assert project(tmp_path, text).tracking_uri == "http://mlflow:5000"


@pytest.mark.parametrize(
    ("old", "new", "problem"),
    [
        ('"GBP"', '"gbp"', 'project.currency = "gbp": it must be an ISO 4217 code: three capital letters, like "EUR"'),
        ('"Europe/London"', '"Europe/Londn"', 'project.timezone = "Europe/Londn": it must be a zone of the IANA database, like "Europe/London"'),
        ("currency =", "curency =", "project.currency is missing: it must be"),
        ("[project]", "[project]\nexplain_tpo = 3", "project.explain_tpo = 3: unknown key; did you mean explain_top?"),
        ('"purchases"', '"purchase"', 'sources[0].stream = "purchase": it must be one of purchases, service, engagement, contracts, contacts, accounts'),
        ('name = "invoices"', 'name = "posted"', 'sources[0].name = "posted": it must be a name of its own among the sources, like "invoices", and not "posted"'),
        ('from = "data/*.parquet"', "", 'sources[0].from is missing: it must be a glob for files, like "data/invoices/*.parquet"'),
        ("horizon_days = 90", 'horizon_days = "90d"', 'targets.churn.horizon_days = "90d": it must be a whole number of days above 0, like 90, without a unit'),
        ("horizon_days = 90", "horizon_days = -5", "targets.churn.horizon_days = -5: it must be a whole number of days above 0, like 90, without a unit"),
        ("horizon_days = 90", "horizon_days = 90.5", "targets.churn.horizon_days = 90.5: it must be a whole number of days above 0, like 90, without a unit"),
        ("horizon_days = 90", "horizon_days = true", "targets.churn.horizon_days = true: it must be a whole number of days above 0, like 90, without a unit"),
        ("= 365", "= 0", "targets.churn.active_within_days = 0: it must be a whole number of days above 0, like 365, without a unit; leave it out for no limit"),
        ('kind = "churn"', 'kind = "chrun"', 'targets.churn.kind = "chrun": it must be one of churn, contract_churn, contraction, upsell, cross_sell, value, next_order'),
        ("= 365", "= 365\nbands = { medium = 0.9, high = 0.8 }", 'targets.churn.bands = {"medium": 0.9, "high": 0.8}: it must be { medium = 0.70, high = 0.90 } with medium below high'),
        ("= 365", "= 365\nbands = { medium = 70 }", "targets.churn.bands.medium = 70: it must be a percentile between 0 and 1, like 0.70"),
        ("= 365", "= 365\n[history]\nbuckets = 0", "history.buckets = 0: it must be a whole number of buckets, 1 or more"),
        ("= 365", "= 365\n[costs]\naccept_rate = 30", "costs.accept_rate = 30: it must be a share between 0 and 1: of those who would leave, who stay if contacted"),
        ("= 365", "= 365\n[costs]\ncontact_cost = -1", "costs.contact_cost = -1: it must be an amount, 0 or more: what one contact costs"),
        ("= 365", "= 365\n[costs]\naccount_value = 10\nincentive_cost = 10", 'costs = {"account_value": 10, "incentive_cost": 10}: it must be a table [costs] whose incentive_cost is below its account_value'),
        ("= 365", "= 365\n[team]\ncapacity = 20.5", "team.capacity = 20.5: it must be a share of the accounts below 1, like 0.10, or a whole number of accounts, like 200"),
        ("= 365", "= 365\n[matrix]\nvalue = { quantile = 0.8, absolute = 5 }", 'matrix.value = {"quantile": 0.8, "absolute": 5}: it must be { quantile = 0.80 } or { absolute = 10000 }, one of the two'),
        ("= 365", "= 365\n[matrix]\nvalue = { quantile = 80 }", "matrix.value.quantile = 80: it must be a quantile between 0 and 1, like 0.80"),
        ("= 365", '= 365\n[[tiers.rules]]\ntier = "stategic"\nmin_years = 3', 'tiers.rules[0].tier = "stategic": it must be "strategic", "growth" or "potential"'),
        ("= 365", '= 365\n[[tiers.rules]]\ntier = "strategic"', 'tiers.rules[0] = {"tier": "strategic"}: it must be tables [[tiers.rules]], each with tier and at least one condition'),
        ("= 365", "= 365\n[severity]\nmedium = 0.9", 'severity = {"medium": 0.9}: it must be a table [severity] with medium below high below critical'),
        ("= 365", "= 365\n[health]\nweights = { satisfaction = 0, contribution = 0, exposure = 0 }", 'health.weights = {"satisfaction": 0, "contribution": 0, "exposure": 0}: it must be { satisfaction = 0.3'),
        ("= 365", "= 365\n[hysteresis]\nmargin = 5", "hysteresis.margin = 5: it must be a share from 0 to below 0.5, like 0.10"),
        ("= 365", "= 365\n[histry]\nbuckets = 4", 'histry = {"buckets": 4}: unknown key; did you mean history or hysteresis?'),
    ],
)  # fmt: skip
def test__load__one_mistake__is_named_with_its_remedy(tmp_path, old, new, problem):
    found = problems(tmp_path, GOOD.replace(old, new))

    assert any(line.startswith(problem) for line in found)
    assert len(found) == (2 if new.startswith("curency") else 1)


def test__load__many_mistakes__are_all_reported_at_once(tmp_path):
    text = GOOD.replace('"GBP"', "7").replace("= 90", "= 0").replace('"purchases"', '"sales"')

    assert [line.split(" = ")[0] for line in problems(tmp_path, text)] == [
        "project.currency", "sources[0].stream", "targets.churn.horizon_days",
    ]  # fmt: skip


def test__load__two_sources_of_one_name__is_an_error(tmp_path):
    twice = '[[sources]]\nname = "invoices"\nstream = "service"\nfrom = "x.csv"\n'

    assert problems(tmp_path, GOOD + twice) == [
        'sources[1].name = "invoices": sources[0] has that name; give each its own'
    ]


@pytest.mark.parametrize("name", ["source", "Staged", "foresail_merged"])
def test__load__table_named_like_ingests_own__is_an_error(tmp_path, name):
    text = GOOD.replace("[targets", f'tables = {{ {name} = "x.csv" }}\n[targets')

    (line,) = problems(tmp_path, text)
    assert line.startswith(f"sources[0].tables.{name}")


@pytest.mark.parametrize(
    ("key", "remedy"),
    [
        ("databse", "unknown key; did you mean database"),
        ("from", "it must be a glob for files; the URL of a database belongs into database"),
    ],
)
def test__load__url_in_the_wrong_place__is_shown_without_its_password(tmp_path, key, remedy):
    found = "\n".join(problems(tmp_path, GOOD.replace("from =", f'{key} = "postgresql://me:s3@/cret@host/shop" #')))

    assert f'sources[0].{key} = "postgresql://me:***@host/shop": {remedy}' in found
    assert "cret" not in found


def test__load__no_file__says_how_to_get_one(tmp_path):
    with pytest.raises(ProjectError) as error:
        load(tmp_path / "none")

    folder = tmp_path.resolve() / "none"
    assert str(error.value) == f"{folder}/foresail.toml does not exist; `foresail init {folder}` writes one to fill in"


def test__load__broken_toml__names_line_and_column(tmp_path):
    with pytest.raises(ProjectError, match=r"foresail.toml is not valid TOML: .*line 2, column 8"):
        project(tmp_path, "[project]\nname = \n")


def test__initialise__new_folder__writes_a_file_that_loads(tmp_path):
    initialise(tmp_path / "new" / "company")
    found = load(tmp_path / "new" / "company")

    assert (found.name, list(found.targets), [one.name for one in found.sources]) == (
        "My company",
        ["churn"],
        ["orders"],
    )


DATABASE = 'database = "sqlite:///shop.db"\ntable = "lines"\ncursor = "updated_at"\nlate_days = 3'


def test__load__database__is_a_source_without_files(tmp_path):
    found = project(tmp_path, GOOD.replace('from = "data/*.parquet"', DATABASE))

    database = Database("sqlite:///shop.db", table="lines", cursor="updated_at", late_days=3)
    assert found.sources == (Source("invoices", "purchases", folder=tmp_path, database=database),)


@pytest.mark.parametrize(
    ("lines", "problem"),
    [
        ('from = "a.csv"\ncursor = "at"', 'sources[0].cursor = "at": it belongs to a database; name one, or leave it out'),
        (f'{DATABASE}\nfrom = "a.csv"', 'sources[0].from = "a.csv": it belongs to files, and this source is a database; leave it out'),
        (f'{DATABASE}\nformat = "csv"', 'sources[0].format = "csv": it belongs to files, and this source is a database; leave it out'),
        (f'{DATABASE}\nquery = "select 1"', "sources[0].table is missing: a database needs either table or query, to say what is read there; give one of them"),
        ('database = "sqlite:///a.db"', "sources[0].table is missing: a database needs either table or query, to say what is read there; give one of them"),
        (DATABASE.replace('cursor = "updated_at"', ""), 'sources[0].late_days = 3: it is counted back from a cursor; name one, like "updated_at"'),
        (DATABASE.replace("= 3", "= 0.5"), "sources[0].late_days = 0.5: it must be a whole number of days, 0 or more"),
    ],
)  # fmt: skip
def test__load__source_that_is_half_a_database__is_told_what_is_missing_or_too_much(tmp_path, lines, problem):
    assert problems(tmp_path, GOOD.replace('from = "data/*.parquet"', lines)) == [problem]


def test__initialise__file_there__is_left_alone(tmp_path):
    (tmp_path / "foresail.toml").write_text("mine")

    with pytest.raises(ProjectError, match="exists already; edit it, or choose another folder"):
        initialise(tmp_path)
    assert (tmp_path / "foresail.toml").read_text() == "mine"


def test__template__every_optional_line_uncommented__still_loads(tmp_path):
    """What the comments show is right, and shows every key there is."""
    text = re.sub(r"^# (\[|\w+ = )", r"\1", template(), flags=re.MULTILINE)
    project(tmp_path, text)

    shown = tomllib.loads(text)
    tables = {
        ("project",): shown["project"], ("history",): shown["history"], ("mlflow",): shown["mlflow"],
        # A database is given either a table or a query, so that only one of them can be shown as a key.
        ("sources", "*"): {"query": "", **shown["sources"][0], **shown["sources"][1]}, ("targets", "*"): {key for each in shown["targets"].values() for key in each},
        ("targets", "*", "bands"): shown["targets"]["churn"]["bands"], ("training",): shown["training"],
        ("costs",): shown["costs"], ("team",): shown["team"], ("database",): shown["database"],
        ("publish",): shown["publish"],
        ("matrix",): shown["matrix"], ("tiers",): shown["tiers"], ("tiers", "rules", "*"): shown["tiers"]["rules"][0],
        ("segments",): shown["segments"], ("hysteresis",): shown["hysteresis"], ("health",): shown["health"],
        ("health", "weights"): shown["health"]["weights"], ("severity",): shown["severity"],
        ("serving",): shown["serving"], ("library",): shown["library"],
        ("roles", "*"): shown["roles"]["success_manager"], ("playbooks", "*"): shown["playbooks"]["win_back"],
        ("playbooks", "*", "effect"): shown["playbooks"]["win_back"]["effect"],
        ("playbooks", "*", "steps", "*"): shown["playbooks"]["win_back"]["steps"][0],
        ("rules", "*"): shown["rules"]["two_quarters_down"], ("sla", "*"): shown["sla"]["urgent"],
        ("calendar",): shown["calendar"], ("channels", "*"): shown["channels"]["crm"] | shown["channels"]["chat"],
        ("webhooks", "*"): shown["webhooks"]["jira"], ("policy",): shown["policy"],
    }  # fmt: skip
    for place, table in tables.items():
        assert set(table) == {field.alias or name for name, field in TABLES[place].model_fields.items()}, place


def test__standing__nothing_said__is_the_defaults_for_these_targets(tmp_path):
    """A project from before there was segmentation has it, with the settings that the documentation names."""
    expected = SegmentationSettings(targets={"churn": TargetOf("churn", 90)})
    assert project(tmp_path).segmentation == expected
    text = re.sub(r"^# (\[|\w+ = )", r"\1", template(), flags=re.MULTILINE)
    shown = project(tmp_path, text).segmentation
    assert replace(shown, targets={}, tiers=Tiers()) == SegmentationSettings()


def test__standing__what_is_said__comes_through(tmp_path):
    """The rule of the template: over 1,000,000 a year, at least 3 years, willing to be a reference."""
    text = """
[matrix]
value = { absolute = 10000 }
[[tiers.rules]]
tier = "strategic"
yearly_purchases = 1_000_000
min_years = 3
willing_to_be_reference = true
[health]
weights = { satisfaction = 0, contribution = 1, exposure = 1 }
"""
    segmentation = project(tmp_path, GOOD + text).segmentation
    assert segmentation.matrix.value == Threshold(absolute=10_000)
    assert segmentation.tiers.rules == (
        TierRule(tier="strategic", yearly_purchases=1_000_000, min_years=3, willing_to_be_reference=True),
    )
    assert segmentation.health.weights == HealthWeights(satisfaction=0, contribution=1, exposure=1)


def test__importing__loads_no_heavy_library():
    """`foresail --help` and an error in the file come at once."""
    code = "import sys, foresail.config.project; print([m for m in ('mlflow', 'numba', 'pandas', 'lightgbm') if m in sys.modules])"
    root = Path(__file__).parents[3]
    done = subprocess.run([sys.executable, "-c", code], cwd=root, capture_output=True, text=True, check=True)

    assert done.stdout.strip() == "[]"
