"""Files through a real gateway: fetched, sent as bytes, kept by their hash, back again; and nothing lost on the way."""

import base64
import os
import socket
import threading
from contextlib import contextmanager
from urllib.parse import quote

import boto3
import msgspec
import openai
import pytest
from blake3 import blake3
from botocore.config import Config as BotoConfig
from moto.server import ThreadedMotoServer
from tensorzero import FileBase64, FileUrl, TensorZeroGateway
from tests.support.canned import Reply, canned
from tests.support.faults import no_traceback
from tests.support.gateway import Gateway, gateway, until

from calibrant.store.payload import unpack

PNG = b"\x89PNG\r\n\x1a\n" + bytes(range(256)) * 400
PDF = b"%PDF-1.7\n" + bytes(range(255, -1, -1)) * 8
WAV = b"RIFF\x00\x00\x00\x00WAVEfmt " + bytes(range(256))
SERVED = {"/a.png": (PNG, "image/png"), "/a": (PDF, "application/pdf"), "/page": (b"<html>", "text/html")}
GEMINI = {"candidates": [{"content": {"parts": [{"text": "A cat."}]}, "finishReason": "STOP"}]}
CHAT = {"id": "1", "model": "m", "choices": [{"index": 0, "message": {"content": "A cat."}, "finish_reason": "stop"}]}
MODELS = """
[models.gemini]
routing = ["p"]
[models.gemini.providers.p]
type = "google_ai_studio_gemini"
model_name = "gemini-2.5-flash"
api_base = "{base}/v1beta"
api_key_location = "none"
[models.gpt]
routing = ["p"]
[models.gpt.providers.p]
type = "openai"
model_name = "gpt"
api_base = "{base}/v1"
api_key_location = "none"
"""
PRIVATE = "[gateway]\nfiles.allow_private = true\n"
SPOOL = "[spool]\nmin_free_bytes = 0\n"
ENV = {"NO_PROXY": "*", "S3_ACCESS_KEY_ID": "AKID", "S3_SECRET_ACCESS_KEY": "s3cret"}


def b64(content):
    return base64.b64encode(content).decode()


def asked(*blocks, model="gemini", **fields):
    return {"model_name": model, "input": {"messages": [{"role": "user", "content": list(blocks)}]}, **fields}


def answer(seen):
    path = seen.path.partition("?")[0]
    if seen.method == "GET":
        content, kind = SERVED.get(path, (b"no", "text/plain"))
        moved = (("location", "/a.png?x=s3cret"),) if path == "/moved" else ()
        status = 302 if moved else 200 if path in SERVED else 404
        return Reply(content, kind, status, moved)
    if "stream" in path:
        return Reply(b"data: " + msgspec.json.encode(GEMINI) + b"\r\n\r\n", "text/event-stream")
    return Reply(msgspec.json.encode(GEMINI if "v1beta" in path else CHAT))


@pytest.fixture(scope="module")
def upstream():
    with canned(answer) as running:
        yield running


@pytest.fixture(scope="module")
def running(tmp_path_factory, upstream):
    folder = tmp_path_factory.mktemp("files")
    with gateway(folder, PRIVATE + MODELS.format(base=upstream.base), env=ENV) as gw:
        yield gw


def recorded(gw, answered):
    """The stored input and raw requests of an inference."""
    inference_id = answered.json()["inference_id"] if hasattr(answered, "json") else str(answered.inference_id)
    row = gw.inference(inference_id)
    (data,) = gw.rows("SELECT input FROM inference_data WHERE seq = ?", row["seq"])
    query = "SELECT raw_request FROM model_inference_data JOIN model_inferences USING (seq) WHERE inference_id = ?"
    raws = [unpack(each["raw_request"]) for each in gw.rows(query, inference_id)]
    return msgspec.json.decode(unpack(data["input"])), raws


def blob(gw, content, ending):
    path = gw.data_dir / "blobs/observability/files" / f"{blake3(content).hexdigest()}{ending}"
    return path.read_bytes() if path.exists() else None


def test_an_image_by_address_reaches_a_provider_that_wants_bytes(running, upstream):
    url = f"{upstream.base}/moved?sig=s3cret"
    answered = running.infer(asked({"type": "text", "text": "What?"}, {"type": "image", "url": url}))
    assert answered.status_code == 200
    parts = msgspec.json.decode(upstream.seen[-1].body)["contents"][0]["parts"]
    assert parts[1] == {"inlineData": {"mimeType": "image/png", "data": b64(PNG)}}
    stored, raws = recorded(running, answered)
    name = f"observability/files/{blake3(PNG).hexdigest()}.png"
    place = {"kind": {"type": "filesystem", "path": str(running.data_dir / "blobs")}, "path": name}
    assert stored["messages"][0]["content"][1] == {
        "type": "file",
        "mime_type": "image/png",
        "storage_path": place,
        "source_url": url,
    }
    assert blob(running, PNG, ".png") == PNG
    assert raws and all(f"<file {name}>".encode() in raw and len(raw) < 1000 for raw in raws)
    back = running.get(f"/internal/object_storage?storage_path={quote(msgspec.json.encode(place).decode())}")
    assert base64.b64decode(back.json()["data"]) == PNG
    again = running.infer(
        asked({"type": "file", "file_type": "object_storage_pointer", "mime_type": "image/png", "storage_path": place})
    )
    assert again.status_code == 200 and b64(PNG).encode() in upstream.seen[-1].body


