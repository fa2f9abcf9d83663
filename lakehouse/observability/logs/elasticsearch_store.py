"""The log store in Elasticsearch: an index a day, bulk writes, documents that are the same when they come again."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import date
from typing import Any

import elasticsearch
import msgspec
from elasticsearch import helpers

from lakehouse.errors import ConfigurationError, ServiceDownError, ServiceRefusedError, TransientError
from lakehouse.observability.logs.elasticsearch_template import day_of, index_of, lifecycle, template
from lakehouse.observability.logs.query import LogQuery, Page
from lakehouse.observability.logs.record import LogRecord, milliseconds
from lakehouse.observability.logs.store import MOST_VALUES, Capabilities, checked_field, checked_limit
from lakehouse.settings_sections import ElasticsearchSettings

_AT_ONCE = 1000
_BYTES_AT_ONCE = 5 * 2**20
_TRIES = 4
_LATER = frozenset({403, 408, 409, 429, 500, 502, 503, 504})
"""Answers for a document that may be taken later: 403 is an index that a full disk made read-only."""
_NO_SUCH_CALL = frozenset({400, 404, 405})


class ElasticsearchLogStore:
    """Indices `<prefix>-YYYY.MM.DD`. The template and the policy are put in place before the first write."""

    def __init__(self, settings: ElasticsearchSettings, *, keep_days: int) -> None:
        self.settings = settings
        self._keep_days = keep_days
        self._client = _client(settings)
        self._expires: bool | None = None

    @property
    def capabilities(self) -> Capabilities:
        """Whether indices expire by themselves depends on the server; asking it puts the policy in place."""
        return Capabilities("elasticsearch", found_at_once=False, expires_by_itself=self._prepared())

    def add(self, records: Sequence[LogRecord]) -> list[str]:
        """Write in bulks; what the server is too busy for is sent again, later and later."""
        self._prepared()
        refused: list[str] = []
        with self._told():
            outcomes = helpers.streaming_bulk(
                self._client,
                (self._action(record) for record in records),
                chunk_size=_AT_ONCE,
                max_chunk_bytes=_BYTES_AT_ONCE,
                max_retries=_TRIES,
                initial_backoff=0.5,
                max_backoff=8,
                raise_on_error=False,
            )
            for accepted, answer in outcomes:
                if not accepted:
                    refused += self._refusal(answer["index"])
        return refused

    def search(self, query: LogQuery, *, limit: int = 50, page: str | None = None) -> Page:
        """The newest records that fit; a page goes on after the last record of the one before."""
        limit = checked_limit(limit)
        after = {"search_after": _after(page)} if page else {}
        order = [{"timestamp": {"order": "desc"}}, {"id": {"order": "desc"}}]
        hits = self._ask(query=_query(query), sort=order, size=limit + 1, **after)["hits"]["hits"]
        more = json.dumps(hits[limit - 1]["sort"]) if len(hits) > limit else None
        return Page([msgspec.convert(hit["_source"], LogRecord) for hit in hits[:limit]], more)

    def count(self, query: LogQuery, by: str) -> dict[str, int]:
        """The specification's monitoring query: a filter, and a terms aggregation `by_<field>`."""
        name = f"by_{checked_field(by)}"
        aggregation = {name: {"terms": {"field": by, "size": MOST_VALUES}}}
        answer = self._ask(query=_query(query), size=0, aggs=aggregation)
        buckets = answer.get("aggregations", {}).get(name, {}).get("buckets", [])
        return {bucket["key"]: int(bucket["doc_count"]) for bucket in buckets}

    def count_before(self, day: date) -> int:
        """How many records the indices of earlier days hold."""
        indices = self._indices_before(day)
        if not indices:
            return 0
        with self._told():
            return int(self._client.count(index=",".join(indices))["count"])

    def remove_before(self, day: date) -> int:
        """Delete the indices of earlier days."""
        count = self.count_before(day)
        for index in self._indices_before(day):
            with self._told():
                self._client.indices.delete(index=index, ignore_unavailable=True)
        return count

    def close(self) -> None:
        """Close the connections."""
        self._client.close()

    def _action(self, record: LogRecord) -> dict[str, Any]:
        # In `_source`: of a bare document, helpers take fields such as `version` for orders to Elasticsearch.
        return {
            "_op_type": "index",
            "_index": index_of(self.settings.index, record.timestamp),
            "_id": record.id,
            "_source": msgspec.to_builtins(record),
        }

    def _refusal(self, answer: dict[str, Any]) -> list[str]:
        error = answer.get("error") or {}
        reason = error.get("reason", error) if isinstance(error, dict) else error
        if answer.get("status") in _LATER:
            raise TransientError(f"takes no more for now ({answer['status']}): {reason}", where=self._where)
        return [f"{answer.get('_id')}: {reason}"]

    def _ask(self, **body: Any) -> Any:
        with self._told():
            return self._client.search(
                index=f"{self.settings.index}-*", allow_no_indices=True, ignore_unavailable=True,
                track_total_hits=False, **body,
            ).body  # fmt: skip

    def _indices_before(self, day: date) -> list[str]:
        prefix = self.settings.index
        with self._told():
            found = self._client.indices.get_settings(index=f"{prefix}-*", allow_no_indices=True)
        days = {name: of for name in found if (of := day_of(prefix, name)) is not None}
        return sorted(name for name, of in days.items() if of < day)

    def _prepared(self) -> bool:
        """Policy and template are there; whether the server knows policies."""
        if self._expires is None:
            name = self.settings.index
            with self._told():
                expires = self._put_policy(name)
                self._client.indices.put_index_template(
                    name=name, **template(name, name if expires else None)
                )
            self._expires = expires
        return self._expires

    def _put_policy(self, name: str) -> bool:
        try:
            self._client.ilm.put_lifecycle(name=name, policy=lifecycle(self._keep_days))
        except elasticsearch.ApiError as error:
            if error.status_code in _NO_SUCH_CALL:
                return False
            raise
        return True

    @property
    def _where(self) -> str:
        return f"Elasticsearch at {self.settings.url}"

    @contextmanager
    def _told(self) -> Iterator[None]:
        try:
            yield
        except elasticsearch.TransportError as error:
            raise ServiceDownError(
                f"does not answer: {error.message}", where=self._where, remedy="look whether it runs"
            ) from error
        except elasticsearch.ApiError as error:
            status = error.status_code
            if status in (401, 403):
                raise ServiceRefusedError(
                    f"credentials refused ({status})",
                    where=self._where,
                    remedy="check LAKEHOUSE_ELASTICSEARCH__*",
                ) from error
            kind = TransientError if status in _LATER else ServiceRefusedError
            raise kind(
                f"answered {status}: {' '.join(str(error).split())[:300]}", where=self._where
            ) from error
        except elasticsearch.UnsupportedProductError as error:
            raise ServiceRefusedError("is no Elasticsearch", where=self._where) from error


