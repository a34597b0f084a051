"""Compiled functions are kept by content: found again wherever the same code is, and never out of date."""

import importlib.util
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

import pytest
from numba.core.dispatcher import Dispatcher

from features.engine import compilation

ROOT = Path(__file__).parents[3]
PRICES = """
from typing import NamedTuple

import numpy as np

from features.engine.compilation import compiled

PRICE = 2
STEPS = (1, 10)
WEIGHTS = np.array([1.0, 0.5])
NOTHING = np.dtype([("amount", np.float64)])


class Order(NamedTuple):
    pieces: float
    discount: float


@compiled
def total(order):
    return gross(order.pieces) * WEIGHTS[0] - order.discount + np.zeros(1, NOTHING)[0].amount


@compiled
def gross(pieces):
    if pieces < 0:
        return -gross(-pieces)
    return pieces * PRICE * STEPS[0]
"""
ORDER_IN_TIME = """
import numpy as np
from features.engine.layout import order_in_time
order = np.zeros(3, dtype=np.int64)
moved = order_in_time(np.array([30, 10, 20]), np.array([0, 3]), order)
print(sum(order_in_time.stats.cache_hits.values()), moved, order)
"""


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    """A cache folder that nobody has used."""
    monkeypatch.setenv("FORESAIL_CACHE_DIR", str(tmp_path / "cache"))
    compilation._warn.cache_clear()
    compilation._remove_unused.cache_clear()
    return tmp_path / "cache/compiled"


@pytest.fixture
def prices(tmp_path):
    """Loads the module of some source, each time from a folder of its own."""
    clones = iter(range(100))

    def load(source=PRICES):
        file = tmp_path / f"clone {next(clones)}/prices.py"
        file.parent.mkdir()
        file.write_text(source)
        spec = importlib.util.spec_from_file_location("prices", file)
        module = importlib.util.module_from_spec(spec)
        sys.modules["prices"] = module  # a kept function names the types it takes by module
        spec.loader.exec_module(module)
        return module

    yield load
    sys.modules.pop("prices", None)


def answer(module):
    """(total of 3 pieces with 1 discount, whether it was compiled for that)."""
    value = module.total(module.Order(3.0, 1.0))
    return value, bool(module.total.stats.cache_misses)


def test__clone__same_content_in_another_folder__compiles_nothing(prices):
    assert answer(prices()) == (5.0, True)
    assert answer(prices()) == (5.0, False)


def test__clone__in_another_process__compiles_nothing(tmp_path):
    answers = []
    for name in ("first clone", "second clone"):
        clone = tmp_path / name
        shutil.copytree(ROOT / "features", clone / "features", ignore=shutil.ignore_patterns("__pycache__"))
        done = subprocess.run(
            [sys.executable, "-c", ORDER_IN_TIME], cwd=clone, capture_output=True, text=True, check=True
        )
        answers.append(done.stdout)
    assert answers == ["0 True [1 2 0]\n", "1 True [1 2 0]\n"]


@pytest.mark.parametrize(
    ("before", "after", "value"),
    [
        pytest.param("PRICE = 2", "PRICE = 4", 11.0, id="a constant that a called function reads"),
        pytest.param("PRICE = 2", "PRICE = 2.0", 5.0, id="the type of a constant"),
        pytest.param("STEPS = (1, 10)", "STEPS = (10, 1)", 59.0, id="a part of a tuple"),
        pytest.param("[1.0, 0.5]", "[0.5, 0.5]", 2.0, id="a cell of an array"),
        pytest.param("pieces * PRICE", "pieces + PRICE", 4.0, id="a called function"),
        pytest.param("- order.discount", "+ order.discount", 7.0, id="the function itself"),
        pytest.param("np.float64)])", "np.float32)])", 5.0, id="a record type"),
        pytest.param("pieces: float\n    discount", "discount: float\n    pieces", -1.0, id="the order of a named tuple's fields"),
    ],
)  # fmt: skip
def test__change__of_what_a_function_is_made_of__is_compiled_anew(prices, before, after, value):
    assert answer(prices()) == (5.0, True)
    assert answer(prices(PRICES.replace(before, after))) == (value, True)


@pytest.mark.parametrize(
    ("before", "after"),
    [
        pytest.param("\nPRICE", "\n# In the account's currency.\nPRICE", id="a comment, which moves lines"),
        pytest.param("STEPS = (1, 10)", "STEPS = (1, 10)\nUNUSED = 7", id="a constant that nothing reads"),
    ],
)
def test__change__of_anything_else__compiles_nothing(prices, before, after):
    assert answer(prices()) == (5.0, True)
    assert answer(prices(PRICES.replace(before, after))) == (5.0, False)