def test_a_stream_with_a_file(running, upstream):
    answered = running.infer(asked({"type": "file", "url": f"{upstream.base}/a"}, stream=True))
    assert "A cat." in answered.text and answered.text.endswith("data: [DONE]\n\n")
    assert b64(PDF).encode() in upstream.seen[-1].body
    assert until(lambda: blob(running, PDF, ".pdf"), "the file to be kept") == PDF


@pytest.mark.parametrize(
    ("path", "said"),
    [("/gone", "answered with status 404"), ("/page", "it is text/html"), ("/a.png", "it is image/png, not audio/wav")],
)
def test_what_cannot_be_had_is_a_400(running, upstream, path, said):
    file = {"type": "file", "url": f"{upstream.base}{path}?sig=s3cret"}
    answered = running.infer(asked(file | ({"mime_type": "audio/wav"} if path == "/a.png" else {})))
    assert answered.status_code == 400
    message = answered.json()["error"]
    assert said in message and f"input.messages[0].content[0].url: {upstream.base}{path} " in message
    assert "s3cret" not in message and "s3cret" not in "".join(running.log)


def test_nothing_private_is_fetched_unless_allowed(tmp_path, upstream):
    before = len(upstream.seen)
    port = upstream.base.rpartition(":")[2]
    with gateway(tmp_path, MODELS.format(base=upstream.base), env=ENV) as gw:
        for host in ("127.0.0.1", "localhost", "2130706433", "0x7f.1", "[::ffff:127.0.0.1]"):
            answered = gw.infer(asked({"type": "file", "url": f"http://{host}:{port}/a.png"}))
            assert answered.status_code == 400, host
            assert "not on the public internet" in answered.json()["error"] or "resolve" in answered.json()["error"]
        assert len(upstream.seen) == before
        # What a provider takes by address is none of our business.
        assert gw.infer(asked({"type": "file", "url": f"{upstream.base}/a.png"}, model="gpt")).status_code == 200
    no_traceback(gw)


def test_tensorzeros_client_sends_files(running, upstream):
    with TensorZeroGateway.build_http(gateway_url=running.url) as client:
        content = [
            FileUrl(url=f"{upstream.base}/a.png"),
            FileBase64(data=b64(PDF), mime_type="application/pdf"),
        ]
        answered = client.inference(model_name="gemini", input={"messages": [{"role": "user", "content": content}]})
    body = upstream.seen[-1].body
    assert b64(PNG).encode() in body and b64(PDF).encode() in body
    stored, _ = recorded(running, answered)
    assert [block["mime_type"] for block in stored["messages"][0]["content"]] == ["image/png", "application/pdf"]


def test_openais_parts_reach_another_dialect(running, upstream):
    client = openai.OpenAI(base_url=f"{running.url}/openai/v1", api_key="x", max_retries=0)
    client.chat.completions.create(
        model="tensorzero::model_name::gemini",
        messages=[
            {
                "role": "user",
                "content": [
                    {"type": "image_url", "image_url": {"url": f"{upstream.base}/a.png", "detail": "low"}},
                    {"type": "file", "file": {"file_data": f"data:application/pdf;base64,{b64(PDF)}", "filename": "a"}},
                    {"type": "input_audio", "input_audio": {"data": b64(WAV), "format": "wav"}},
                ],
            }
        ],
    )
    parts = msgspec.json.decode(upstream.seen[-1].body)["contents"][0]["parts"]
    assert [(part["inlineData"]["mimeType"], part["inlineData"]["data"]) for part in parts] == [
        ("image/png", b64(PNG)),
        ("application/pdf", b64(PDF)),
        ("audio/wav", b64(WAV)),
    ]


def test_a_conversation_that_goes_on_has_its_files_again(running, upstream):
    client = openai.OpenAI(base_url=f"{running.url}/openai/v1", api_key="x", max_retries=0)
    image = {"type": "input_image", "image_url": f"data:image/png;base64,{b64(PNG)}", "detail": "low"}
    model = "tensorzero::model_name::gpt"
    first = client.responses.create(model=model, input=[{"role": "user", "content": [image]}])
    sent = msgspec.json.decode(upstream.seen[-1].body)["messages"][0]
    client.responses.create(model=model, input="And now?", previous_response_id=first.id)
    assert msgspec.json.decode(upstream.seen[-1].body)["messages"][0] == sent
    assert b64(PNG) in str(sent)


def test_no_row_and_no_frame_holds_a_file_whole(running):
    running.settled()
    needles = [b64(content)[64:164].encode() for content in (PNG, PDF)]
    for table, columns in (("inference_data", ("input",)), ("model_inference_data", ("raw_request",))):
        rows = running.rows(f"SELECT {', '.join(columns)} FROM {table}")
        assert rows
        for row in rows:
            for column in columns:
                held = unpack(row[column]) or b""
                assert not any(needle in held for needle in needles)
    segments = [path.read_bytes() for path in (running.data_dir / "spool").rglob("*") if path.is_file()]
    assert not any(needle in segment for segment in segments for needle in needles)