def _query(query: LogQuery) -> dict[str, Any]:
    """The query as a filter, which keeps no scores."""
    filters: list[dict[str, Any]] = []
    between = {
        name: milliseconds(moment)
        for name, moment in (("gte", query.since), ("lt", query.until))
        if moment is not None
    }
    if between:
        filters.append({"range": {"timestamp": {**between, "format": "epoch_millis"}}})
    for phrase in query.phrases:
        filters.append({"match_phrase_prefix" if phrase.prefix else "match_phrase": {"message": phrase.text}})
    filters += [{"terms": {name: list(values)}} for name, values in query.fields.items() if values]
    return {"bool": {"filter": filters}} if filters else {"match_all": {}}


def _after(page: str) -> list[Any]:
    try:
        found = json.loads(page)
    except ValueError:
        found = None
    if not isinstance(found, list) or len(found) != 2:
        raise ConfigurationError(f"is no page of this store: {page!r}", where="log search")
    return found


def _client(settings: ElasticsearchSettings) -> elasticsearch.Elasticsearch:
    options: dict[str, Any] = {"request_timeout": 30, "retry_on_timeout": False, "max_retries": 1}
    if settings.api_key:
        options["api_key"] = settings.api_key.get_secret_value()
    elif settings.user and settings.password:
        options["basic_auth"] = (settings.user, settings.password.get_secret_value())
    if settings.ca_file:
        options["ca_certs"] = str(settings.ca_file)
    return elasticsearch.Elasticsearch(str(settings.url), **options)
