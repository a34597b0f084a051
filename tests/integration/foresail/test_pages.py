"""What the pages show and do not run: every block is of a known kind, and each command is one that exists."""

import json
import re
import shlex
import tomllib
from collections import Counter

import pytest
import typer
from documented import FRONT, LANGUAGES, PAGES, ROOT, blocks, commands

from foresail.cli.main import app
from foresail.config.project_file import File
from foresail.docgen.reference import DOCS
from foresail.docgen.reference import PAGES as GENERATED

NOT_RUN = {
    "CONTRIBUTING.md": (3, "the verbs of make, on a clone"),
    "docs/benchmarks.md": (3, "benchmarks, which take minutes and hours"),
    "docs/contributing/release.md": (12, "a release"),
    "docs/explanation/decide.md": (3, "forms of a command that guides/account_team.md runs"),
    "docs/explanation/effects.md": (3, "forms of a command that guides/account_team.md runs"),
    "docs/explanation/nightly.md": (2, "forms of a command that guides/operator.md runs"),
    "docs/guides/bi.md": (1, "DuckDB's own command line; test_bi.py runs its query"),
    "docs/guides/data_scientist.md": (1, "MLflow's server"),
    "docs/guides/delivery.md": (3, "dispatchers that go on, and a secret"),
    "docs/guides/interventions.md": (1, "a head from an earlier run"),
    "docs/guides/schedule.md": (1, "systemd"),
    "docs/guides/service.md": (9, "servers that go on, keys, packing"),
    "docs/start/install.md": (2, "the verbs of make, on a clone"),
    "docs/start/own_data.md": (5, "a project of the reader's own data"),
}
"""{page: number of commands in its console blocks, and why they are not run}. The demo's project runs all others."""
NOT_RUN_PYTHON = {
    "docs/explanation/uplift.md": (1, "assignments of the reader's own"),
    "docs/guides/delivery.md": (1, "a receiver's side"),
    "docs/guides/events_and_accounts.md": (1, "the client; test_client.py runs it"),
    "docs/guides/schedule.md": (2, "Airflow and Prefect, which are not installed"),
}
SETTINGS_OF_A_SIMULATION = "docs/explanation/simulation.md"
MINIMAL = {"project": {"name": "x", "currency": "EUR", "timezone": "UTC"}}
OLD_WORDS = re.compile(r"hindsight|track record|by lot\b|near miss|poison|whoever|appraisal|keyring", re.IGNORECASE)
"""Words that the glossary has replaced. Of a generated page the declarations decide."""


def test__blocks__have_a_language_that_says_whether_they_run():
    assert [block for block in blocks() if block.language not in LANGUAGES] == []


def test__console_blocks__are_the_listed_ones():
    """A command that is not run is counted here, with the reason; one more needs another number, or an sh block."""
    found = Counter({block.page: 0 for block in blocks("console")})
    for block in blocks("console"):
        found[block.page] += len(commands(block))
    assert dict(found) == {page: number for page, (number, _) in NOT_RUN.items()}


def test__py_blocks__are_the_listed_ones():
    found = Counter(block.page for block in blocks("py"))
    assert dict(found) == {page: number for page, (number, _) in NOT_RUN_PYTHON.items()}


def test__text_blocks__hold_no_command_that_should_run():
    """A prompt in a block of text is the head of a transcript, and of nothing else."""
    prompts = [
        line for block in blocks("text") for line in block.text.splitlines() if line.startswith(("$ ", ".venv/"))
    ]
    assert set(prompts) == {"$ make demo"}


def described(command):
    """The options of a foresail command as its words name it, and the words that are options of the line."""
    words = [word for word in shlex.split(command) if "=" not in word or word.startswith("--")]
    words = words[words.index(next(word for word in words if word.endswith("foresail"))) + 1 :]
    known = typer.main.get_command(app)
    while hasattr(known, "commands"):
        assert words[0] in known.commands, command
        known = known.commands[words.pop(0)]
    options = {name for each in known.params for name in each.opts} | {"--help"}
    return options, {word.partition("=")[0] for word in words if word.startswith("-")}


@pytest.mark.parametrize(
    "command",
    sorted(
        {command for block in blocks("console") for command in commands(block) if re.match(r"\S*foresail ", command)}
    ),
)
def test__console__foresail_command__has_these_options(command):
    """A command that is not run exists all the same, with every option that it names."""
    if command.endswith("foresail --help"):
        return
    known, named = described(command)
    assert named <= known


@pytest.mark.parametrize(
    "verb", sorted({word for page in PAGES for word in re.findall(r"`make (\w+)", page.read_text(encoding="utf-8"))})
)
def test__make__verb__is_in_the_makefile(verb):
    assert re.search(rf"^{verb}:", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE)


@pytest.mark.parametrize("number", range(len(blocks("toml"))), ids=[block.page for block in blocks("toml")])
def test__toml__is_what_a_project_file_may_say(number):
    """A part of a project file that a page shows is one that the reader of the file accepts."""
    block = blocks("toml")[number]
    shown = tomllib.loads(block.text)
    if block.page != SETTINGS_OF_A_SIMULATION:
        File.model_validate(MINIMAL | shown)


@pytest.mark.parametrize("number", range(len(blocks("json"))), ids=[block.page for block in blocks("json")])
def test__json__is_json(number):
    json.loads(blocks("json")[number].text)


def test__readme__is_short():
    assert len((ROOT / "README.md").read_bytes()) <= 9216


@pytest.mark.parametrize(
    "page",
    [page for page in PAGES if page not in {DOCS / name for name in GENERATED}],
    ids=lambda page: page.relative_to(ROOT).as_posix(),
)
def test__page__uses_the_words_of_the_glossary(page):
    assert OLD_WORDS.findall(page.read_text(encoding="utf-8")) == []


@pytest.mark.parametrize("page", FRONT, ids=lambda page: page.name)
def test__front_page__link__leads_to_a_file(page):
    """The site checks its own links; those of the pages beside it are checked here."""
    links = re.findall(r"\]\(([^)#\s]+)(?:#([\w-]+))?\)", page.read_text(encoding="utf-8"))
    for target, anchor in links:
        if not target.startswith("http"):
            assert (ROOT / target).is_file(), target
            assert not anchor or anchor in anchors(ROOT / target), f"{target}#{anchor}"


def anchors(page):
    headings = re.findall(r"^#+ (.+)$", page.read_text(encoding="utf-8"), re.MULTILINE)
    return {re.sub(r"[-\s]+", "-", re.sub(r"[^\w\s-]", "", heading).strip().lower()) for heading in headings}
