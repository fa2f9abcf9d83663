"""What runs by itself where: the schedules and sensors that each environment names.

Registration is the gate. A default status only counts when Dagster sees a schedule for the first time, so one that an
environment does not name is not registered there at all: nobody can turn it on by mistake.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any, Literal, get_args
from zoneinfo import ZoneInfo

import yaml
from pydantic import BaseModel, ConfigDict, ValidationError, field_validator, model_validator

from lakehouse.errors import ConfigurationError
from lakehouse.settings import PREFIX, environment_name

FILE = Path(__file__).with_name("environments.yaml")

Schedule = Literal["nightly", "every_15_minutes", "every_6_hours", "daily", "retention"]
"""The nightly batch, the tiers that tables declare, and the removal of what is old."""
Sensor = Literal["changes", "automation_bronze", "automation_models", "automation_serving"]
"""`changes` stands for the sensors of changes of all connections; the others evaluate conditions, by kind."""


class Environment(BaseModel):
    """What one environment runs."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    schedules: tuple[Schedule, ...] = ()
    sensors: tuple[Sensor, ...] = ()
    timezone: str = "UTC"
    """Whose hours the schedules mean."""

    @field_validator("timezone")
    @classmethod
    def _is_known(cls, name: str) -> str:
        try:
            ZoneInfo(name)
        except (KeyError, ValueError):  # ZoneInfoNotFoundError is a KeyError; a path is a ValueError
            hint = "write one of the IANA database, such as Europe/Paris"
            raise ValueError(f"{name!r} is no time zone; {hint}") from None
        return name

    @model_validator(mode="after")
    def _bronze_has_one_driver(self) -> Environment:
        if {"changes", "automation_bronze"} <= set(self.sensors):
            raise ValueError("changes and automation_bronze would both merge what landed; name one of them")
        return self

    @property
    def zone(self) -> ZoneInfo:
        return ZoneInfo(self.timezone)

    def runs(self, name: str) -> bool:
        """Whether it names this schedule or sensor.

        Raises:
            ConfigurationError: no schedule or sensor has that name.
        """
        known = (*get_args(Schedule), *get_args(Sensor))
        if name not in known:
            raise ConfigurationError(
                f"nothing is named {name!r}", where=str(FILE), remedy=f"known are {', '.join(known)}"
            )
        return name in self.schedules or name in self.sensors


class _File(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)

    environments: dict[str, Environment]


@cache
def environments(file: Path = FILE) -> Mapping[str, Environment]:
    """Every declared environment by its name.

    Raises:
        ConfigurationError: no YAML, an unknown key, an unknown schedule, sensor or time zone; names file and key.
    """
    try:
        return _File.model_validate(yaml.safe_load(file.read_text())).environments
    except yaml.YAMLError as error:
        raise ConfigurationError(f"is no YAML: {' '.join(str(error).split())}", where=str(file)) from None
    except ValidationError as error:
        raise _refused(file, error.errors()[0]) from None


def here(file: Path = FILE) -> Environment:
    """The environment that LAKEHOUSE_ENVIRONMENT names, by default `local`.

    Raises:
        ConfigurationError: it is not declared; and as `environments` does.
    """
    name, declared = environment_name(), environments(file)
    if name not in declared:
        raise ConfigurationError(
            f"no environment is named {name!r}",
            where=f"{PREFIX}ENVIRONMENT (environment)",
            remedy=f"{file} declares {', '.join(declared)}",
        )
    return declared[name]


def runs_here(name: str) -> bool:
    """Whether this environment names that schedule or sensor: what sensors take their default status from.

    Raises:
        ConfigurationError: as `here` and `Environment.runs` do.
    """
    return here().runs(name)


def _refused(file: Path, first: Mapping[str, Any]) -> ConfigurationError:
    key = ".".join(str(part) for part in first["loc"])
    unknown = first["type"] == "extra_forbidden"
    problem = "unknown key" if unknown else f"{first['msg'].removeprefix('Value error, ')}"
    told = f", not {first['input']!r}" if first["type"] == "literal_error" else ""
    return ConfigurationError(f"{problem}{told}", where=f"{file}: {key}")
