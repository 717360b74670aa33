"""Where files are kept, both kinds: `from make.places import bucket, files` gives each test a folder, then a bucket."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from uuid import uuid4

import pytest

from earlybird.infra.ports.files import BucketFiles, Files, FolderFiles

os.environ.setdefault("AWS_EC2_METADATA_DISABLED", "true")


@pytest.fixture(scope="module")
def bucket() -> Iterator[str]:
    """The address of a store that speaks S3, on a real socket."""
    from moto.server import ThreadedMotoServer

    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    yield f"http://{host}:{port}"
    server.stop()


@pytest.fixture(params=["folder", "bucket"])
def files(request: pytest.FixtureRequest, tmp_path: Path) -> Files:
    """A place of the test's own."""
    if request.param == "folder":
        return FolderFiles(tmp_path / "files")
    return made(request.getfixturevalue("bucket"))


def made(endpoint: str) -> BucketFiles:
    """A new bucket of that store."""
    import httpx

    name = f"milk-{uuid4().hex}"
    assert httpx.put(f"{endpoint}/{name}").status_code == 200
    return BucketFiles.at(name, "photos", endpoint=endpoint, region=None, key_id="testing", secret="testing")  # noqa: S106
