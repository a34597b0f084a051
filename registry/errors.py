"""What can go wrong between a caller and a registered model."""

from typing import ClassVar

from features.errors import ExitCode, ForesailError


class RegistryError(ForesailError):
    """A registered model cannot be used; the message says why and what to do."""

    exit_code: ClassVar[ExitCode] = ExitCode.MODEL


class NoModel(RegistryError, LookupError):
    """The registry holds no model of that name, none with that alias, or none that can be read."""


class CardUnreadable(RegistryError, ValueError):
    """The card of a model is not one that this release reads."""


class ModelUnavailable(RegistryError):
    """No model can be put into service."""


class NoChampion(ModelUnavailable):
    """No model of that name, or none that carries the alias."""


class FingerprintMismatch(ModelUnavailable):
    """The model was trained on features that this installation computes differently, or not at all."""


class BrokenModel(ModelUnavailable):
    """The registered files are no model that can be read and asked."""


class RegistryUnavailable(ModelUnavailable):
    """The registry does not answer."""
