"""A declared chart as Superset keeps it: the form that its editor shows, and the query that the form makes.

A chart that Superset is asked for by its id runs the kept query; a browser makes its own of the form. Both are the same
here, down to what the cache's key is made of, so that an answer made for one is there for the other.
"""

from __future__ import annotations

from typing import Any

from lakehouse.catalog.boards import Shown, metrics_of
from lakehouse.catalog.charts import (
    BarChart,
    Chart,
    LastDays,
    LineChart,
    Metric,
    NumberChart,
    PieChart,
    TableChart,
)

GRAINS = {"hour": "PT1H", "day": "P1D", "week": "P1W", "month": "P1M", "quarter": "P3M", "year": "P1Y"}
_LINE_ROWS = 10_000
_Json = dict[str, Any]


def viz_type(chart: Chart) -> str:
    """Superset's name of the kind of chart."""
    return {
        "number": "big_number_total",
        "line": "echarts_timeseries_line",
        "bar": "echarts_timeseries_bar",
        "pie": "pie",
        "table": "table",
    }[chart.type]


def form_of(chart: Chart, dataset: Shown) -> _Json:
    """The form (`params`): what the chart shows and how."""
    common: _Json = {
        "viz_type": viz_type(chart),
        "adhoc_filters": [_adhoc_filter(chart.last)] if chart.last else [],
        "extra_form_data": {},
    }
    metrics = _metrics(chart)
    match chart:
        case NumberChart():
            return common | {"metric": metrics[0], "y_axis_format": chart.format, "header_font_size": 0.4}
        case LineChart():
            return common | {
                "x_axis": chart.time,
                "time_grain_sqla": GRAINS[chart.grain],
                "metrics": metrics,
                "groupby": [],
                "row_limit": _LINE_ROWS,
                "order_desc": True,
                "show_legend": len(metrics) > 1,
                "legendOrientation": "top",
                "x_axis_time_format": "smart_date",
                "y_axis_format": "SMART_NUMBER",
                "rich_tooltip": True,
                "markerEnabled": True,  # a line of one point is otherwise none
            }
        case BarChart():
            return common | {
                "x_axis": chart.by,
                "metrics": metrics,
                "groupby": [],
                "timeseries_limit_metric": metrics[0],
                "order_desc": True,
                "row_limit": chart.limit,
                "x_axis_sort": metrics[0]["label"],
                "x_axis_sort_asc": False,
                "show_legend": len(metrics) > 1,
                "y_axis_format": "SMART_NUMBER",
            }
        case PieChart():
            return common | {
                "groupby": [chart.by],
                "metric": metrics[0],
                "row_limit": chart.limit,
                "sort_by_metric": True,
                "donut": True,
                "label_type": "percent",
                "number_format": "SMART_NUMBER",
                "show_legend": True,
                "legendOrientation": "top",
            }
        case TableChart():
            decimals = {column.name for column in dataset.columns if column.type.startswith("decimal")}
            return common | {
                "query_mode": "raw",
                "all_columns": list(chart.columns),
                "order_by_cols": [f'["{chart.greatest}", false]'],
                "row_limit": chart.limit,
                "server_pagination": False,
                "table_timestamp_format": "%Y-%m-%d",
                "show_cell_bars": False,
                "column_config": {
                    name: {"d3NumberFormat": ",.2f"} for name in chart.columns if name in decimals
                },
            }


def query_context_of(chart: Chart, dataset: Shown) -> _Json:
    """The query that Superset's browser code makes of the form; the data set is filled in by the import."""
    return {
        "datasource": {"id": 0, "type": "table"},
        "force": False,
        "queries": [_query(chart)],
        "form_data": form_of(chart, dataset),
        "result_format": "json",
        "result_type": "full",
    }


def _query(chart: Chart) -> _Json:
    metrics = _metrics(chart)
    query: _Json = {
        "filters": [_filter(chart.last)] if chart.last else [],
        "extras": {"having": "", "where": ""},
        "applied_time_extras": {},
        "columns": [],
        "annotation_layers": [],
        "series_limit": 0,
        "group_others_when_limit_reached": False,
        "order_desc": True,
        "url_params": {},
        "custom_params": {},
        "custom_form_data": {},
    }
    match chart:
        case NumberChart():
            return query | {"metrics": metrics}
        case LineChart():
            grain = GRAINS[chart.grain]
            return (
                query
                | _over_axis(chart.time, metrics, {"timeGrain": grain})
                | {
                    "extras": {"time_grain_sqla": grain, "having": "", "where": ""},
                    "row_limit": _LINE_ROWS,
                    "post_processing": [_pivot(chart.time, metrics), {"operation": "flatten"}],
                }
            )
        case BarChart():
            by_first = {"by": metrics[0]["label"], "ascending": False}
            return (
                query
                | _over_axis(chart.by, metrics, {})
                | {
                    "row_limit": chart.limit,
                    "series_limit_metric": metrics[0],
                    "post_processing": [
                        _pivot(chart.by, metrics),
                        {"operation": "sort", "options": by_first},
                        {"operation": "flatten"},
                    ],
                }
            )
        case PieChart():
            label = metrics[0]["label"]
            share = {"columns": [label], "rename_columns": [f"{label}__contribution"]}
            return query | {
                "columns": [chart.by],
                "metrics": metrics,
                "orderby": [[metrics[0], False]],
                "row_limit": chart.limit,
                "post_processing": [{"operation": "contribution", "options": share}],
            }
        case TableChart():
            return query | {
                "columns": list(chart.columns),
                "orderby": [[chart.greatest, False]],
                "row_limit": chart.limit,
                "post_processing": [],
                "time_offsets": [],
            }


def _over_axis(column: str, metrics: list[_Json], grain: _Json) -> _Json:
    axis = {"columnType": "BASE_AXIS", "sqlExpression": column, "label": column, "expressionType": "SQL"}
    return {
        "columns": [{**grain, **axis, "isColumnReference": True}],
        "metrics": metrics,
        "orderby": [[metrics[0], False]],
        "series_columns": [],
        "time_offsets": [],
    }


def _pivot(column: str, metrics: list[_Json]) -> _Json:
    aggregates = {metric["label"]: {"operator": "mean"} for metric in metrics}
    options = {"index": [column], "columns": [], "aggregates": aggregates, "drop_missing_columns": False}
    return {"operation": "pivot", "options": options}


def _metrics(chart: Chart) -> list[_Json]:
    return [_adhoc_metric(label, metric) for label, metric in metrics_of(chart).items()]


def _adhoc_metric(label: str, metric: Metric) -> _Json:
    common = {"label": label, "hasCustomLabel": True, "optionName": f"metric_{label.replace(' ', '_')}"}
    if metric.column == "*":
        return common | {"expressionType": "SQL", "sqlExpression": "COUNT(*)"}
    return common | {
        "expressionType": "SIMPLE",
        "aggregate": metric.aggregate.upper(),
        "column": {"column_name": metric.column},
    }


def _adhoc_filter(last: LastDays) -> _Json:
    return {
        "clause": "WHERE",
        "expressionType": "SIMPLE",
        "subject": last.column,
        "operator": "TEMPORAL_RANGE",
        "comparator": f"Last {last.days} days",
    }


def _filter(last: LastDays) -> _Json:
    return {"col": last.column, "op": "TEMPORAL_RANGE", "val": f"Last {last.days} days"}
