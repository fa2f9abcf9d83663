"""What a metric is: its declaration, and from readings to the families of prometheus_client."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from itertools import accumulate
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from prometheus_client import Metric as Family

Labels = tuple[str, ...]


@dataclass
class Distribution:
    """Observations of a histogram: how many fell in each bucket (the last one has no bound), and their sum."""

    counts: list[int]
    sum: float = 0.0


@dataclass(frozen=True)
class Metric:
    """A declared metric; docs/metrics.md has a row for each."""

    name: str
    kind: Literal["gauge", "counter", "histogram"]
    about: str
    labels: Labels = ()
    bounds: Sequence[float] = field(default=())
    """Upper bounds of a histogram's buckets. Totals of them are stored: other bounds begin at nothing."""

    def family(self, values: Iterable[tuple[Labels, float | Distribution]]) -> Family:
        """What prometheus_client exposes; the values of labels are in the order of `labels`."""
        from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily

        if self.kind == "histogram":
            histogram = HistogramMetricFamily(self.name, self.about, labels=self.labels)
            for labels, value in values:
                if isinstance(value, Distribution):
                    bounds = [*(str(float(bound)) for bound in self.bounds), "+Inf"]
                    buckets = list(zip(bounds, accumulate(value.counts), strict=True))
                    histogram.add_metric(labels, buckets, value.sum)
            return histogram
        kind = CounterMetricFamily if self.kind == "counter" else GaugeMetricFamily
        family = kind(self.name, self.about, labels=self.labels)
        for labels, value in values:
            if not isinstance(value, Distribution):
                family.add_metric(labels, value)
        return family
