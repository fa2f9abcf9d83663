"""Sources of type NAS and S3: folders and files of parquet or CSV as read-only datasets."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import PurePosixPath
from typing import Any

from pyarrow import fs

from lakehouse.embedded.dremio.errors import BadRequestError
from lakehouse.embedded.dremio.sql.model import Path, SqlError

_READERS = {
    ".parquet": "read_parquet({paths}, union_by_name=true, hive_partitioning=false)",
    ".csv": "read_csv({paths}, union_by_name=true, hive_partitioning=false)",
    ".csv.gz": "read_csv({paths}, union_by_name=true, hive_partitioning=false)",
}
_S3_OPTIONS = {
    "fs.s3a.endpoint": "s3.endpoint",
    "fs.s3a.endpoint.region": "s3.region",
}


@dataclass(frozen=True)
class FileSource:
    """A tree of files. `root` is an absolute directory, or bucket[/prefix] for S3."""

    root: str
    scheme: str
    filesystem: fs.FileSystem = field(repr=False)
    s3_options: dict[str, str] = field(default_factory=dict, repr=False)

    @classmethod
    def from_source(cls, source_type: str, config: dict[str, Any]) -> FileSource:
        """Open a NAS ({path}) or S3 ({externalBucketList: [bucket], accessKey, accessSecret, propertyList}) source.

        Raises:
            BadRequestError: a missing key, or a directory that is not there.
        """
        if source_type == "NAS":
            path = str(config.get("path") or "")
            local = fs.LocalFileSystem()
            if not path.startswith("/") or local.get_file_info(path).type != fs.FileType.Directory:
                raise BadRequestError(
                    f"config.path of a NAS source must be an existing absolute directory, not {path!r}"
                )
            return cls(path.rstrip("/"), "", local)
        buckets = config.get("externalBucketList") or []
        if len(buckets) != 1:
            raise BadRequestError("config.externalBucketList of an S3 source must name one bucket")
        properties = {item["name"]: item["value"] for item in config.get("propertyList") or []}
        options = {ours: properties[theirs] for theirs, ours in _S3_OPTIONS.items() if theirs in properties}
        endpoint = options.get("s3.endpoint", "")
        if endpoint and "://" not in endpoint:
            options["s3.endpoint"] = endpoint = f"{'https' if config.get('secure') else 'http'}://{endpoint}"
        options |= {
            "s3.access-key-id": config.get("accessKey", ""),
            "s3.secret-access-key": config.get("accessSecret", ""),
        }
        filesystem = fs.S3FileSystem(
            access_key=config.get("accessKey"),
            secret_key=config.get("accessSecret"),
            endpoint_override=endpoint or None,
            region=options.get("s3.region", "us-east-1"),
        )
        root = (buckets[0] + "/" + str(config.get("rootPath") or "").strip("/")).rstrip("/")
        return cls(root, "s3://", filesystem, options)

    def select_sql(self, path: Path) -> str | None:
        """A DuckDB SELECT over the file or folder at a path; None when there is none.

        Raises:
            SqlError: files of an unknown kind, or of several kinds in one folder.
        """
        place = "/".join([self.root, *path])
        if any(part in ("..", ".", "") or "/" in part for part in path):
            raise SqlError(f"{'.'.join(path)} is no path inside the source")
        info = self.filesystem.get_file_info(place)
        if info.type == fs.FileType.NotFound:
            return None
        if info.type == fs.FileType.File:
            files = [place]
        else:
            selector = fs.FileSelector(place, recursive=True)
            found = [f.path for f in self.filesystem.get_file_info(selector) if f.type == fs.FileType.File]
            files = sorted(f for f in found if not PurePosixPath(f).name.startswith((".", "_")))
        if not files:
            return None
        kinds = {_suffix(file) for file in files}
        if len(kinds) != 1 or not kinds <= set(_READERS):
            raise SqlError(
                f"{place}: the local engine reads folders of one kind of {', '.join(_READERS)}, not {', '.join(sorted(kinds))}"
            )
        listing = ", ".join("'" + (self.scheme + file).replace("'", "''") + "'" for file in files)
        return "SELECT * FROM " + _READERS[kinds.pop()].format(paths=f"[{listing}]")  # noqa: S608  quoted paths


def _suffix(path: str) -> str:
    suffixes = PurePosixPath(path).suffixes
    return "".join(suffixes[-2:]) if suffixes[-1:] == [".gz"] else "".join(suffixes[-1:])
