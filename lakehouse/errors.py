"""The one error root. Whether an error is permanent or transient decides if anything retries it."""

from __future__ import annotations


class LakehouseError(Exception):
    """Root of every error the platform raises on purpose.

    `str(error)` is one line for people: what is wrong, where, and what to do.
    """

    def __init__(self, problem: str, *, where: str | None = None, remedy: str | None = None) -> None:
        self.problem = problem
        self.where = where
        self.remedy = remedy
        parts = [f"{where}: {problem}" if where else problem]
        if remedy:
            parts.append(remedy)
        super().__init__("; ".join(parts))


class PermanentError(LakehouseError):
    """Trying again cannot help: a wrong declaration, a wrong password, a dropped column."""


class TransientError(LakehouseError):
    """The same call may succeed later: a service down, a time-out, a lost race for a commit."""


class ConfigurationError(PermanentError):
    """A setting or declaration that cannot be used; names the key, where it was looked up, what is allowed."""


class ServiceDownError(TransientError):
    """A service does not answer; names the service, its address and how to start it."""


class ServiceRefusedError(PermanentError):
    """A service answered and refused: credentials, a name it does not know, a statement it cannot run."""
