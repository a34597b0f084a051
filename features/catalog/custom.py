"""A company's own features: Python files that declare them, read beside the catalog.

    # our_features.py
    from features.definitions import Feature, events

    spares = events("purchases", kind="order", category="spare parts")
    FEATURES = [
        Feature("our_spares_amount_sum_90d", spares.sum("amount", days=90), "spare parts ordered in 90 days", "currency", "0: none"),
    ]

A file is run once, alone, and only for its `FEATURES`. The results are declarations: plain data that travels to
any process; nothing asks for the file again.
"""

import ast
import hashlib
import sys
import traceback
from collections.abc import Iterable, Iterator
from pathlib import Path
from types import ModuleType

from features.catalog import CATALOG
from features.definitions import Aggregate, Constant, Definition, Derived, Feature, Season
from features.engine.plan import FeatureSet, make_plan
from features.engine.validation import DeclarationError, check
from features.errors import ExitCode, ForesailError

DECLARES = "FEATURES"
_NOTHING = object()
KEPT_FOR_US = ("population_", "rfm_", "standing_")
"""Beginnings of names that stand beside the catalog's in tables and must stay ours."""


class ExtensionError(ForesailError, ValueError):
    """A feature file cannot be used; each line of the message names file, line, feature and remedy."""

    exit_code = ExitCode.PROJECT


def catalog_with(paths: Iterable[Path]) -> FeatureSet:
    """The catalog, and after it the features of these files in their order; the catalog itself without files.

    ExtensionError for a file that is missing, fails, has no FEATURES, or declares something that cannot be computed or
    whose name is taken: all problems of a file at once, the first file with problems first.
    """
    files = tuple(paths)
    features: list[Feature] = list(CATALOG)
    for path in files:
        features += _declared_in(path, taken={feature.name for feature in features})
    return FeatureSet(features) if files else CATALOG


def _declared_in(path: Path, taken: set[str]) -> tuple[Feature, ...]:
    source = _source(path)
    declared = _run(path, source)
    if _NOTHING in declared:
        raise ExtensionError(f"{path}: it has no {DECLARES}; end it with {DECLARES} = [Feature(...), ...]")
    lines = _lines_of_texts(source)
    problems: list[str] = []
    for number, feature in enumerate(declared, start=1):
        name = str(getattr(feature, "name", ""))
        place = f"{path}, line {lines[name]}" if name in lines else str(path)
        problems += [f"{place}: {problem}" for problem in _problems(feature, number, taken)]
        taken = taken | {name}
    if problems:
        raise ExtensionError("\n".join(problems))
    return declared


def _source(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise ExtensionError(
            f"{path}: the feature file cannot be read ({error.strerror}); bring it back, or take it out of [features] extend"
        ) from error


def _run(path: Path, source: bytes) -> tuple[Feature, ...]:
    """The value of the file's FEATURES, of any type.

    The source is compiled here and not imported: Python would take a cached compilation of a file that was changed
    within the same second, and leave a __pycache__ beside it.
    """
    module = ModuleType(f"foresail_extension_{hashlib.sha256(str(path).encode()).hexdigest()[:12]}")
    module.__file__ = str(path)
    sys.modules[module.__name__] = module  # where dataclasses look for the module they are defined in
    try:
        exec(compile(source, str(path), "exec"), module.__dict__)  # noqa: S102  # the company's own file
        return tuple(getattr(module, DECLARES, (_NOTHING,)))
    except (Exception, SystemExit) as error:  # a file of others may fail in any way
        raise ExtensionError(f"{path}, line {_line_of(error, path)}: {_cause(error)}; put it right") from error
    finally:
        del sys.modules[module.__name__]


def _line_of(error: BaseException, path: Path) -> int | None:
    """Where in the file it went wrong: the innermost of its own lines."""
    if isinstance(error, SyntaxError) and error.filename == str(path):
        return error.lineno
    lines = [frame.lineno for frame in traceback.extract_tb(error.__traceback__) if frame.filename == str(path)]
    return lines[-1] if lines else 1


def _cause(error: BaseException) -> str:
    if isinstance(error, ModuleNotFoundError):
        return f"{error}. A feature file stands alone: it may import Foresail and what is installed, not its neighbours"
    return f"{type(error).__name__}: {error.msg if isinstance(error, SyntaxError) else error}"


def _lines_of_texts(source: bytes) -> dict[str, int]:
    """The first line on which each text stands in the file: where a feature's name is, there it is declared."""
    constants = (node for node in ast.walk(ast.parse(source)) if isinstance(node, ast.Constant))
    last_first = sorted(constants, key=lambda node: -node.lineno)
    return {node.value: node.lineno for node in last_first if isinstance(node.value, str)}


def _problems(feature: Feature, number: int, taken: set[str]) -> Iterator[str]:
    """The problems of one entry of FEATURES, in words."""
    if type(feature) is not Feature:  # of a class of the file's own, another process could not make it
        yield f"entry {number} of {DECLARES} is {_shown(feature)}; give a Feature(name, definition, meaning, unit, absent)"
        return
    yield from _name_problems(feature.name, taken)
    yield from _wording_problems(feature)
    try:
        if _is_definition(feature.definition):
            check((feature,))
            make_plan((feature.definition,))
        else:
            yield f"{feature.name}: {_shown(feature.definition)} is no definition; give what events(...) and its methods return"
    except DeclarationError as error:
        yield str(error) if str(error).startswith(f"{feature.name}:") else f"{feature.name}: {error}"
    # A dataclass accepts any value for a field, and a wrong value may fail anywhere later.
    except (ArithmeticError, AttributeError, LookupError, RecursionError, TypeError, ValueError) as error:
        yield f"{feature.name}: it cannot be computed ({type(error).__name__}: {error}); declare it with events(...) and its methods"


def _wording_problems(feature: Feature) -> Iterator[str]:
    """Pages and reasons are written with these words."""
    for what in ("meaning", "unit", "absent"):
        if not isinstance(getattr(feature, what), str):
            yield f"{feature.name}: its {what} is {_shown(getattr(feature, what))}; give a text"


def _name_problems(name: str, taken: set[str]) -> Iterator[str]:
    if not (isinstance(name, str) and name.isascii() and name.isidentifier() and name == name.lower()):
        yield f"{_shown(name)} is no name for a feature; write small letters, digits and _, like our_spares_count_90d"
    elif name in taken:
        yield f"{name}: there is a feature of that name already; give this one another, for example our_{name}"
    elif name.startswith(KEPT_FOR_US) or name in {"account_id", "as_of"}:
        yield f"{name}: names that begin with {' or '.join(KEPT_FOR_US)}, account_id and as_of are Foresail's; try our_{name}"


def _is_definition(definition: Definition) -> bool:
    """Of the vocabulary's own classes: of a class of the file's own, another process could not make it."""
    if type(definition) is Derived:
        return _is_definition(definition.first) and _is_definition(definition.second)
    return type(definition) in (Aggregate, Season, Constant)


def _shown(value: object) -> str:
    text = repr(value)
    return text if len(text) <= 60 else text[:57] + "..."
