"""The configuration of source-mysql, field for field as the real connector's specification names it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Literal
from urllib.parse import parse_qsl

import msgspec

from lakehouse.embedded.airbyte.protocol import ConnectorError

Secret = Annotated[str, msgspec.Meta(extra_json_schema={"airbyte_secret": True})]


class Preferred(msgspec.Struct, forbid_unknown_fields=True, frozen=True, tag_field="mode", tag="preferred"):
    """`ssl_mode`: encrypted where the server can."""


class Required(msgspec.Struct, forbid_unknown_fields=True, frozen=True, tag_field="mode", tag="required"):
    """`ssl_mode`: encrypted, whoever the server is."""


class _Verified(msgspec.Struct, forbid_unknown_fields=True, frozen=True, kw_only=True, tag_field="mode"):
    ca_certificate: Secret
    client_certificate: Secret | None = None
    client_key: Secret | None = None
    client_key_password: Secret | None = None


class VerifyCa(_Verified, frozen=True, tag="verify_ca"):
    """`ssl_mode`: encrypted, the server's certificate signed by this authority."""


class VerifyIdentity(_Verified, frozen=True, tag="verify_identity"):
    """`ssl_mode`: as verify_ca, and the certificate is the host's."""


class Standard(msgspec.Struct, forbid_unknown_fields=True, frozen=True, tag_field="method", tag="STANDARD"):
    """`replication_method`: full reads, and incremental reads by a cursor column."""


class Cdc(
    msgspec.Struct, forbid_unknown_fields=True, frozen=True, kw_only=True, tag_field="method", tag="CDC"
):
    """`replication_method`: log-based reads."""

    invalid_cdc_cursor_position_behavior: Literal["Fail sync", "Re-sync data"] = "Fail sync"
    initial_waiting_seconds: int = 300
    """Of no effect, like the rest: the log says where it ends, sessions run in UTC, a snapshot runs to its end."""
    initial_load_timeout_hours: int = 8
    server_timezone: str | None = None
    server_time_zone: str | None = None


class NoTunnel(
    msgspec.Struct, forbid_unknown_fields=True, frozen=True, tag_field="tunnel_method", tag="NO_TUNNEL"
):
    """`tunnel_method`: a direct connection."""


class MysqlConfiguration(msgspec.Struct, forbid_unknown_fields=True, frozen=True, kw_only=True):
    """source-mysql."""

    host: str
    port: Annotated[int, msgspec.Meta(ge=1, le=65535)] = 3306
    database: str
    username: str
    password: Secret = ""
    jdbc_url_params: str | None = None
    ssl_mode: Preferred | Required | VerifyCa | VerifyIdentity = Preferred()
    replication_method: Standard | Cdc = Standard()
    tunnel_method: NoTunnel = NoTunnel()
    check_privileges: bool = True
    """Of no effect, like the next two: the server lists only what the user may read."""
    checkpoint_target_interval_seconds: Annotated[int, msgspec.Meta(ge=1)] = 300
    max_db_connections: Annotated[int, msgspec.Meta(ge=1)] | None = None
    source_type: Literal["mysql"] = msgspec.field(default="mysql", name="sourceType")

    @property
    def address(self) -> str:
        """Where it is, for messages."""
        return f"{self.host}:{self.port}/{self.database}"

    @property
    def driver(self) -> DriverParameters:
        """What `jdbc_url_params` ask for. Raises ConnectorError naming what is not understood."""
        return _driver_parameters(self.jdbc_url_params or "")


class DriverParameters(msgspec.Struct, frozen=True):
    """The parameters of MySQL's JDBC driver that have a meaning here."""

    connect_seconds: int = 15
    read_seconds: int | None = None
    tiny_is_boolean: bool = True


def configuration_of(settings: Mapping[str, Any]) -> MysqlConfiguration:
    """The validated configuration. Raises ConnectorError naming the field."""
    tunnel = settings.get("tunnel_method")
    if isinstance(tunnel, Mapping) and tunnel.get("tunnel_method") in ("SSH_KEY_AUTH", "SSH_PASSWORD_AUTH"):
        problem = f"source-mysql tunnel_method {tunnel['tunnel_method']}: this server connects directly only"
        raise ConnectorError(f"{problem}; set NO_TUNNEL, or use a real Airbyte", kind="config_error")
    try:
        configuration = msgspec.convert(settings, MysqlConfiguration)
    except msgspec.ValidationError as error:
        raise ConnectorError(f"source-mysql configuration: {error}", kind="config_error") from error
    _driver_parameters(configuration.jdbc_url_params or "")
    return configuration


def _driver_parameters(text: str) -> DriverParameters:
    found: dict[str, Any] = {}
    try:
        for name, value in parse_qsl(text, keep_blank_values=True, strict_parsing=bool(text)):
            found |= _driver_parameter(name, value)
    except ValueError as error:
        problem = f"source-mysql configuration: jdbc_url_params {text!r}: {error}"
        remedy = (
            "; remove it: understood are connectTimeout, socketTimeout, tinyInt1isBit, zeroDateTimeBehavior"
        )
        raise ConnectorError(problem + remedy, kind="config_error") from error
    return DriverParameters(**found)


def _driver_parameter(name: str, value: str) -> dict[str, Any]:
    match name.lower(), value.lower():
        case "connecttimeout", milliseconds:
            return {"connect_seconds": max(1, int(milliseconds) // 1000)}
        case "sockettimeout", milliseconds:
            return {"read_seconds": max(1, int(milliseconds) // 1000) if int(milliseconds) else None}
        case "tinyint1isbit", "true" | "false" as chosen:
            return {"tiny_is_boolean": chosen == "true"}
        case "zerodatetimebehavior", "converttonull" | "convert_to_null":
            return {}
    raise ValueError(f"{name}={value} is not understood here")
