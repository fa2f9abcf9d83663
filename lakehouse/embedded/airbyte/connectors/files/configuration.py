"""The configuration of source-files: streams and formats as Airbyte's file-based sources have them.

Three source types share it: `files`, ours, with a root URL; `s3` and `sftp-bulk` with the keys of Airbyte's
source-s3 and source-sftp-bulk, so that their configuration moves over unchanged.
"""

from __future__ import annotations

import codecs
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any, Literal
from urllib.parse import unquote, urlsplit

import msgspec

from lakehouse.embedded.airbyte.connectors.files.formats import CsvFormat, Format
from lakehouse.embedded.airbyte.connectors.files.storage import Bucket, Directory, Server, Storage
from lakehouse.embedded.airbyte.protocol import ConnectorError
from lakehouse.embedded.airbyte.types import Kind

INPUT_TYPES = {
    "string": Kind.STRING,
    "integer": Kind.INTEGER,
    "number": Kind.NUMBER,
    "boolean": Kind.BOOLEAN,
    "object": Kind.JSON,
    "array": Kind.JSON,
    "date": Kind.DATE,
    "timestamp_with_timezone": Kind.TIMESTAMP_TZ,
    "timestamp_without_timezone": Kind.TIMESTAMP,
}
Secret = Annotated[str, msgspec.Meta(extra_json_schema={"airbyte_secret": True})]


class FileStream(msgspec.Struct, forbid_unknown_fields=True, frozen=True, kw_only=True):
    """One stream: every file that a glob matches."""

    name: str
    globs: tuple[str, ...] = ("**",)
    format: Format
    input_schema: dict[str, str] | str | None = None
    primary_key: tuple[str, ...] | str | None = ()
    validation_policy: Literal["Emit Record", "Skip Record", "Wait for Discover"] = "Emit Record"
    days_to_sync_if_history_is_full: Annotated[int, msgspec.Meta(gt=0)] = 3
    recent_n_files_to_read_for_schema_discovery: Annotated[int, msgspec.Meta(gt=0)] | None = None
    schemaless: bool = False

    @property
    def keys(self) -> tuple[str, ...]:
        """The columns of the primary key."""
        return (self.primary_key,) if isinstance(self.primary_key, str) else self.primary_key or ()

    @property
    def declared(self) -> dict[str, Kind]:
        """The columns whose type the configuration fixes. Raises ConnectorError for an unknown type."""
        given = self.input_schema or {}
        try:
            types = msgspec.json.decode(given, type=dict[str, str]) if isinstance(given, str) else given
            return {column: INPUT_TYPES[name] for column, name in types.items()}
        except msgspec.DecodeError as error:
            raise ConnectorError(f"stream {self.name}: input_schema: {error}", kind="config_error") from error
        except KeyError as error:
            raise ConnectorError(
                f"stream {self.name}: input_schema: unknown type {error}; known are {', '.join(INPUT_TYPES)}",
                kind="config_error",
            ) from error


class Records(msgspec.Struct, forbid_unknown_fields=True, frozen=True):
    """`delivery_method`: only records are delivered, not the files themselves."""

    delivery_type: Literal["use_records_transfer"]


class Password(
    msgspec.Struct, forbid_unknown_fields=True, frozen=True, tag_field="auth_type", tag="password"
):
    """Log in by password."""

    password: Secret


class PrivateKey(
    msgspec.Struct, forbid_unknown_fields=True, frozen=True, tag_field="auth_type", tag="private_key"
):
    """Log in by SSH key."""

    private_key: Secret


class _Streams(msgspec.Struct, forbid_unknown_fields=True, frozen=True, kw_only=True):
    streams: Annotated[tuple[FileStream, ...], msgspec.Meta(min_length=1)]
    start_date: str | None = None
    delivery_method: Records | None = None

    @property
    def since(self) -> str:
        """The start date as files' modification times are written, or an empty text."""
        if self.start_date is None:
            return ""
        moment = datetime.fromisoformat(self.start_date)
        moment = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
        return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")

    def stream(self, name: str) -> FileStream:
        """The declared stream of a name. Raises ConnectorError when it is not declared any more."""
        for stream in self.streams:
            if stream.name == name:
                return stream
        raise ConnectorError(f"stream {name} is not declared in the source's streams", kind="config_error")


