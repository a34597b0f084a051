"""What property tests try does not depend on who runs them, nor on how busy the machine is."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st


def drawn():
    """The cases that a property test tries."""
    cases = []

    @given(st.integers())
    def look(number):
        cases.append(number)

    look()
    return cases


@pytest.mark.skipif(not settings().derandomize, reason="this run looks for new cases")
def test__property_tests__try_the_same_cases_in_every_run():
    assert drawn() == drawn()
    assert len(set(drawn())) > 10


def test__property_tests__have_no_deadline():
    assert settings().deadline is None
