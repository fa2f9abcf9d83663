"""`lakehouse superset …`: the dashboards' server, by itself."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from pathlib import Path

    from lakehouse.settings import Settings

app = typer.Typer(
    no_args_is_help=True,
    help="Install Superset, and start and stop it by itself.",
    rich_markup_mode="markdown",
)


@app.command()
def install() -> None:
    """Install Superset into an environment of its own, from the shipped lock, and make its secrets.

    Needs Python 3.11 and the network, or a mirror of PyPI. What it downloads is checked against hashes.
    """
    from lakehouse.embedded.services import SUPERSET
    from lakehouse.embedded.superset.installation import environment, install
    from lakehouse.settings import load_settings

    home = load_settings().home
    settings = configure(home)
    place = environment(home / SUPERSET)
    state = "installed" if install(place) else "is installed already"
    print(f"{state} ({place}); `lakehouse up --with superset` serves it at {settings.superset.url}")


@app.command()
def up(
    *,
    detach: Annotated[
        bool, typer.Option("--detach", "-d", help="Leave it running in the background.")
    ] = False,
) -> None:
    """Start Superset by itself, beside a stack that runs or not, and keep it running.

    The first start makes its metadata, which takes a minute.
    """
    from rich.console import Console

    from lakehouse.cli.services import embedded_settings, stack_services
    from lakehouse.cli.stack import wait
    from lakehouse.embedded.services import SUPERSET
    from lakehouse.embedded.stack import Stack

    console = Console(highlight=False, soft_wrap=True)
    settings = embedded_settings()
    services = stack_services(settings, [SUPERSET])
    # Its folder is the home of a stack of its own: started and stopped without touching the other services.
    stack = Stack(settings.home / SUPERSET, services)
    if detach:
        stack.start(detached=True)
        console.print(f"[green]running[/] in the background at {services[0].address}")
        return
    with stack:
        console.print(f"[green]running[/] at {services[0].address}; Ctrl-C stops it")
        wait(stack)


@app.command()
def down() -> None:
    """Stop the Superset that `lakehouse superset up` started."""
    from lakehouse.embedded.services import SUPERSET
    from lakehouse.embedded.stack import stop_stack
    from lakehouse.settings import load_settings

    home = load_settings().home / SUPERSET
    print(f"stopped ({home})" if home.is_dir() and stop_stack(home) else f"nothing runs in {home}")


def is_waiting(settings: Settings) -> bool:
    """Whether a Superset of this home is installed, and does not run."""
    from lakehouse.cli.services import is_local, superset_login
    from lakehouse.embedded.service import is_well
    from lakehouse.embedded.services import SUPERSET
    from lakehouse.embedded.superset.installation import environment, is_installed

    if settings.superset.url is None or not is_local(settings, SUPERSET):
        return False
    login = superset_login(settings)
    installed = is_installed(environment(settings.home / SUPERSET))
    return installed and not is_well(f"http://{login.host}:{login.port}/health", 0)


def configure(home: Path) -> Settings:
    """The settings, after making sure that the home says where Superset is, with a password and a secret key."""
    import secrets

    from lakehouse.cli.services import DEFAULT_SUPERSET_URL
    from lakehouse.embedded.credentials import ensure_credentials
    from lakehouse.settings import load_settings

    ensure_credentials(
        home,
        {
            "LAKEHOUSE_SUPERSET__URL": DEFAULT_SUPERSET_URL,
            "LAKEHOUSE_SUPERSET__PASSWORD": secrets.token_urlsafe(24),
            "LAKEHOUSE_SUPERSET__SECRET_KEY": secrets.token_urlsafe(42),
        },
    )
    return load_settings(home)