@pytest.mark.slow
def test_kill_9_leaves_no_row_without_its_file(tmp_path, upstream):
    gw = Gateway(
        tmp_path, PRIVATE + SPOOL + MODELS.format(base=upstream.base), env=ENV, args=["--workers", "2"]
    ).start()
    answered, lock = {}, threading.Lock()

    def client(number):
        for turn in range(200):
            content = b"%PDF-" + os.urandom(20_000)
            file = {"type": "file", "data": b64(content), "mime_type": "application/pdf"}
            try:
                found = gw.infer(asked(file, model="gpt"))
            except Exception:
                return
            if found.status_code == 200:
                with lock:
                    answered[found.json()["inference_id"]] = content

    threads = [threading.Thread(target=client, args=(n,)) for n in range(4)]
    for thread in threads:
        thread.start()
    until(lambda: len(answered) > 40, "some answers")
    gw.kill()
    for thread in threads:
        thread.join()
    gw.start()
    gw.settled()
    try:
        for inference_id, content in answered.items():
            assert gw.rows("SELECT id FROM inferences WHERE id = ?", inference_id), inference_id
            assert blob(gw, content, ".pdf") == content
        for row in gw.rows("SELECT input FROM inference_data"):
            (block,) = msgspec.json.decode(unpack(row["input"]))["messages"][0]["content"]
            kept = (gw.data_dir / "blobs" / block["storage_path"]["path"]).read_bytes()
            assert block["storage_path"]["path"] == f"observability/files/{blake3(kept).hexdigest()}.pdf"
    finally:
        assert gw.stop() == 0


@contextmanager
def bucket(port):
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=port, verbose=False)
    server.start()
    s3 = boto3.client(
        "s3",
        endpoint_url=f"http://127.0.0.1:{server.get_host_and_port()[1]}",
        region_name="eu-west-1",
        aws_access_key_id="AKID",
        aws_secret_access_key="s3cret",
        config=BotoConfig(proxies={}),
    )
    try:
        yield s3
    finally:
        s3.close()
        server.stop()


def storage(port, **fields):
    told = {"type": "s3_compatible", "bucket_name": "my-files", "region": "eu-west-1", "prefix": "c/", **fields}
    lines = [f"{key} = {msgspec.json.encode(value).decode()}" for key, value in told.items()]
    return "\n".join(["[object_storage]", f'endpoint = "http://127.0.0.1:{port}"', "allow_http = true", *lines, ""])


def free_port():
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        return sock.getsockname()[1]


@pytest.mark.slow
def test_a_bucket_that_is_away_gets_its_files_when_it_is_back(tmp_path, upstream):
    port = free_port()
    config = PRIVATE + storage(port) + MODELS.format(base=upstream.base)
    gw = Gateway(tmp_path, config, env=ENV).start()
    waiting = gw.data_dir / "uploads/observability/files"
    file = {"type": "file", "url": f"{upstream.base}/a.png"}
    answered = gw.infer(asked(file, {"type": "file", "data": b64(PDF), "mime_type": "application/pdf"}, model="gpt"))
    assert answered.status_code == 200
    stored, _ = recorded(gw, answered)
    # What went by address is kept too, where a place for files is configured.
    assert b64(PNG).encode() not in upstream.seen[-1].body and len(list(waiting.iterdir())) == 2
    until(lambda: 'calibrant_file_failures_total{step="upload"}' in gw.get("/metrics").text, "failures to be counted")
    assert "calibrant_files_waiting 2.0" in gw.get("/metrics").text
    gw.kill()
    with bucket(port) as s3:
        s3.create_bucket(Bucket="my-files", CreateBucketConfiguration={"LocationConstraint": "eu-west-1"})
        gw.start()
        until(lambda: not any(waiting.iterdir()), "the files to be uploaded")
        assert "calibrant_files_waiting 0.0" in gw.get("/metrics").text
        for block, content in zip(stored["messages"][0]["content"], (PNG, PDF), strict=True):
            place = block["storage_path"]
            assert place["kind"]["bucket_name"] == "my-files" and place["path"].startswith("c/observability/files/")
            found = s3.get_object(Bucket="my-files", Key=place["path"])
            assert found["Body"].read() == content and found["ContentType"] == block["mime_type"]
            back = gw.get(f"/internal/object_storage?storage_path={quote(msgspec.json.encode(place).decode())}")
            assert base64.b64decode(back.json()["data"]) == content
        assert gw.stop() == 0
    assert "s3cret" not in "".join(gw.log)


@pytest.mark.slow
def test_a_bucket_that_is_not_there_ends_the_start(tmp_path, upstream):
    with bucket(0) as s3:
        port = s3.meta.endpoint_url.rpartition(":")[2]
        with pytest.raises(AssertionError, match=r"object_storage: .*NoSuchBucket"):
            Gateway(tmp_path, storage(port, bucket_name="other") + MODELS.format(base=upstream.base), env=ENV).start()
