"""Bedrock and SageMaker through a real gateway, whose signatures botocore works out again on the other side."""

from __future__ import annotations

import datetime
from unittest.mock import patch

import msgspec
import pytest
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials
from tests.contract.providers.dialects import bedrock_answers, sagemaker
from tests.support.canned import Reply, canned
from tests.support.faults import INPUT
from tests.support.gateway import gateway

from calibrant.testing.eventstream import encode_exception

ENV = {"AWS_EC2_METADATA_DISABLED": "true", "NO_PROXY": "127.0.0.1", "KEY_ID": "AKIDEXAMPLE", "SECRET": "secret/+="}
CONFIG = """
[models.claude]
routing = ["aws"]
[models.claude.providers.aws]
type = "aws_bedrock"
model_id = "us.anthropic.claude-sonnet-4-5-20250929-v1:0"
region = "eu-west-1"
endpoint_url = "{base}"
access_key_id = "env::KEY_ID"
secret_access_key = "env::SECRET"

[models.own]
routing = ["aws"]
[models.own.providers.aws]
type = "aws_sagemaker"
endpoint_name = "my-end"
model_name = "m"
hosted_provider = "openai"
region = "eu-west-1"
endpoint_url = "{base}"
access_key_id = "env::KEY_ID"
secret_access_key = "env::SECRET"
"""
EVENT_STREAM = "application/vnd.amazon.eventstream"
WHOLE = {"claude": bedrock_answers.whole([{"text": "Hello."}]), "own": sagemaker.whole({"content": "Hello."}, "stop")}
STREAM = {
    "claude": bedrock_answers.stream(bedrock_answers.text(0, "Hel", "lo.")),
    "own": sagemaker.parts(sagemaker.sse({"content": "Hel"}, {"content": "lo."}, finish="stop")),
}
BROKEN = bedrock_answers.BEGUN + encode_exception("throttlingException", {"message": "Slow down."})


class Aws:
    """A server that takes only what AWS would."""

    def __init__(self) -> None:
        self.base = ""
        self.stream: dict[str, bytes] = {}

    def __call__(self, seen):
        service = "bedrock" if seen.path.startswith("/model/") else "sagemaker"
        if not self._is_signed(seen, service):
            return Reply(b'{"message":"The signature does not match."}', status=403)
        model = "claude" if service == "bedrock" else "own"
        if seen.path.endswith("stream"):
            return Reply(self.stream[model], EVENT_STREAM)
        return Reply(WHOLE[model])

    def _is_signed(self, seen, service) -> bool:
        names = seen.headers["authorization"].partition("SignedHeaders=")[2].partition(",")[0].split(";")
        fields = {name: seen.headers[name] for name in names if name not in ("host", "x-amz-date")}
        request = AWSRequest(method=seen.method, url=self.base + seen.path, data=seen.body, headers=fields)
        moment = datetime.datetime.strptime(seen.headers["x-amz-date"], "%Y%m%dT%H%M%SZ")
        with patch("botocore.auth.get_current_datetime", return_value=moment):
            SigV4Auth(Credentials(ENV["KEY_ID"], ENV["SECRET"]), service, "eu-west-1").add_auth(request)
        return request.headers["Authorization"] == seen.headers["authorization"]


@pytest.fixture(scope="module")
def aws():
    made = Aws()
    with canned(made) as server:
        made.base = server.base
        yield made


@pytest.fixture(scope="module")
def running(aws, tmp_path_factory):
    with gateway(tmp_path_factory.mktemp("aws"), CONFIG.format(base=aws.base), env=ENV) as it:
        yield it


@pytest.mark.parametrize("model", ["claude", "own"])
def test_an_answer(aws, running, model):
    answer = running.infer({"model_name": model, "input": INPUT})
    assert answer.status_code == 200, answer.text
    assert answer.json()["content"] == [{"type": "text", "text": "Hello."}]
    assert answer.json()["usage"]["input_tokens"] == 12


@pytest.mark.parametrize("model", ["claude", "own"])
def test_a_stream(aws, running, model):
    aws.stream = STREAM
    answer = running.infer({"model_name": model, "input": INPUT, "stream": True})
    assert answer.status_code == 200, answer.text
    events = [line.removeprefix("data: ") for line in answer.text.split("\n") if line.startswith("data: {")]
    chunks = [msgspec.json.decode(event) for event in events]
    assert "".join(piece.get("text", "") for chunk in chunks for piece in chunk["content"]) == "Hello."
    assert [chunk["usage"]["output_tokens"] for chunk in chunks if chunk.get("usage")] == [5]


def test_an_error_in_a_stream_is_told(aws, running):
    aws.stream = {"claude": BROKEN}
    answer = running.infer({"model_name": "claude", "input": INPUT, "stream": True})
    assert "ThrottlingException: Slow down." in answer.text


def test_a_wrong_key_is_told(aws, running):
    # So that the tests above say something: a signature that is not right is refused.
    with patch.dict(ENV, SECRET="another"):
        answer = running.infer({"model_name": "claude", "input": INPUT})
    assert answer.status_code == 502 and "The signature does not match." in answer.text
