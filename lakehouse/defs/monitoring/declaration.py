"""Read alerts.yaml: the shipped one, or the one that LAKEHOUSE_ALERTS__FILE names."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import yaml
from pydantic import ValidationError

from lakehouse.defs.ingestion.references import resolve
from lakehouse.errors import ConfigurationError
from lakehouse.settings import Settings, environment

if TYPE_CHECKING:
    from lakehouse.observability.alerts.declaration import Alerting

SHIPPED = Path(__file__).with_name("alerts.yaml")


def alerting_of(settings: Settings) -> Alerting:
    """What the file of these settings declares, with its `${env:...}` references replaced.

    Raises:
        ConfigurationError: no such file, no YAML, an unknown or wrong key, or a variable that is not set; names the
            file and the key.
    """
    from lakehouse.observability.alerts.declaration import Alerting

    path = settings.alerts.file or SHIPPED
    try:
        document = yaml.safe_load(path.read_text())
    except OSError as error:
        raise ConfigurationError(
            error.strerror or "cannot be read", where=str(path), remedy="see LAKEHOUSE_ALERTS__FILE"
        ) from None
    except yaml.YAMLError as error:
        raise ConfigurationError(f"is no YAML: {' '.join(str(error).split())}", where=str(path)) from None
    if not isinstance(document, dict):
        raise ConfigurationError("declares nothing", where=str(path), remedy="it needs `sinks` and `routes`")
    try:
        return Alerting.model_validate(resolve(document, environment(settings), where=str(path)))
    except ValidationError as error:
        first = error.errors(include_input=False)[0]
        key = ".".join(str(part) for part in first["loc"])
        unknown = first["type"] == "extra_forbidden"
        problem = "unknown key" if unknown else first["msg"].removeprefix("Value error, ")
        raise ConfigurationError(problem, where=f"{path}: {key}" if key else str(path)) from None
