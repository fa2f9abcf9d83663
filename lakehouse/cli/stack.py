"""`lakehouse up` and `lakehouse down`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from collections.abc import Sequence

    from lakehouse.embedded.stack import Stack
    from lakehouse.settings import Settings

_NAMES = "postgres, airbyte, dremio, dagster, api, logs"


def up(
    *,
    detach: Annotated[
        bool, typer.Option("--detach", "-d", help="Leave it running in the background.")
    ] = False,
    only: Annotated[
        list[str] | None, typer.Option(help=f"Start only this service (repeat for more): {_NAMES}.")
    ] = None,
    without: Annotated[
        list[str] | None, typer.Option(help="Start everything but this service (repeat for more).")
    ] = None,
    also: Annotated[list[str] | None, typer.Option("--with", help="Start this besides: superset.")] = None,
) -> None:
    """Start Postgres, Airbyte, Dremio, Dagster, the REST API and the shipping of logs on this machine.

    Waits until every service answers, then until Ctrl-C (or `lakehouse down`), which stops all of them.
    Services that the settings place on another machine are not started. A service that dies is started
    again. Logs are JSON lines in `<home>/logs`; passwords are generated at the first start, in
    `<home>/lakehouse.env`.
    """
    from rich.console import Console

    from lakehouse.cli.services import embedded_settings, stack_services
    from lakehouse.embedded.stack import Stack

    console = Console(highlight=False, soft_wrap=True)
    settings = embedded_settings()
    services = stack_services(settings, _chosen(settings, only or [], without or [], also or []))

    def show(service: str, state: str, note: str) -> None:
        if state != "waiting":
            console.print(f"{service:<18} {state}{': ' + note if note else ''}", markup=False)

    stack = Stack(settings.home, services, on_state=show)

    def show_addresses() -> None:
        for service in services:
            if service.address:
                console.print(f"  {service.name:<18} {service.address}", markup=False)

    if detach:
        stack.start(detached=True)
        console.print(f"[green]running[/] in the background; home {settings.home}; `lakehouse down` stops it")
        show_addresses()
        return
    with stack:
        console.print(f"[green]running[/]; home {settings.home}; Ctrl-C stops it")
        show_addresses()
        wait(stack)


def down() -> None:
    """Stop the stack of this home, whoever started it."""
    from lakehouse.embedded.stack import stop_stack
    from lakehouse.settings import load_settings

    home = load_settings().home
    print(f"stopped ({home})" if stop_stack(home) else f"nothing runs in {home}")


def _chosen(
    settings: Settings, only: Sequence[str], without: Sequence[str], also: Sequence[str]
) -> list[str]:
    from lakehouse.cli.services import OPTIONAL, SERVICES, address, is_local
    from lakehouse.errors import ConfigurationError

    known = (*SERVICES, *OPTIONAL)
    if unknown := {*only, *without, *also}.difference(known):
        raise ConfigurationError(
            f"unknown service {', '.join(sorted(unknown))}", remedy=f"known are {', '.join(known)}"
        )
    if only:
        return [name for name in known if name in {*only, *also} and name not in without]
    names = [name for name in known if name in {*SERVICES, *also} and name not in without]
    for name in names:
        if not is_local(settings, name):
            print(f"{name:<18} not started: the settings place it at {address(settings, name)}")
    return [name for name in names if is_local(settings, name)]


def wait(stack: Stack) -> None:
    """Until Ctrl-C or SIGTERM, or until the supervisor ends: by `lakehouse down`, or with an error."""
    import signal

    from lakehouse.embedded.errors import EmbeddedError

    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    signal.signal(signal.SIGTERM, interrupt)
    signal.signal(signal.SIGINT, interrupt)
    try:
        code = stack.wait()
    except KeyboardInterrupt:
        print("stopping")
        return
    if code != 0:
        log = stack.home / "logs" / "supervisor.jsonl"
        raise EmbeddedError(f"the supervisor ended with code {code}", remedy=f"its log is {log}")
    print("stopped")
