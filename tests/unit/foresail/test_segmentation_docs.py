"""docs/explanation/segmentation.md names every setting of segmentation with the default that holds."""

import pytest

from foresail.config.project_file import File
from foresail.docgen.reference import DOCS
from serving.segmentation.settings import Declared, Threshold

TABLES = ("matrix", "tiers", "segments", "hysteresis", "health", "severity")


def defaults(table, name):
    """{dotted name: default as the file would write it} of a table and the tables in it."""
    if isinstance(table, Threshold):
        (cut,) = table.model_dump(exclude_none=True).items()
        return {name: f"{{ {cut[0]} = {cut[1]:g} }}"}
    if isinstance(table, Declared):
        return {
            key: value
            for field in type(table).model_fields
            for key, value in defaults(getattr(table, field), f"{name}.{field}").items()
        }
    return {} if isinstance(table, tuple) else {name: f"{table:g}"}


@pytest.mark.parametrize("name", TABLES)
def test__standing_page__every_default__is_the_one_that_holds(name):
    page = (DOCS / "explanation" / "segmentation.md").read_text(encoding="utf-8")
    for key, value in defaults(File.model_fields[name].default, name).items():
        assert f"| `{key}` | {value} |" in page, key
