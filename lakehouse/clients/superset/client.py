"""Superset's REST API (6.1): log-in, import of dashboards, and the data of their charts."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Generator
from dataclasses import dataclass
from typing import Any

import httpx

from lakehouse.clients.http import JsonApi, Service, one_line
from lakehouse.clients.superset.bundle import Bundle
from lakehouse.errors import ServiceRefusedError
from lakehouse.settings_sections import SupersetSettings

_DATA_SECONDS = 120
_SESSION = re.compile(r"session=([^;]+)")


@dataclass(frozen=True)
class PublishedDashboard:
    """A dashboard as Superset has it."""

    id: int
    slug: str
    digest: str
    """Of what was imported last, as the import wrote it."""


@dataclass(frozen=True)
class ChartData:
    """One answer for a chart."""

    rows: int
    cached: bool
    seconds: float


class SupersetClient:
    """One Superset and its service user. Logs in when first needed; usable as a context manager, and by threads.

    Raises:
        ServiceRefusedError: no address or password is set.
    """

    def __init__(self, settings: SupersetSettings) -> None:
        if settings.url is None or settings.password is None:
            missing = "LAKEHOUSE_SUPERSET__URL" if settings.url is None else "LAKEHOUSE_SUPERSET__PASSWORD"
            raise ServiceRefusedError(
                f"{missing} is not set",
                where="Superset",
                remedy="set it, or run `lakehouse superset install`",
            )
        self.url = settings.url
        service = Service(
            name="Superset",
            url=settings.url,
            start_with="start it with `lakehouse superset up` or `lakehouse up --with superset`",
            credentials=f"check user {settings.user!r} and LAKEHOUSE_SUPERSET__PASSWORD",
        )
        session = _Session(settings.url, settings.user, settings.password.get_secret_value())
        self._api = JsonApi(service, auth=session, timeout=_DATA_SECONDS, error_text=_error_text)

    def __enter__(self) -> SupersetClient:
        return self

    def __exit__(self, *exc: object) -> None:
        self._api.close()

    def dashboard(self, slug: str) -> PublishedDashboard | None:
        """A dashboard by its slug, None when there is none (`GET /api/v1/dashboard/{slug}`)."""
        answer = self._api.get(f"/api/v1/dashboard/{slug}", missing_ok=True)
        if answer is None:
            return None
        found = answer["result"]
        return PublishedDashboard(found["id"], found["slug"], found.get("certification_details") or "")

    def publish(self, bundle: Bundle) -> bool:
        """Import the dashboard unless Superset has exactly this already.

        Returns:
            Whether it was imported.

        Raises:
            ServiceRefusedError: it is refused; names a data set of the same name that is in the way.
        """
        published = self.dashboard(bundle.slug)
        if published and published.digest == bundle.digest:
            return False
        self._refuse_doubles(bundle)
        self.upload(bundle)
        return True

    def upload(self, bundle: Bundle) -> None:
        """Import it whatever is there (`POST /api/v1/assets/import/`)."""
        self._api.call(
            "POST",
            "/api/v1/assets/import/",
            files={"bundle": (f"{bundle.slug}.zip", bundle.archive(), "application/zip")},
            data={"passwords": json.dumps(bundle.passwords)},
        )

    def charts(self, slug: str) -> dict[str, int]:
        """The ids of a dashboard's charts by their titles (`GET /api/v1/dashboard/{slug}/charts`)."""
        answer = self._api.get(f"/api/v1/dashboard/{slug}/charts")
        return {chart["slice_name"]: chart["id"] for chart in answer["result"]}

    def chart_data(self, chart_id: int, *, force: bool = False) -> ChartData:
        """The data that a chart shows (`GET /api/v1/chart/{id}/data/`), kept in Superset's cache from then on.

        Args:
            force: ask the database even when the cache has an answer.

        Raises:
            ServiceRefusedError, TransientError: the query failed; carries Superset's words.
        """
        started = time.monotonic()
        answer = self._api.get(f"/api/v1/chart/{chart_id}/data/", params={"force": "true"} if force else None)
        seconds = time.monotonic() - started
        (result,) = answer["result"]
        if result.get("error"):
            raise ServiceRefusedError(one_line(result["error"]), where=f"chart {chart_id} at {self.url}")
        return ChartData(int(result["rowcount"]), bool(result["is_cached"]), seconds)

    def statement(self, chart_id: int) -> str:
        """The SQL that the chart sends (`GET /api/v1/chart/{id}/data/?type=query`)."""
        answer = self._api.get(f"/api/v1/chart/{chart_id}/data/", params={"type": "query"})
        (result,) = answer["result"]
        return str(result["query"]).strip().rstrip(";")

    def _refuse_doubles(self, bundle: Bundle) -> None:
        """Superset's SQLite metadata allows a data set's name once, and says only `unknown reason`."""
        names = {
            content["table_name"]: content["uuid"]
            for name, content in bundle.files.items()
            if name.startswith("datasets/")
        }
        wanted = ",".join(names)
        query = (
            f"(columns:!(table_name,uuid),filters:!((col:table_name,opr:in,value:!({wanted}))),page_size:100)"
        )
        for found in self._api.get("/api/v1/dataset/", params={"q": query})["result"]:
            if found["uuid"] != names[found["table_name"]]:
                raise ServiceRefusedError(
                    f"has a data set {found['table_name']} that somebody made",
                    where=f"Superset at {self.url}",
                    remedy="rename or delete it there",
                )


class _Session(httpx.Auth):
    """A JWT, and the cookie and token that Superset wants against forged requests; replaced when they expire."""

    requires_request_body = True
    requires_response_body = True

    def __init__(self, url: str, user: str, password: str) -> None:
        self._url = url
        self._login = {"username": user, "password": password, "provider": "db", "refresh": False}
        self._headers: dict[str, str] | None = None

    def auth_flow(self, request: httpx.Request) -> Generator[httpx.Request, httpx.Response, None]:
        for fresh in (False, True):
            headers = self._headers
            if headers is None or fresh:
                security = f"{self._url}/api/v1/security"
                answer = yield httpx.Request(
                    "POST", f"{security}/login", json=self._login, extensions=request.extensions
                )
                if answer.is_error:
                    return
                bearer = {"Authorization": f"Bearer {answer.json()['access_token']}"}
                answer = yield httpx.Request(
                    "GET", f"{security}/csrf_token/", headers=bearer, extensions=request.extensions
                )
                if answer.is_error:
                    return
                cookie = _SESSION.search(answer.headers.get("set-cookie", ""))
                headers = bearer | {"X-CSRFToken": answer.json()["result"], "Referer": self._url}
                headers |= {"Cookie": f"session={cookie[1]}"} if cookie else {}
                self._headers = headers
            request.headers.update(headers)
            response = yield request
            if response.status_code != 401:
                return


def _error_text(body: Any) -> str | None:
    if not isinstance(body, dict):
        return None
    errors = body.get("errors")
    if errors:
        first = errors[0]
        details = (first.get("extra") or {}).get("issue_codes") or []
        wrong = {k: v for k, v in (first.get("extra") or {}).items() if k != "issue_codes" and v}
        return (
            f"{first.get('message')} {json.dumps(wrong)}" if wrong and not details else first.get("message")
        )
    message = body.get("message") or body.get("msg")
    return message if isinstance(message, str) else json.dumps(message) if message else None
