"""A company's own features: what a file may declare, that mistakes are told with their place, and that processes agree."""

import multiprocessing
import pickle
import re
import sys
from datetime import datetime
from pathlib import Path

import pytest
from histories import AS_OF
from storing import store

from features.catalog import CATALOG, UnknownFeature, fingerprint, named
from features.catalog.custom import ExtensionError, catalog_with
from features.definitions import Feature, events
from features.engine.events import Events
from features.engine.plan import FeatureSet
from features.engine.table import build_feature_row, build_feature_table

PAGE = Path(__file__).parents[3] / "docs" / "guides" / "own_features.md"
GOOD = """
from dataclasses import dataclass
from features.definitions import Feature, events

@dataclass
class Window:
    days: "int"  # a text, which dataclasses look up in the module's own names

def feature(window):
    count = events("purchases", kind="order").count(days=window.days)
    return Feature(f"our_count_{window.days}d", count, "order lines", "lines", "0: none")

FEATURES = (feature(Window(days)) for days in (7, 14))
"""


MANY_TESTS = """from features.definitions import Feature, at_least, events
lines = events("purchases")
for bound in range(70):
    lines = lines.where(amount=at_least(bound))
FEATURES = [Feature("our_a", lines.count(), "", "", "")]
"""
OF_THEIR_OWN = """from features.definitions import Aggregate, Feature, Stat
class Ours(Aggregate): pass
FEATURES = [Feature("our_a", Ours("purchases", (), Stat.COUNT), "", "", "")]
"""


def file(folder, text, name="our_features.py"):
    (folder / name).write_text(text, encoding="utf-8")
    return folder / name


def declared(*lines):
    head = ["from features.definitions import Feature, events", 'orders = events("purchases", kind="order")']
    return "\n".join([*head, "FEATURES = [", *lines, "]"])


def problems(*paths):
    with pytest.raises(ExtensionError) as error:
        catalog_with(paths)
    return str(error.value).split("\n")


def test__catalog_with__no_files__is_the_catalog_itself():
    """Whoever has no features of their own pays nothing, not even another plan."""
    assert catalog_with([]) is CATALOG


def test__catalog_with__files__their_features_follow_the_catalogs_in_order(tmp_path):
    """Files may compute their declarations; nothing is left behind, neither on disk nor among the modules."""
    more = file(tmp_path, declared('Feature("our_first", orders.first("amount"), "", "", "")'), "more.py")
    catalog = catalog_with([file(tmp_path, GOOD), more])
    assert catalog.names == [*CATALOG.names, "our_count_7d", "our_count_14d", "our_first"]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["more.py", "our_features.py"]
    assert not [name for name in sys.modules if name.startswith("foresail_extension")]


def test__catalog_with__file_changed_within_the_second__is_read_as_it_is(tmp_path):
    """Python takes a cached compilation of a file that has the same size and was changed in the same second."""
    names = ("our_count_7d", "our_count_14d")
    before = fingerprint(named(names, catalog_with([file(tmp_path, GOOD)])))
    other = GOOD.replace('kind="order"', 'kind="return"').replace("a text, which", "a text which")
    assert len(other) == len(GOOD)
    assert fingerprint(named(names, catalog_with([file(tmp_path, other)]))) != before
    assert fingerprint(named(names, catalog_with([file(tmp_path, GOOD)]))) == before


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "our_features.py: it has no FEATURES; end it with FEATURES = [Feature(...), ...]"),
        ("FEATURES = 3", "our_features.py, line 1: TypeError: 'int' object is not iterable; put it right"),
        ("\nFEATURES = [", "our_features.py, line 2: SyntaxError: '[' was never closed; put it right"),
        ("import sys\nsys.exit()", "our_features.py, line 2: SystemExit: ; put it right"),
        ("import our_windows", "line 1: No module named 'our_windows'. A feature file stands alone"),
        (
            declared('Feature("our_a", orders.cuont(), "", "", "")'),
            "our_features.py, line 4: AttributeError: 'Selected' object has no attribute 'cuont'; put it right",
        ),
        (
            declared("", 'Feature("our_a", orders.sum("amout"), "", "", "")'),
            "our_features.py, line 5: our_a: stream 'purchases' has no column 'amout' of its own; did you mean amount?",
        ),
        (declared("orders.count()"), "our_features.py: entry 1 of FEATURES is Aggregate(stream='purchases'"),
        (declared('Feature("our_a", "amount", "", "", "")'), "line 4: our_a: 'amount' is no definition; give what events"),
        (declared('Feature("Our share", orders.count(), "", "", "")'), "line 4: 'Our share' is no name for a feature"),
        (
            declared('Feature("purchases_amount_sum_90d", orders.count(), "", "", "")'),
            "line 4: purchases_amount_sum_90d: there is a feature of that name already; give this one another",
        ),
        (declared('Feature("our_a", orders.count(), None, "", "")'), "line 4: our_a: its meaning is None; give a text"),
        (declared('Feature("our_a", orders.count(), "", 5, "")'), "line 4: our_a: its unit is 5; give a text"),
        (
            declared('Feature("our_a", type(orders.count())("purchases", (), 99), "", "", "")'),
            "line 4: our_a: it cannot be computed (AttributeError: 'int' object has no attribute 'name'); declare it with",
        ),
        (MANY_TESTS, "line 5: our_a: 70 tests of one feature are too many; 64 can be made"),
        (OF_THEIR_OWN, "line 3: our_a: Ours(stream='purchases'"),
        (declared('Feature("rfm_mine", orders.count(), "", "", "")'), "line 4: rfm_mine: names that begin with population_"),
    ],
)  # fmt: skip
def test__catalog_with__a_mistake__names_file_line_feature_and_remedy(tmp_path, text, message):
    """The whole sentence, so that nobody has to read a traceback."""
    (line,) = problems(file(tmp_path, text))
    assert line.startswith(str(tmp_path))
    assert message in line


