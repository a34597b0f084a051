"""All declared features, and the fingerprint that tells whether two of them are the same computation."""

import hashlib
from collections.abc import Iterable, Sequence
from difflib import get_close_matches

from features.definitions import Feature
from features.engine.kernel import KERNEL_VERSION
from features.engine.plan import FeatureSet
from features.errors import ExitCode, ForesailError
from features.families import (
    accounts,
    contacts,
    contracts,
    engagement,
    meetings,
    purchases,
    service,
    signals,
    surveys,
    telemetry,
)

__all__ = ["CATALOG", "FAMILIES", "UnknownFeature", "fingerprint", "named"]

FAMILIES = (
    purchases, engagement, meetings, surveys, telemetry, service, contracts, contacts, accounts, signals,
)  # fmt: skip
"""The files that declare features, in the order of the catalog."""

CATALOG = FeatureSet(feature for family in FAMILIES for feature in family.FEATURES)


class UnknownFeature(ForesailError, KeyError):
    """The catalog has no feature of this name."""

    exit_code = ExitCode.MODEL

    def __str__(self) -> str:
        return str(self.args[0])


def named(names: Sequence[str], catalog: Iterable[Feature] = CATALOG) -> FeatureSet:
    """The catalog's features of these names, in this order; UnknownFeature names those that it does not have."""
    by_name = {feature.name: feature for feature in catalog}
    unknown = [name for name in names if name not in by_name]
    if unknown:
        near = get_close_matches(unknown[0], by_name, n=1)
        hint = f"; did you mean {near[0]}?" if near else ""
        raise UnknownFeature(f"the catalog has no feature {', '.join(unknown)}{hint}")
    return FeatureSet(by_name[name] for name in names)


def fingerprint(features: Iterable[Feature]) -> str:
    """SHA-256 (hex) over everything that can change a value: names, order, definitions and the kernel's version.

    Meaning, unit and wording are left out, so that a better sentence does not retire a model.
    """
    computed = [(feature.name, repr(feature.definition)) for feature in features]
    return hashlib.sha256(repr((KERNEL_VERSION, computed)).encode()).hexdigest()
