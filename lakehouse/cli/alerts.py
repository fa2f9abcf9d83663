"""`lakehouse alerts test|list|silence`: try the sinks, see what fires, and be quiet for a while."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from datetime import timedelta

    from lakehouse.observability.alerts.transitions import Open

app = typer.Typer(
    no_args_is_help=True,
    help="Try the sinks of alerts, list what fires, silence.",
    rich_markup_mode="markdown",
)
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON.")]


@app.callback()
def alerts() -> None:
    """Alerts as `LAKEHOUSE_ALERTS__FILE` declares them; see docs/alerts.md."""


@app.command(name="test")
def try_sinks(*, sink: Annotated[str | None, typer.Option("--sink", help="Only this one.")] = None) -> None:
    """Send a test alert and its end to every sink. Exit code 1 when one did not take them."""
    from lakehouse.defs.monitoring.declaration import alerting_of
    from lakehouse.errors import ConfigurationError, LakehouseError
    from lakehouse.observability.alerts.try_out import try_out
    from lakehouse.settings import load_settings

    alerting = alerting_of(load_settings())
    if sink is not None and sink not in alerting.sinks:
        raise ConfigurationError(
            f"no sink is named {sink!r}", where="--sink", remedy=f"declared are {', '.join(alerting.sinks)}"
        )
    failed = False
    for name in [sink] if sink else alerting.sinks:
        try:
            try_out(alerting, name, datetime.now(UTC))
            print(f"✓ {name}: {alerting.sinks[name].type} took the alert and its end")
        except LakehouseError as error:
            failed = True
            print(f"✗ {name}: {error}")
    if failed:
        raise typer.Exit(1)


@app.command(name="list")
def list_(*, as_json: AsJson = False) -> None:
    """List what fires, what waits for a sink, and what is silenced."""
    from lakehouse.observability.alerts.store import alert_store
    from lakehouse.settings import load_settings

    store = alert_store(load_settings())
    firing = [_row(one) for one in store.open().values()]
    waiting = [
        {
            "sink": told.sink,
            "key": told.alert.key,
            "transition": told.transition,
            "since": told.at.isoformat(),
        }
        for told in store.undelivered()
    ]
    silences = [
        {"pattern": silence.pattern, "until": silence.until.isoformat()}
        for silence in store.silences(datetime.now(UTC))
    ]
    if as_json:
        print(json.dumps({"firing": firing, "undelivered": waiting, "silences": silences}, indent=1))
        return
    if not firing:
        print("nothing fires")
    for row in firing:
        told = f"told {', '.join(row['told'])}" if row["told"] else "not told"
        print(
            f"{row['severity']:8} {row['key']}  since {row['starts_at'][:16]}  {told}\n         {row['summary']}"
        )
    for one in waiting:
        print(f"undelivered to {one['sink']}: {one['key']} {one['transition']}, since {one['since'][:16]}")
    for one in silences:
        print(f"silenced until {one['until'][:16]}: {one['pattern']}")


@app.command()
def silence(
    key: Annotated[str, typer.Argument(help="An alert's key or its asset, or a glob: 'AssetStale/gold/*'.")],
    *,
    duration: Annotated[str, typer.Option("--for", help="How long: 30m, 2h, 1d.")],
    as_json: AsJson = False,
) -> None:
    """Tell nobody of these alerts for a while. What still fires then is told when it is over."""
    from lakehouse.observability.alerts.store import alert_store
    from lakehouse.settings import load_settings

    store = alert_store(load_settings())
    made = store.silence(key, datetime.now(UTC) + _duration(duration))
    covered = sorted(one.alert.key for one in store.open().values() if made.covers(one.alert))
    if as_json:
        print(json.dumps({"pattern": made.pattern, "until": made.until.isoformat(), "firing": covered}))
        return
    fits = f"of what fires: {', '.join(covered)}" if covered else "nothing that fires fits it"
    print(f"{made.pattern} is silenced until {made.until:%Y-%m-%d %H:%M} UTC; {fits}")


def _duration(text: str) -> timedelta:
    from lakehouse.catalog.meta import parse_duration
    from lakehouse.errors import ConfigurationError

    try:
        found: timedelta = parse_duration(text)
    except ValueError as error:
        raise ConfigurationError(str(error), where="--for") from None
    return found


def _row(one: Open) -> dict[str, Any]:
    alert = one.alert
    return {
        "key": alert.key,
        "severity": alert.severity.value,
        "asset": alert.asset,
        "owner": alert.owner,
        "group": alert.group,
        "starts_at": alert.starts_at.isoformat() if alert.starts_at else "",
        "summary": alert.summary,
        "told": sorted(one.told),
    }