def test__constant_of_another_module__read_by_its_name__is_content(prices, tmp_path, monkeypatch):
    """`encoding.BODY` in compiled code is frozen as a constant of this file would be."""
    source = PRICES.replace("from typing", "import price_list\nfrom typing").replace("* PRICE", "* price_list.PRICE")
    monkeypatch.syspath_prepend(tmp_path)
    answers = []
    for price in (2, 4):
        (tmp_path / "price_list.py").write_text(f"PRICE = {price}")
        monkeypatch.delitem(sys.modules, "price_list", raising=False)
        importlib.invalidate_caches()
        shutil.rmtree(tmp_path / "__pycache__", ignore_errors=True)
        answers.append(answer(prices(source)))
    assert answers == [(5.0, True), (11.0, True)]


def test__global__whose_content_cannot_be_told__is_refused(prices):
    with pytest.raises(compilation.UnknownConstant, match="of type list"):
        answer(prices(PRICES.replace("STEPS = (1, 10)", "STEPS = [1, 10]")))


def test__types__of_two_kinds__have_a_file_each(prices, folder):
    """One file for both would let two processes that compile at once read one another's."""
    module = prices()
    assert module.gross(3) == 6
    assert module.gross(3.5) == 7.0
    assert len(list(folder.glob("prices.gross-*"))) == 2
    again = prices()
    assert (again.gross(3.5), again.gross(3)) == (7.0, 6)
    assert not again.gross.stats.cache_misses


def test__two_processes__compile_at_once__both_are_right_and_the_file_is_whole(prices, tmp_path):
    prices()
    script = "import prices; print(prices.total(prices.Order(3.0, 1.0)))"
    command = [sys.executable, "-c", script]
    environment = os.environ | {"PYTHONPATH": f"{ROOT}:{tmp_path / 'clone 0'}"}
    running = [subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True) for _ in range(2)]
    assert [process.communicate()[0] for process in running] == ["5.0\n", "5.0\n"]
    assert answer(prices()) == (5.0, False)


def test__file__cut_short__is_compiled_anew_and_replaced(prices, folder):
    answer(prices())
    for file in folder.iterdir():
        file.write_bytes(file.read_bytes()[:-1])
    assert answer(prices()) == (5.0, True)
    assert answer(prices()) == (5.0, False)


@pytest.mark.parametrize("place", ["a file", "a file/below"])
def test__folder__that_cannot_be_made__is_said_once_and_everything_is_computed(prices, tmp_path, monkeypatch, place):
    (tmp_path / "a file").touch()
    monkeypatch.setenv("FORESAIL_CACHE_DIR", str(tmp_path / place))
    with pytest.warns(RuntimeWarning, match="FORESAIL_CACHE_DIR to a folder that can be written") as said:
        assert answer(prices()) == (5.0, True)
    assert len({str(warning.message) for warning in said}) == len(said) == 1


def test__user__without_a_home_folder__computes_everything(prices, monkeypatch):
    for name in ("FORESAIL_CACHE_DIR", "NUMBA_CACHE_DIR", "XDG_CACHE_HOME"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(os.path, "expanduser", lambda path: path)
    with pytest.warns(RuntimeWarning, match="no home folder"):
        assert answer(prices()) == (5.0, True)


def test__folder__by_the_environment__is_the_first_that_is_named(monkeypatch, tmp_path):
    named = {name: tmp_path / name for name in ("FORESAIL_CACHE_DIR", "NUMBA_CACHE_DIR")}
    for name, place in named.items():
        monkeypatch.setenv(name, str(place))
    assert compilation.cache_folder() == named["FORESAIL_CACHE_DIR"] / "compiled"
    monkeypatch.delenv("FORESAIL_CACHE_DIR")
    assert compilation.cache_folder() == named["NUMBA_CACHE_DIR"] / "compiled"
    monkeypatch.delenv("NUMBA_CACHE_DIR")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    if sys.platform == "linux":
        assert compilation.cache_folder() == tmp_path / "foresail/compiled"


def test__file__unused_for_two_months__is_removed_when_another_is_kept(prices, folder):
    answer(prices())
    unused, used = sorted(folder.iterdir())
    long_ago = time.time() - (compilation.KEPT_DAYS + 1) * 24 * 60 * 60
    for file in (unused, used):
        os.utime(file, (long_ago, long_ago))
    compilation._read(used)
    compilation._remove_unused.cache_clear()
    prices().gross(1)
    assert used.exists()
    assert not unused.exists()


def test__every_compiled_function__of_the_project__has_content_that_can_be_told():
    users = [
        ".".join(file.relative_to(ROOT).with_suffix("").parts)
        for package in ("features", "training", "serving", "foresail")
        for file in (ROOT / package).rglob("*.py")
        if "\n@compiled" in file.read_text()
    ]
    assert len(users) >= 10
    functions = {
        value
        for user in users
        for value in vars(importlib.import_module(user)).values()
        if isinstance(value, Dispatcher) and value.py_func.__module__ == user
    }
    assert len(functions) > 100
    assert len({compilation.content_of(function) for function in functions}) == len(functions)
    assert all(isinstance(function._cache, compilation.KeptByContent) for function in functions)
