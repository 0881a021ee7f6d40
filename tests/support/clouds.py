"""What stands in for the clouds: accounts of Google's with a key made here, and what servers of keys and tokens say."""

import time
from datetime import UTC, datetime
from functools import cache

import msgspec
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from tests.support.canned import Reply

from calibrant.credentials.source import Fetched

AWS_VARIABLES = ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "AWS_PROFILE", "AWS_REGION")
GCP_VARIABLES = ("GOOGLE_APPLICATION_CREDENTIALS", "CLOUDSDK_CONFIG", "GCE_METADATA_HOST")


@cache
def private_key():
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    form, plain = serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    return key.private_bytes(serialization.Encoding.PEM, form, plain).decode()


def service_account(token_uri, **fields):
    """The JSON key of an account whose tokens this server gives."""
    account = {
        "type": "service_account",
        "project_id": "p",
        "private_key_id": "canary-key-id",
        "private_key": private_key(),
        "client_email": "gateway@p.iam.gserviceaccount.com",
        "client_id": "1",
        "token_uri": token_uri,
    }
    return msgspec.json.encode(account | fields).decode()


def token(text="token-1", expires_in=3600):
    """What Google's token servers answer."""
    body = {"access_token": text, "expires_in": expires_in, "token_type": "Bearer"}
    return Reply(msgspec.json.encode(body), headers=(("Metadata-Flavor", "Google"),))


def instance(role="role", region="eu-central-1", key="AKIDIMDS", secret="imds-secret", expires_in=3600):  # noqa: S107
    """What the metadata service of AWS's instances answers."""
    keys = {
        "Code": "Success",
        "AccessKeyId": key,
        "SecretAccessKey": secret,
        "Token": "imds-session",
        "Expiration": datetime.fromtimestamp(time.time() + expires_in, UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
    }
    answers = {
        "/latest/api/token": b"imds-token",
        "/latest/meta-data/iam/security-credentials/": role.encode(),
        f"/latest/meta-data/iam/security-credentials/{role}": msgspec.json.encode(keys),
        "/latest/meta-data/placement/availability-zone/": f"{region}a".encode(),
        "/latest/meta-data/placement/availability-zone": f"{region}a".encode(),
    }
    return lambda seen: Reply(answers[seen.path]) if seen.path in answers else Reply(b"", status=404)


class ManualClock:
    """A clock that moves only when it is told to."""

    def __init__(self, now=1_000_000.0):
        self.now = now

    def wall_ms(self):
        return int(self.now * 1e3)

    def monotonic(self):
        return self.now


class Scripted:
    """A source that follows a script: a credential, an error to raise, or something to call. The last step stays."""

    kind = "gcp"

    def __init__(self, *steps, location="sdk::gcp"):
        self.location = location
        self.steps = list(steps)
        self.asked = 0

    def fetch(self):
        self.asked += 1
        step = self.steps.pop(0) if len(self.steps) > 1 else self.steps[0]
        if callable(step):
            step = step()
        if isinstance(step, Exception):
            raise step
        return step if isinstance(step, Fetched) else Fetched(*step)
