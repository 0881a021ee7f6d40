"""Credentials that expire, in a real gateway: renewed beside its requests; what is missing is told at once."""

import itertools

import msgspec
import pytest
from tests.support.canned import Reply, canned
from tests.support.clouds import service_account, token
from tests.support.faults import INPUT
from tests.support.gateway import gateway, until

GEMINI = {
    "candidates": [{"content": {"role": "model", "parts": [{"text": "Hi."}]}, "finishReason": "STOP"}],
    "usageMetadata": {"promptTokenCount": 1, "candidatesTokenCount": 1, "totalTokenCount": 2},
}
ENV = {"AWS_EC2_METADATA_DISABLED": "true", "GCE_METADATA_HOST": "127.0.0.1:1", "NO_PROXY": "127.0.0.1"}


class Cloud:
    """Google: a server of tokens that end after seconds, and a model that takes only the last two of them."""

    def __init__(self):
        self.numbers = itertools.count(1)
        self.away = False
        self.given = []
        self.used = []

    def __call__(self, seen):
        if seen.path == "/token":
            if self.away:
                return Reply(b"{}", status=503)
            self.given.append(f"token-{next(self.numbers)}")
            return token(self.given[-1], expires_in=3)
        self.used.append(seen.headers["authorization"].removeprefix("Bearer "))
        if self.used[-1] not in self.given[-2:]:
            return Reply(b'{"error": {"code": 401, "message": "expired"}}', status=401)
        return Reply(msgspec.json.encode(GEMINI))


@pytest.fixture
def cloud():
    made = Cloud()
    with canned(made) as server:
        made.base = server.base
        yield made


def model(name, location, base):
    return (
        f'[models.{name}]\nrouting = ["p"]\n[models.{name}.providers.p]\ntype = "gcp_vertex_gemini"\nmodel_id = "m"\n'
        f'location = "us-central1"\nproject_id = "p"\napi_base = "{base}/v1"\ncredential_location = "{location}"\n'
    )


def ask(running):
    return running.infer({"model_name": "m", "input": INPUT})


def test_a_token_is_renewed_again_and_again_and_no_request_notices(tmp_path, cloud):
    env = {**ENV, "ACCOUNT": service_account(f"{cloud.base}/token")}
    with gateway(tmp_path, model("m", "env::ACCOUNT", cloud.base), env=env) as running:
        statuses = set()

        def renewed():
            statuses.add(ask(running).status_code)
            return len(set(cloud.used)) >= 3

        until(renewed, "two renewals")
        assert statuses == {200}
        # Tokens are asked for by the clock and not by the request.
        assert len(cloud.given) < len(cloud.used)


def test_a_server_of_tokens_that_is_away_is_asked_again(tmp_path, cloud):
    cloud.away = True
    env = {**ENV, "ACCOUNT": service_account(f"{cloud.base}/token")}
    with gateway(tmp_path, model("m", "env::ACCOUNT", cloud.base), env=env) as running:
        answer = ask(running)
        assert answer.status_code == 502 and "Google's token could not be had" in answer.text
        cloud.away = False
        until(lambda: ask(running).status_code == 200, "a token")
        assert running.get("/health").status_code == 200
        failures = [line for line in running.get("/metrics").text.split("\n") if "credential_failures_total{" in line]
        assert any('kind="gcp"' in line for line in failures)


def test_all_that_is_missing_is_told_before_the_gateway_starts(tmp_path):
    config = model("a", "env::NOWHERE", "http://127.0.0.1:1") + model("b", "sdk", "http://127.0.0.1:1")
    config += '[models.c]\nrouting = ["p"]\nproviders.p = { type = "aws_bedrock", model_id = "m", region = "sdk" }\n'
    config += (
        '[models.d]\nrouting = ["p"]\n'
        'providers.p = { type = "azure", deployment_id = "m", endpoint = "env::NOWHERE", api_key_location = "none" }\n'
    )
    env = {**ENV, "HOME": str(tmp_path), "AWS_CONFIG_FILE": "/nowhere", "AWS_SHARED_CREDENTIALS_FILE": "/nowhere"}
    for name in ("AWS_REGION", "AWS_DEFAULT_REGION", "AWS_ACCESS_KEY_ID", "AWS_BEARER_TOKEN_BEDROCK", "AWS_PROFILE"):
        env[name] = ""
    with pytest.raises(AssertionError) as caught, gateway(tmp_path, config, env=env):
        pass
    log = str(caught.value)
    for path in ("a.providers.p", "b.providers.p", "c.providers.p.region", "c.providers.p", "d.providers.p.endpoint"):
        assert log.count(f"environment: models.{path}: ") == 1, log
    assert "Traceback" not in log
