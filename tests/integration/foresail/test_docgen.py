"""The pages that are written from the code say all of it, and link to pages that are there."""

import re

import pytest
import typer
from documented import ROOT

from foresail.cli.main import EXIT_CODES, app
from foresail.config.project_file import TABLES
from foresail.docgen.cli_page import cli_page
from foresail.docgen.http_page import http_page
from foresail.docgen.markdown import linked, table
from foresail.docgen.project_file_page import project_file_page
from serving.api.app import RESOURCES


def test__linked__a_path_in_a_text__becomes_a_link_from_the_page_to_where_the_page_lies():
    """Texts name a page by its file; where in docs/ it lies is looked up."""
    assert linked("see docs/rules.md.", "reference/cli.md") == "see [rules](rules.md)."
    assert linked("see docs/simulation.md", "reference/cli.md") == "see [simulation](../explanation/simulation.md)"
    assert linked("docs/reference/rules.md", "guides/crm.md") == "[rules](../reference/rules.md)"


def test__linked__page_that_is_not_there__is_an_error():
    with pytest.raises(ValueError, match=r"names docs/nothing\.md; docs/ has 0 pages of that name"):
        linked("docs/nothing.md", "reference/cli.md")


def test__table__bar_in_a_cell__stays_in_the_cell():
    assert list(table(["a"], [["x|y"]])) == ["| a |", "| --- |", "| x\\|y |"]


def leaves(command, words=()):
    if not hasattr(command, "commands"):
        return {" ".join(("foresail", *words))}
    return {leaf for name, below in command.commands.items() for leaf in leaves(below, (*words, name))}


def test__cli_page__has_every_command_and_every_exit_code():
    page = cli_page()
    assert set(re.findall(r"^## (foresail .+)$", page, re.MULTILINE)) == leaves(typer.main.get_command(app))
    codes = re.findall(r"^\| (\d+) \| \w", page, re.MULTILINE)
    assert codes == [str(code) for code in range(11)]
    assert all(f"{code} " in EXIT_CODES for code in codes)


def test__http_page__has_every_resource_with_its_scope():
    page = http_page()
    for path, methods in RESOURCES.openapi()["paths"].items():
        for method in methods:
            assert f"\n## {method.upper()} {path}\n" in page
    assert "[`POST /v1/events`](#post-v1events) | events |" in page
    assert "none: the message is signed |" in page


def test__project_file_page__has_every_key_of_every_table():
    page = project_file_page()
    for model in TABLES.values():
        for name, field in model.model_fields.items():
            assert f"`{field.alias or name}`" in page or model is TABLES[()]
    assert "| `dates` | `12` |" in page
    assert "## [[tiers.rules]]" in page


def test__texts_of_the_code__name_pages_that_are_there():
    """A message, a template or a docstring that sends its reader to a page sends them to one that exists."""
    for folder in ("features", "training", "serving", "foresail"):
        for file in (ROOT / folder).rglob("*"):
            if file.suffix in {".py", ".toml", ".template"}:
                linked(re.sub(r"docs/decisions/", "", file.read_text(encoding="utf-8")), "index.md")
