"""The page as HTML, and how a browser gets in and out."""

from __future__ import annotations

from collections.abc import Iterator
from html.parser import HTMLParser

import httpx
import pytest

from lakehouse.api.page.overview import Overviews
from lakehouse.errors import TransientError
from lakehouse_tests.api.conftest import TOKEN, Api


@pytest.fixture
def person(api: Api) -> Iterator[httpx.Client]:
    """A browser without a token, which keeps cookies."""
    with httpx.Client(base_url=api.client.base_url, timeout=60, trust_env=False) as client:
        yield client


class Tags(HTMLParser):
    def __init__(self, html: str) -> None:
        super().__init__()
        self.found: list[tuple[str, dict[str, str | None]]] = []
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, dict(attrs)))


def test_who_has_no_token_is_asked_for_one(person: httpx.Client) -> None:
    answer = person.get("/")
    assert answer.status_code == 401
    assert answer.headers["content-type"].startswith("text/html")
    assert '<input id="token" name="token" type="password"' in answer.text
    assert "gold" not in answer.text


def test_a_token_is_exchanged_for_a_cookie_that_only_reads(person: httpx.Client) -> None:
    wrong = person.post("/login", data={"token": TOKEN + "x"})
    assert (wrong.status_code, "This token is not accepted" in wrong.text) == (401, True)
    assert "set-cookie" not in wrong.headers
    answer = person.post("/login", data={"token": f" {TOKEN} "})
    assert (answer.status_code, answer.headers["location"]) == (303, "/")
    cookie = answer.headers["set-cookie"].lower()
    for part in ("httponly", "samesite=strict", "path=/", "max-age=43200"):
        assert part in cookie
    assert "secure" not in cookie
    assert TOKEN not in cookie
    assert person.get("/").status_code == 200
    assert person.get("/api/v1/alerts").status_code == 200
    assert person.post("/api/v1/query", json={"sql": "SELECT 1"}).status_code == 401


@pytest.mark.parametrize(
    "body", [b"", b"token", b"token=&token=x", b"\xff=\xfe", b"a&" * 5000, b"%", b"token=" + b"x" * 9000]
)
def test_what_is_no_form_is_no_token(person: httpx.Client, body: bytes) -> None:
    answer = person.post("/login", content=body)
    assert (answer.status_code, "set-cookie" in answer.headers) == (401, False)
    assert person.post("/login", content=b"x" * 200_000).status_code == 413


def test_over_tls_the_cookie_stays_there(person: httpx.Client) -> None:
    behind_proxy = {"x-forwarded-proto": "https"}
    answer = person.post("/login", data={"token": TOKEN}, headers=behind_proxy)
    assert "; secure" in answer.headers["set-cookie"].lower()


def test_who_logs_out_has_a_worthless_cookie(person: httpx.Client) -> None:
    person.post("/login", data={"token": TOKEN})
    kept = dict(person.cookies)
    assert person.post("/logout").status_code == 303
    assert "lakehouse_session" not in person.cookies
    person.cookies.update(kept)
    assert person.get("/").status_code == 401


@pytest.mark.parametrize(
    "cookie", ["", "lakehouse_session=", "lakehouse_session=x", 'lakehouse_session="', "a=b; ;="]
)
def test_another_cookie_gets_nobody_in(api: Api, person: httpx.Client, cookie: str) -> None:
    assert person.get("/ready", headers={"cookie": cookie}).status_code == 401


def test_it_shows_what_is_known(api: Api) -> None:
    html = api.client.get("/").text
    for part in ("gold/fct_daily_revenue", "never made", "AssetStale", api.runs[2][:8], "shop", "failure"):
        assert part in html
    assert "Dremio" in html
    assert "dremio does not answer" in html


def test_what_the_data_says_is_text_and_nothing_else(api: Api) -> None:
    html = api.client.get("/").text
    assert "<script" not in html
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in html


def test_nothing_is_loaded_from_anywhere(api: Api) -> None:
    """No scripts, no style outside of the one sheet, no attribute that runs or loads anything."""
    tags = Tags(api.client.get("/").text).found
    assert not {"script", "img", "iframe", "object", "embed", "base"} & {tag for tag, _ in tags}
    for tag, attributes in tags:
        assert not [name for name in attributes if name.startswith("on") or name in ("style", "src")], tag
        if tag == "link":
            assert attributes["href"] == "data:,"
    ids = [attributes["id"] for _, attributes in tags if "id" in attributes]
    assert len(ids) == len(set(ids))


def test_a_part_that_cannot_be_read_leaves_the_others(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    def away() -> None:
        raise TransientError("is away")

    overviews = Overviews(api.platform)
    monkeypatch.setitem(overviews._sections, "runs", away)
    found = overviews.read()
    assert (found.runs.found, found.runs.problem) == (None, "is away")
    assert found.datasets.found is not None
    assert found.layers[0].name == "landing"
    assert sum(found.states.values()) == len(api.platform.graph.datasets)
