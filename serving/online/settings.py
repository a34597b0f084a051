"""What the service is told when it starts: one JSON object in the environment variable FORESAIL_SERVING."""

import json
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from zoneinfo import ZoneInfo, available_timezones

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, ValidationError, field_validator

from serving.interventions.declare.settings import InterventionSettings
from serving.segmentation.settings import TargetOf

VARIABLE = "FORESAIL_SERVING"
_REMEDY = f"Start the service with `foresail serve`, which sets {VARIABLE}"


class SettingsError(ValueError):
    """FORESAIL_SERVING is absent or wrong; the message says what and what to do."""


class Settings(BaseModel):
    """Where accounts and models are, and how times and money are read and written."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    tracking_uri: str = Field(min_length=1)
    database: str = Field(min_length=1)
    """SQLAlchemy URL of the operational database."""
    models: dict[str, str] = Field(min_length=1)
    """Target → name of its registered model."""
    feature_files: tuple[Path, ...] = ()
    """Files of the company's own features, as models were trained with them. Read once, when the service starts."""
    as_of: datetime | None = None
    """The moment that scores speak for; None is the moment of the request. A naive one is in `timezone`."""
    earliest: AwareDatetime = datetime(1970, 1, 1, tzinfo=UTC)
    """Inline events before this moment are refused, as ingest refuses them."""
    currency: str = ""
    timezone: str = "UTC"
    interventions: InterventionSettings = InterventionSettings()
    """What the company declares of interventions; secrets are names of the environment."""
    targets: dict[str, TargetOf] = {}
    """What conditions of SLAs need to know of the targets."""
    refresh_seconds: float = Field(default=5.0, gt=0)
    """How often the registry is asked for something newer."""
    requests_per_second: float | None = Field(default=None, gt=0)
    """How fast one key, or one address without keys, may ask in the long run; None for no limit."""
    burst: int = Field(default=50, ge=1)
    """How many requests one key may make at once, where there is a limit."""

    @field_validator("timezone")
    @classmethod
    def _known_timezone(cls, name: str) -> str:
        if name not in available_timezones():
            raise ValueError(f"'{name}' is no timezone; write one like Europe/London")
        return name

    @property
    def moment(self) -> datetime | None:
        """The fixed as_of in UTC; None where scores speak for the moment of the request."""
        if self.as_of is None:
            return None
        aware = self.as_of if self.as_of.tzinfo else self.as_of.replace(tzinfo=ZoneInfo(self.timezone))
        return aware.astimezone(UTC)


def read_settings(environment: Mapping[str, str]) -> Settings:
    """The settings in FORESAIL_SERVING; SettingsError where it is absent, no JSON, or breaks a rule."""
    text = environment.get(VARIABLE)
    if not text:
        raise SettingsError(f"{VARIABLE} is not set. {_REMEDY}.")
    try:
        return Settings.model_validate(json.loads(text))
    except json.JSONDecodeError as error:
        raise SettingsError(f"{VARIABLE} is not JSON: {error}. {_REMEDY}.") from error
    except ValidationError as error:
        raise SettingsError(f"{VARIABLE} is wrong: {_findings(error)}. {_REMEDY}.") from error


def _findings(error: ValidationError) -> str:
    return "; ".join(f"{'.'.join(map(str, found['loc'])) or 'it'}: {found['msg']}" for found in error.errors())
