"""The configuration of destination-s3, as the real connector takes it."""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec

DEFAULT_PATH_FORMAT = "${NAMESPACE}/${STREAM_NAME}/${YEAR}_${MONTH}_${DAY}_${EPOCH}_"
DEFAULT_FILE_PATTERN = "{part_number}{format_extension}"

Secret = Annotated[str, msgspec.Meta(extra_json_schema={"airbyte_secret": True})]


class ParquetFormat(msgspec.Struct, forbid_unknown_fields=True, frozen=True):
    """`format`: only Parquet is written here."""

    format_type: Literal["Parquet"]
    compression_codec: Literal["SNAPPY", "UNCOMPRESSED", "GZIP", "ZSTD"] = "UNCOMPRESSED"
    page_size_kb: int = 1024
    block_size_mb: int = 128
    """Of no effect, like the next three: the writer sizes row groups and pages by itself."""
    max_padding_size_mb: int = 8
    dictionary_page_size_kb: int = 1024
    dictionary_encoding: bool = True


class S3Configuration(msgspec.Struct, forbid_unknown_fields=True, frozen=True, kw_only=True):
    """destination-s3. `s3_endpoint: file:///root` writes below that directory, whatever the bucket's name."""

    s3_bucket_name: str
    s3_bucket_path: str
    s3_bucket_region: str = ""
    format: ParquetFormat
    s3_endpoint: str = ""
    s3_path_format: str = DEFAULT_PATH_FORMAT
    file_name_pattern: str = DEFAULT_FILE_PATTERN
    access_key_id: Secret = ""
    secret_access_key: Secret = ""
    destination_type: Literal["s3"] = msgspec.field(default="s3", name="destinationType")
