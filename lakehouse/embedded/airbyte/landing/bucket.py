"""Landing files in an S3 bucket: uploaded in parts as they are written, shown when the job commits.

A multipart upload is no object until it is completed, so nothing of a killed job is ever visible; its parts are
dropped at the next start by the keys that were noted before they were written.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from lakehouse.embedded.airbyte.landing.configuration import S3Configuration
from lakehouse.embedded.airbyte.landing.target import GENERATION_KEY
from lakehouse.embedded.airbyte.protocol import ConnectorError

_PART_BYTES = 16 * 2**20  # S3 takes 10,000 parts of 5 MiB and more
_REFUSED = ("AccessDenied", "InvalidAccessKeyId", "SignatureDoesNotMatch", "403", "Forbidden")
_ABSENT = ("NoSuchBucket", "404")


class BucketTarget:
    """An S3 bucket. Raises ConnectorError of origin destination, in one line, whatever the server says."""

    def __init__(self, configuration: S3Configuration) -> None:
        self._bucket = configuration.s3_bucket_name
        self._place = f"bucket {self._bucket} at {configuration.s3_endpoint or 'AWS'}"
        self._client = _client(configuration)
        self._uploads: dict[str, PartsWriter] = {}

    def open(self, _job_id: int, key: str, metadata: Mapping[str, str] | None = None) -> PartsWriter:
        """A writable file for the object `key`, with user metadata (`x-amz-meta-...`)."""
        with self._told():
            begun = self._client.create_multipart_upload(
                Bucket=self._bucket, Key=key, Metadata=dict(metadata or {})
            )
        self._uploads[key] = PartsWriter(self, key, begun["UploadId"])
        return self._uploads[key]

    def upload_part(self, key: str, upload_id: str, number: int, data: bytes) -> str:
        """Uploads part `number`, counted from 1; its ETag."""
        with self._told():
            answer = self._client.upload_part(
                Bucket=self._bucket, Key=key, UploadId=upload_id, PartNumber=number, Body=data
            )
        return str(answer["ETag"])

    def publish(self, _job_id: int, keys: Iterable[str]) -> None:
        """Completes the uploads of finished files: each becomes an object, whole."""
        for key in keys:
            upload = self._uploads.pop(key)
            with self._told():
                self._client.complete_multipart_upload(
                    Bucket=self._bucket, Key=key, UploadId=upload.id, MultipartUpload={"Parts": upload.parts}
                )

    def discard(self, _job_id: int, keys: Iterable[str]) -> None:
        """Drops the unfinished uploads of the keys, whichever process began them, and their objects."""
        dropped = list(keys)
        with self._told():
            for key in dropped:
                pages = self._client.get_paginator("list_multipart_uploads").paginate(
                    Bucket=self._bucket, Prefix=key
                )
                for upload in (each for page in pages for each in page.get("Uploads", ())):
                    if upload["Key"] == key:
                        self._client.abort_multipart_upload(
                            Bucket=self._bucket, Key=key, UploadId=upload["UploadId"]
                        )
                self._uploads.pop(key, None)
        self.delete(dropped)

    def delete(self, keys: Iterable[str]) -> None:
        """Removes objects; one that is not there is fine."""
        with self._told():
            for key in keys:
                self._client.delete_object(Bucket=self._bucket, Key=key)

    def list(self, prefix: str) -> list[str]:
        """Keys below a directory-like prefix, in order."""
        below = f"{prefix.rstrip('/')}/" if prefix else ""
        with self._told():
            pages = self._client.get_paginator("list_objects_v2").paginate(Bucket=self._bucket, Prefix=below)
            return sorted(entry["Key"] for page in pages for entry in page.get("Contents", ()))

    def generation(self, key: str) -> int | None:
        """The generation id in the object's user metadata, where destination-s3 keeps it."""
        with self._told():
            value = self._client.head_object(Bucket=self._bucket, Key=key)["Metadata"].get(GENERATION_KEY)
        return None if value is None else int(value)

    @contextmanager
    def _told(self) -> Iterator[None]:
        from botocore.exceptions import BotoCoreError, ClientError

        try:
            yield
        except ClientError as error:
            raise self._refusal(str(error.response["Error"].get("Code")), error) from error
        except BotoCoreError as error:  # no connection, a timeout, no credentials at all
            problem = f"{self._place} does not answer: {_one_line(error)}"
            raise ConnectorError(problem, origin="destination", kind="transient_error") from error

    def _refusal(self, code: str, error: Exception) -> ConnectorError:
        kind, problem = "transient_error", f"{self._place}: {_one_line(error)}"
        if code in _REFUSED:
            kind, problem = (
                "config_error",
                f"{self._place} refuses the credentials ({code});"
                " correct access_key_id and secret_access_key of the destination",
            )
        elif code in _ABSENT:
            kind, problem = "config_error", f"{self._place}: there is no such bucket; create it"
        return ConnectorError(problem, origin="destination", kind=kind)


class PartsWriter:
    """A writable binary file whose bytes go to a multipart upload, a part at a time."""

    def __init__(self, target: BucketTarget, key: str, upload_id: str) -> None:
        self.id = upload_id
        self.parts: list[dict[str, Any]] = []
        self.closed = False
        self._target = target
        self._key = key
        self._buffer = bytearray()
        self._size = 0

    def write(self, data: Any) -> int:
        """Takes bytes; returns how many."""
        view = memoryview(data).cast("B")
        self._buffer += view
        self._size += len(view)
        while len(self._buffer) >= _PART_BYTES:
            self._upload(_PART_BYTES)
        return len(view)

    def tell(self) -> int:
        """Bytes written."""
        return self._size

    def flush(self) -> None:
        """Nothing: a part is uploaded when it is full."""

    def close(self) -> None:
        """Uploads the rest; the object appears with `publish`."""
        if not self.closed:
            self._upload(len(self._buffer))
            self.closed = True

    def __enter__(self) -> PartsWriter:
        return self

    def __exit__(self, failure: type[BaseException] | None, *_: object) -> None:
        if failure is None:
            self.close()

    def readable(self) -> bool:
        """Written only."""
        return False

    def writable(self) -> bool:
        """Written only."""
        return True

    def seekable(self) -> bool:
        """Parts cannot be taken back."""
        return False

    def _upload(self, count: int) -> None:
        number = len(self.parts) + 1
        tag = self._target.upload_part(self._key, self.id, number, bytes(self._buffer[:count]))
        self.parts.append({"PartNumber": number, "ETag": tag})
        del self._buffer[:count]


def _client(configuration: S3Configuration) -> Any:
    import boto3
    from botocore.config import Config

    return boto3.client(
        "s3",
        endpoint_url=configuration.s3_endpoint or None,
        region_name=configuration.s3_bucket_region or "us-east-1",
        aws_access_key_id=configuration.access_key_id or None,
        aws_secret_access_key=configuration.secret_access_key or None,
        # Checksums in trailers are refused by S3 servers older than them.
        config=Config(
            retries={"mode": "standard", "max_attempts": 4},
            connect_timeout=5,
            request_checksum_calculation="when_required",
            response_checksum_validation="when_required",
        ),
    )


def _one_line(error: Exception) -> str:
    return " ".join(str(error).split())
