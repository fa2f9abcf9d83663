"""How old every asset may get: declared, inherited, or its layer's."""

from __future__ import annotations

from datetime import timedelta
from itertools import pairwise

from lakehouse.catalog.datasets import BronzeTable, Catalog, Dashboard, Model, Relation
from lakehouse.catalog.freshness import LAYER_DEFAULTS, declared_freshness, layer_default
from lakehouse.catalog.meta import Freshness, Reflection

HOURLY = Freshness(fail_after="1h")
YEARLY = Freshness(fail_after="365d")


def table(freshness: Freshness | None) -> BronzeTable:
    return BronzeTable(
        Relation("lake", "bronze", "s__t"),
        "s",
        "t",
        "c",
        "t",
        ("id",),
        None,
        "",
        (),
        None,
        freshness,
        "source.s.t",
    )


def model(name: str, freshness: Freshness | None) -> Model:
    fast = Reflection(name="fast", type="raw", display=("id",))
    return Model(
        Relation("lake", "gold", name), "gold", "table", None, "", (), None, freshness, (fast,), (), name
    )


def board(name: str, freshness: Freshness | None, *upstream: str) -> Dashboard:
    return Dashboard(name, name, "", None, None, freshness, tuple(("gold", model) for model in upstream))


def test_what_is_made_of_something_promises_what_that_promises() -> None:
    catalog = Catalog(
        (table(HOURLY),),
        (model("orders", HOURLY), model("airports", YEARLY), model("undeclared", None)),
        (
            board("both", None, "airports", "orders", "undeclared"),
            board("own", YEARLY, "orders"),
            board("none", None, "undeclared"),
        ),
    )
    assert declared_freshness(catalog) == {
        ("bronze", "s", "t"): HOURLY,
        ("landing", "s", "t"): HOURLY,
        ("gold", "orders"): HOURLY,
        ("reflections", "orders", "fast"): HOURLY,
        ("gold", "airports"): YEARLY,
        ("reflections", "airports", "fast"): YEARLY,
        ("serving", "both"): HOURLY,
        ("serving", "own"): YEARLY,
    }


def test_the_defaults_tell_of_the_first_layer_that_is_stuck_first() -> None:
    layers = ("landing", "bronze", "silver", "gold", "reflections", "serving")
    assert tuple(LAYER_DEFAULTS) == layers
    limits = [layer_default((layer, "x")) for layer in layers]
    for before, after in pairwise(limits):
        assert before.warn_after
        assert after.warn_after
        assert (
            after.warn_after - before.warn_after == after.fail_after - before.fail_after == timedelta(hours=1)
        )
    assert layer_default(("elsewhere",)) == LAYER_DEFAULTS["serving"]