def test__catalog_with__several_mistakes__all_are_told(tmp_path):
    """One look at the file is enough to put it right."""
    twice = 'Feature("our_a", orders.count(), "", "", ""),'
    lines = problems(file(tmp_path, declared(twice, twice, 'Feature("our_b", orders.count(days=0), "", "", "")')))
    assert [line.removeprefix(f"{tmp_path}/our_features.py, ") for line in lines] == [
        "line 4: our_a: there is a feature of that name already; give this one another, for example our_our_a",
        "line 6: our_b: a window of 0.0 days holds nothing; give a number above 0",
    ]


def test__catalog_with__missing_file__says_what_to_do(tmp_path):
    """A checkout without the file, or a file that was moved."""
    (line,) = problems(tmp_path / "gone.py")
    assert "gone.py: the feature file cannot be read (No such file or directory); bring it back, or take it out" in line


def test__named__unknown__names_it_and_the_nearest(tmp_path):
    catalog = catalog_with([file(tmp_path, GOOD)])
    assert named(["our_count_14d", "purchases_amount_sum"], catalog).names == [
        "our_count_14d",
        "purchases_amount_sum",
    ]
    with pytest.raises(UnknownFeature, match=r"no feature our_count_8d; did you mean our_count_7d\?"):
        named(["our_count_8d"], catalog)


def test__own_features__the_page_that_explains_them__works_as_printed(tmp_path):
    """What people copy first."""
    (code,) = re.findall(r"```python\n(.*?)```", PAGE.read_text(encoding="utf-8"), flags=re.DOTALL)
    catalog = catalog_with([file(tmp_path, code)])
    share = Feature("share", named(["our_spares_share_365d"], catalog)[0].definition, "", "", "")
    lines = [
        {"occurred_at": AS_OF, "known_at": AS_OF, "kind": "order", "amount": amount, "category": category}
        for amount, category in ((30.0, "spare parts"), (90.0, "machines"))
    ]
    assert build_feature_row(Events.from_rows({"purchases": lines}), AS_OF, [share]).tolist() == [0.25]


def bits_elsewhere(travelled: bytes, root: str, as_of: datetime) -> bytes:
    """In another process: the table of a set of features that came as a pickle."""
    return build_feature_table(store_opened(root), as_of, pickle.loads(travelled)).to_numpy().tobytes()


def store_opened(root):
    from features.history.store import History

    return History(root, buckets=4)


def test__own_features__sent_to_another_process__give_the_same_bits_without_the_file(tmp_path):
    """A worker needs the declarations and no file, whether or not the plan was made before."""
    rows = [{"occurred_at": AS_OF, "known_at": AS_OF, "kind": "order", "amount": 5.0}]
    history = store(tmp_path / "history", {"a": {"purchases": rows}, "b": {"purchases": rows * 3}})
    path = file(tmp_path, GOOD)
    fresh = catalog_with([path])
    travelled = pickle.dumps(fresh)
    here = build_feature_table(history, AS_OF, fresh)
    path.unlink()
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        arguments = [(sent, history.root, AS_OF) for sent in (travelled, pickle.dumps(fresh))]
        assert pool.starmap(bits_elsewhere, arguments) == [here.to_numpy().tobytes()] * 2
    assert list(here["our_count_7d"]) == [1.0, 3.0]


def test__feature_set__of_own_and_catalog__travels_with_its_names(tmp_path):
    """Names, order and fingerprint are those of the sender."""
    sent = FeatureSet([*CATALOG[:3], Feature("our_x", events("purchases").count(), "", "", "")])
    received = pickle.loads(pickle.dumps(sent))
    assert (received.names, fingerprint(received)) == (sent.names, fingerprint(sent))
