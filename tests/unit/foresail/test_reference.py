"""The reference pages say what the declarations say."""

import pytest

from foresail.docgen.reference import DOCS, PAGES


@pytest.mark.parametrize("name", PAGES)
def test__page__is_in_step_with_the_declarations(name):
    """A change of a declaration needs python -m foresail.docgen.reference."""
    assert (DOCS / name).read_text(encoding="utf-8") == PAGES[name]()
