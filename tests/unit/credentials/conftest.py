import pytest
from tests.support.clouds import AWS_VARIABLES, GCP_VARIABLES


@pytest.fixture
def nowhere(monkeypatch, tmp_path):
    """A machine that belongs to no cloud and has no settings of one; returns its home."""
    for name in (
        *AWS_VARIABLES,
        *GCP_VARIABLES,
        "AWS_DEFAULT_REGION",
        "HTTP_PROXY",
        "HTTPS_PROXY",
        "http_proxy",
        "https_proxy",
    ):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "aws-config"))
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "aws-credentials"))
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    return tmp_path
