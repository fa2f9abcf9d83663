"""What `nightly.yaml` declares: the stages of the batch, in order."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import time
from functools import cache
from itertools import pairwise
from pathlib import Path
from typing import Annotated, Any

import dagster as dg
import yaml
from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    ValidationError,
    field_validator,
    model_validator,
)

from lakehouse.catalog.meta import Duration
from lakehouse.errors import ConfigurationError

FILE = Path(__file__).with_name("nightly.yaml")


def _in_quotes(value: Any) -> Any:
    # YAML takes 10:30 for a number to the base 60, and the hour of a number would be another one.
    if isinstance(value, int):
        raise ValueError('is no hour; write it in quotes, such as "01:30"')  # noqa: TRY004  pydantic wants a ValueError
    return value


Clock = Annotated[time, BeforeValidator(_in_quotes)]


class Stage(BaseModel):
    """One stage: what it builds, from when on, and how long it may take."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: str = Field(pattern=r"^[a-z][a-z0-9_]*$")
    begin: Clock
    budget: Duration
    selection: str
    tests: bool = False
    """Run the checks of the selected assets, and build nothing."""

    @field_validator("selection")
    @classmethod
    def _is_selection(cls, text: str) -> str:
        try:
            dg.AssetSelection.from_string(text)
        except dg.DagsterError as error:
            raise ValueError(f"{' '.join(str(error).split())}; write Dagster's selection syntax") from None
        return text

    def selected(self, graph: Any) -> frozenset[dg.AssetKey]:
        """The assets of the graph that it selects."""
        return frozenset(dg.AssetSelection.from_string(self.selection).resolve(graph))


class Batch(BaseModel):
    """The stages, which follow each other within one day."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    done_by: Clock
    stages: tuple[Stage, ...] = Field(min_length=1)

    @model_validator(mode="after")
    def _in_order(self) -> Batch:
        names = [stage.name for stage in self.stages]
        if twice := [name for name in names if names.count(name) > 1]:
            raise ValueError(f"stage {twice[0]} is declared twice")
        for before, after in pairwise(self.stages):
            if after.begin < before.begin:
                raise ValueError(f"stage {after.name} begins before {before.name}, which it follows")
        if self.done_by <= self.stages[-1].begin:
            raise ValueError("done_by is before the last stage begins")
        return self


@cache
def declared_batch(file: Path = FILE) -> Batch:
    """The batch of that file.

    Raises:
        ConfigurationError: no YAML, an unknown key, stages out of order; names file and key.
    """
    try:
        return Batch.model_validate(yaml.safe_load(file.read_text()))
    except yaml.YAMLError as error:
        raise ConfigurationError(f"is no YAML: {' '.join(str(error).split())}", where=str(file)) from None
    except ValidationError as error:
        raise _refused(file, error.errors()[0]) from None


def _refused(file: Path, first: Mapping[str, Any]) -> ConfigurationError:
    key = ".".join(str(part) for part in first["loc"])
    unknown = first["type"] == "extra_forbidden"
    problem = "unknown key" if unknown else first["msg"].removeprefix("Value error, ")
    return ConfigurationError(problem, where=f"{file}: {key}" if key else str(file))
