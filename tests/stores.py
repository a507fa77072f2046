"""moto's S3 server on this machine, for tests of stores."""

import io
import logging
import threading
import uuid
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Any

import boto3
import pytest
from moto.server import DomainDispatcherApplication, ThreadedMotoServer

CREDENTIALS = {"AWS_ACCESS_KEY_ID": "testing", "AWS_SECRET_ACCESS_KEY": "testing", "AWS_REGION": "us-east-1"}


@contextmanager
def s3_server() -> Iterator[dict[str, str]]:
    """Runs the server; gives the environment in which w2vspark, Arrow and obstore find it."""
    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(DomainDispatcherApplication, "__call__", _one_at_a_time)
        server.start()
        try:
            host, port = server.get_host_and_port()
            yield {"AWS_ENDPOINT_URL": f"http://{host}:{port}", **CREDENTIALS}
        finally:
            server.stop()


_answer, _answering = DomainDispatcherApplication.__call__, threading.Lock()


def _one_at_a_time(server: Any, environment: dict[str, Any], start_response: Any) -> Iterable[bytes]:
    """S3 answers each request at once, and so must moto, which does not.

    Between a write's condition and the write another thread may write, and a write closes an object that another thread
    reads. The request's body is read before, for a client that pauses.
    """
    length = -1 if environment.get("wsgi.input_terminated") else int(environment.get("CONTENT_LENGTH") or 0)
    environment["wsgi.input"] = io.BytesIO(environment["wsgi.input"].read(length))
    with _answering:
        return _answer(server, environment, start_response)


def new_bucket(environment: dict[str, str]) -> str:
    """The name of a new, empty bucket."""
    name = f"lake-{uuid.uuid4().hex}"
    client = boto3.client(
        "s3",
        endpoint_url=environment["AWS_ENDPOINT_URL"],
        aws_access_key_id="testing",
        aws_secret_access_key="testing",
        region_name="us-east-1",
    )
    client.create_bucket(Bucket=name)
    return name
