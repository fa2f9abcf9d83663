"""All charts of a dashboard asked at once, as a browser does when it opens one."""

from __future__ import annotations

from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor

from lakehouse.clients.superset.client import ChartData, SupersetClient
from lakehouse.errors import LakehouseError

CONNECTIONS = 6
"""How many a browser opens to one server."""


def opened(
    superset: SupersetClient, charts: Mapping[str, int], *, force: bool = False
) -> dict[str, ChartData]:
    """The answers of the charts (title to id); raises as `SupersetClient.chart_data`, naming the first that fails."""

    def ask(title: str) -> ChartData:
        try:
            return superset.chart_data(charts[title], force=force)
        except LakehouseError as error:
            named = f"chart {title!r}: {error.problem}"
            raise type(error)(named, where=error.where, remedy=error.remedy) from error

    with ThreadPoolExecutor(CONNECTIONS, thread_name_prefix="chart") as pool:
        return dict(zip(charts, pool.map(ask, charts), strict=True))