class FilesConfiguration(_Streams, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """source-files. `root` is an absolute path or a URL: file, s3://bucket/prefix, sftp or ftp://host:port/folder.

    The keys of access are those of source-s3 and source-sftp-bulk.
    """

    root: str
    aws_access_key_id: Secret | None = None
    aws_secret_access_key: Secret | None = None
    endpoint: str = ""
    region_name: str | None = None
    role_arn: str | None = None
    username: str | None = None
    credentials: Password | PrivateKey | None = None
    source_type: Literal["files"] = msgspec.field(default="files", name="sourceType")

    def storage(self) -> Storage:
        """Where the files are. Raises ConnectorError for a root of another kind."""
        parts = urlsplit(self.root)
        path = unquote(parts.path)
        if parts.scheme in ("", "file") and not parts.netloc and path.startswith("/"):
            return Directory(Path(path))
        if parts.scheme == "s3" and parts.netloc:
            return Bucket(parts.netloc, path.strip("/"), _s3_options(self))
        if parts.scheme in ("sftp", "ftp") and parts.hostname:
            options = _login(parts.scheme, self.username, self.credentials)
            port = {"port": parts.port} if parts.port else {}
            return Server(parts.scheme, path, {"host": parts.hostname, **port, **options})
        problem = f"root {self.root}: give an absolute path, or a URL of file, s3, sftp or ftp"
        raise ConnectorError(problem, kind="config_error")

    @property
    def place(self) -> str:
        """The root as messages name it."""
        return f"root {self.root}"


class S3Files(_Streams, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The configuration of Airbyte's source-s3."""

    bucket: str
    aws_access_key_id: Secret | None = None
    aws_secret_access_key: Secret | None = None
    endpoint: str = ""
    region_name: str | None = None
    role_arn: str | None = None
    source_type: Literal["s3"] = msgspec.field(default="s3", name="sourceType")

    def storage(self) -> Storage:
        """The bucket."""
        return Bucket(self.bucket, "", _s3_options(self))

    @property
    def place(self) -> str:
        """The bucket as messages name it."""
        return f"bucket {self.bucket} at {self.endpoint or 'AWS'}"


class SftpFiles(_Streams, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The configuration of Airbyte's source-sftp-bulk."""

    host: str
    username: str
    credentials: Password | PrivateKey
    port: int = 22
    folder_path: str = "/"
    source_type: Literal["sftp-bulk"] = msgspec.field(default="sftp-bulk", name="sourceType")

    def storage(self) -> Storage:
        """The server's folder."""
        options = _login("sftp", self.username, self.credentials)
        return Server("sftp", self.folder_path, {"host": self.host, "port": self.port, **options})

    @property
    def place(self) -> str:
        """The server as messages name it."""
        return f"sftp://{self.host}:{self.port}"


Configuration = FilesConfiguration | S3Files | SftpFiles


def configuration_of(settings: Mapping[str, Any]) -> Configuration:
    """The validated configuration. Raises ConnectorError naming the field."""
    kind: type[Configuration] = FilesConfiguration
    if "root" not in settings:
        kind = S3Files if "bucket" in settings else SftpFiles if "host" in settings else FilesConfiguration
    try:
        configuration = msgspec.convert(settings, kind)
        _ = configuration.since
        if isinstance(configuration, FilesConfiguration):
            streams = tuple(map(_with_our_defaults, configuration.streams))
            configuration = msgspec.structs.replace(configuration, streams=streams)
    except (msgspec.ValidationError, ValueError) as error:
        raise ConnectorError(f"source-files configuration: {error}", kind="config_error") from error
    names = [stream.name for stream in configuration.streams]
    for stream in configuration.streams:
        problem = _problem(stream)
        if names.count(stream.name) > 1:
            problem = f"source-files configuration: two streams named {stream.name}"
        if problem:
            raise ConnectorError(problem, kind="config_error")
    return configuration


def _with_our_defaults(stream: FileStream) -> FileStream:
    layout = stream.format
    if not isinstance(layout, CsvFormat):
        return stream
    completed = msgspec.structs.replace(
        layout,
        null_values=("",) if layout.null_values is None else layout.null_values,
        inference_type=layout.inference_type or "Dates and Times",
    )
    return msgspec.structs.replace(stream, format=completed)


def _problem(stream: FileStream) -> str | None:
    if stream.schemaless:
        return f"stream {stream.name}: schemaless is not supported; leave it false"
    if isinstance(stream.format, CsvFormat):
        try:
            codecs.lookup(stream.format.encoding)
        except LookupError:
            return f"stream {stream.name}: unknown encoding {stream.format.encoding}"
    return None


def _s3_options(given: FilesConfiguration | S3Files) -> dict[str, Any]:
    endpoint = urlsplit(given.endpoint if "://" in given.endpoint else f"https://{given.endpoint}")
    options: dict[str, Any] = {
        "access_key": given.aws_access_key_id,
        "secret_key": given.aws_secret_access_key,
        "role_arn": given.role_arn,
        "region": given.region_name or ("us-east-1" if given.endpoint else None),
        "endpoint_override": endpoint.netloc or None,
        "scheme": endpoint.scheme,
        "connect_timeout": 5.0,
    }
    return {name: value for name, value in options.items() if value is not None}


def _login(protocol: str, username: str | None, credentials: Password | PrivateKey | None) -> dict[str, str]:
    login = {"username": username} if username else {}
    if isinstance(credentials, Password):
        return login | {"password": credentials.password}
    if isinstance(credentials, PrivateKey):
        if protocol == "ftp":
            raise ConnectorError("credentials: FTP has no private keys; give a password", kind="config_error")
        return login | {"private_key": credentials.private_key}
    return login
