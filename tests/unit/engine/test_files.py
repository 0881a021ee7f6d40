"""The files of an inference: fetched where bytes are wanted, kept by their hash, struck from what is recorded."""

import asyncio
import base64
import errno
from dataclasses import replace
from pathlib import Path

import msgspec
import pytest
from blake3 import blake3
from tests.support.engine import Answer, Script, function, model, refusal, said, streamed, variant

from calibrant.base.errors import (
    AllVariantsFailed,
    FileUnavailable,
    InferenceTimeout,
    ProvidersExhausted,
    SpoolFull,
    Unreachable,
)
from calibrant.config.schema import FilePolicy
from calibrant.engine.files import Files, _struck
from calibrant.store.blobs import BlobFolder
from calibrant.types.content import File, Text
from calibrant.types.message import Input, Message
from calibrant.types.sent import Sent, SentMessage
from calibrant.types.storage import DisabledStorage, FilesystemStorage, S3Storage, StoragePath

PNG = b"\x89PNG\r\n\x1a\n" + bytes(range(256))
PDF = b"%PDF-1.7" + bytes(range(255, 0, -1))
URL = "https://files.test/a.png?sig=s3cret"
PDF_URL = "https://files.test/a.pdf"
GEMINI = """
[models.g]
routing = ["p"]
[models.g.providers.p]
type = "google_ai_studio_gemini"
model_name = "gemini-2.5-flash"
api_base = "http://p.g/v1beta"
api_key_location = "none"
"""
A_CAT = {"candidates": [{"content": {"parts": [{"text": "A cat."}]}, "finishReason": "STOP"}]}


def b64(content):
    return base64.b64encode(content).decode()


def name(content, ending=".png"):
    return f"observability/files/{blake3(content).hexdigest()}{ending}"


def asked(*blocks):
    return Input((Message("user", (Text("What is this?"), *blocks)),))


def served(content=PNG, kind="image/png", **fields):
    return lambda call: Answer(content, headers=(("content-type", kind),), **fields)


class Disk:
    """Blobs that can be told to fail."""

    def __init__(self):
        self.kept = {}
        self.fault = None

    def put(self, key, content):
        if self.fault:
            raise self.fault
        self.kept[key] = content

    def get(self, key):
        if self.fault:
            raise self.fault
        return self.kept.get(key)

    def delete(self, key):
        return self.kept.pop(key, None) is not None


@pytest.fixture
def filed(line):
    """An engine with files: the web is a script of its own."""
    opened = []

    def make(toml, *steps, web=(), kind=None, blobs=None, policy=None, eager=False, shed=False, **options):
        it = line(toml, *steps, **options)
        it.web = Script(*(web or (served(),)))
        it.blobs = Disk() if blobs is None else blobs
        kind = kind or FilesystemStorage("/blobs")
        opened.append(
            Files(
                policy or FilePolicy(),
                kind,
                sender=it.web,
                metrics=it.engine.metrics,
                blobs=None if isinstance(kind, DisabledStorage) else it.blobs,
                eager=eager,
                shed=shed,
            )
        )
        it.engine = replace(it.engine, files=opened[-1])
        return it

    yield make
    for each in opened:
        asyncio.run(each.close())


def stored(it):
    """The blocks of the recorded input, without the text before them."""
    return msgspec.json.decode(it.row.input)["messages"][0]["content"][1:]


PLACE = {"kind": {"type": "filesystem", "path": "/blobs"}, "path": name(PNG)}


def test_a_provider_that_wants_bytes_gets_them(filed):
    it = filed(GEMINI, A_CAT)
    it.infer(model_name="g", input=asked(File(url=URL)))
    part = it.sender.bodies[0]["contents"][0]["parts"][1]
    assert part == {"inlineData": {"mimeType": "image/png", "data": b64(PNG)}}
    assert [call.url for call in it.web.calls] == [URL]
    assert it.blobs.kept == {name(PNG): PNG}
    assert stored(it) == [{"type": "file", "mime_type": "image/png", "storage_path": PLACE, "source_url": URL}]
    assert b64(PNG).encode() not in it.attempts[0].raw_request
    assert f"<file {name(PNG)}>".encode() in it.attempts[0].raw_request
    assert "fetch" in it.row.durations


def test_one_that_takes_the_address_gets_that_and_nothing_is_fetched(filed):
    it = filed(model() + function(), said())
    it.infer(input=asked(File(url=URL, detail="low")))
    assert it.sender.bodies[0]["messages"][0]["content"][1]["image_url"] == {"url": URL, "detail": "low"}
    assert it.web.calls == [] and it.blobs.kept == {}
    assert stored(it) == [{"type": "file", "url": URL, "detail": "low"}]
    assert it.attempts[0].raw_request == it.sender.calls[0].body


def test_always_means_always(filed):
    it = filed(model() + function(), said(), policy=FilePolicy(always=True))
    it.infer(input=asked(File(url=URL, detail="low")))
    image = it.sender.bodies[0]["messages"][0]["content"][1]["image_url"]
    assert image == {"url": f"data:image/png;base64,{b64(PNG)}", "detail": "low"}


def test_always_is_stronger_than_the_callers_own_words(filed):
    it = filed(model() + function(), said(), policy=FilePolicy(always=True))
    words = msgspec.json.encode({"role": "user", "content": "x", "name": "Ada"})
    sent = Sent("openai_chat", "m", {}, (SentMessage(words, 0), SentMessage(words, 1)))
    given = Input((Message("user", (Text("x"),)), *asked(File(url=URL)).messages))
    it.infer(input=given, sent=sent)
    first, second = it.sender.bodies[0]["messages"]
    assert first["name"] == "Ada"
    assert second["content"][1]["image_url"] == {"url": f"data:image/png;base64,{b64(PNG)}"}


def test_bytes_that_came_are_kept_once_and_named(filed):
    it = filed(model() + function(), said())
    pdf = File(data=b64(PDF), mime_type="application/pdf", filename="a.pdf")
    it.infer(input=asked(File(data=b64(PNG), mime_type="image/png", detail="high"), pdf, pdf))
    assert it.blobs.kept == {name(PNG): PNG, name(PDF, ".pdf"): PDF}
    place = {**PLACE, "path": name(PDF, ".pdf")}
    of_pdf = {"type": "file", "mime_type": "application/pdf", "filename": "a.pdf", "storage_path": place}
    assert stored(it) == [
        {"type": "file", "mime_type": "image/png", "detail": "high", "storage_path": PLACE},
        of_pdf,
        of_pdf,
    ]
    raw = it.attempts[0].raw_request
    assert b64(PDF).encode() not in raw and b64(PNG).encode() not in raw
    assert raw.count(f"<file {name(PDF, '.pdf')}>".encode()) == 2
    assert msgspec.json.decode(raw)["messages"][0]["content"][0] == {"type": "text", "text": "What is this?"}


def test_a_file_of_no_known_type_is_kept_too(filed):
    it = filed(model() + function(), refusal())
    with pytest.raises(AllVariantsFailed):
        it.infer(input=asked(File(data=b64(b"?" * 100))))
    assert stored(it)[0]["mime_type"] == "application/octet-stream"
    assert it.blobs.kept == {name(b"?" * 100, ""): b"?" * 100}


def test_a_file_is_kept_before_the_row_that_names_it(filed):
    it = filed(model() + function(), said())
    seen = []
    append = it.spool.append
    it.spool.append = lambda record: (seen.append(dict(it.blobs.kept)), append(record))[1]
    it.infer(input=asked(File(data=b64(PNG), mime_type="image/png")))
    it.sender.steps = [streamed("x")]
    it.blobs.kept = {}
    it.stream(input=asked(File(data=b64(PDF), mime_type="application/pdf")))
    assert seen == [{name(PNG): PNG}, {name(PDF, ".pdf"): PDF}, {name(PDF, ".pdf"): PDF}]
    begun = msgspec.json.decode(it.records[1].inference.input)
    assert begun["messages"][0]["content"][1]["storage_path"]["path"] == name(PDF, ".pdf")


def test_what_is_fetched_is_fetched_once_whatever_is_tried(filed):
    toml = GEMINI.replace('routing = ["p"]', 'routing = ["p", "q"]') + GEMINI[GEMINI.index("[models.g.p") :].replace(
        "providers.p", "providers.q"
    )
    toml += function(variant("v", "g", "retries = { num_retries = 1, max_delay_s = 0.01 }"))
    it = filed(toml, refusal(500), refusal(500), refusal(500), A_CAT)
    it.infer(input=asked(File(url=URL), File(url=URL)))
    assert len(it.sender.calls) == 4 and len(it.web.calls) == 1
    assert all(body.body.count(b64(PNG).encode()) == 2 for body in it.sender.calls)
    assert not any(b64(PNG).encode() in row.raw_request for row in it.attempts)


def test_files_are_fetched_at_the_same_time(filed):
    both = asyncio.Barrier(2)

    class Web:
        async def send(self, call, deadline):
            await asyncio.wait_for(both.wait(), 5)
            return Answer(PNG, headers=(("content-type", "image/png"),))

    it = filed(GEMINI, A_CAT)
    it.engine.files._sender = Web()
    it.infer(model_name="g", input=asked(File(url=URL), File(url="https://files.test/b.png")))
    assert len(it.sender.bodies[0]["contents"][0]["parts"]) == 3


def test_what_cannot_be_fetched_is_the_fault_of_the_request(filed):
    failing = Unreachable("the host of https://files.test is not on the public internet", retryable=False)
    it = filed(GEMINI + function(variant("a", "g"), variant("b", "g")), A_CAT, web=(failing,))
    for fields in ({"model_name": "g"}, {}, {"variant_name": "a"}):
        with pytest.raises(FileUnavailable) as caught:
            it.infer(input=asked(File(url=URL)), **fields)
        assert caught.value.message == (
            "input.messages[0].content[1].url: https://files.test/a.png cannot be fetched: "
            "the host of https://files.test is not on the public internet"
        )
        assert (it.row.error_code, it.row.http_status, it.attempts[-1].error_code) == (
            "file_unavailable",
            400,
            "file_unavailable",
        )
    assert it.sender.calls == []
    assert it.counted("file_failures") == {("fetch",): 3}
    it.engine.metrics.figures()
    assert b"s3cret" not in (it.row.error_message or "").encode()
    assert stored(it) == [{"type": "file", "url": URL}]


def test_another_provider_may_take_the_address(filed):
    both = GEMINI.replace('routing = ["p"]', 'routing = ["p", "q"]') + (
        '[models.g.providers.q]\ntype = "openai"\nmodel_name = "gpt"\n'
        'api_base = "http://q.g/v1"\napi_key_location = "none"\n'
    )
    it = filed(both, said("A dog."), web=(served(status=404),))
    it.infer(model_name="g", input=asked(File(url=URL)))
    assert it.sender.asked == ["q.g"]
    assert [row.error_code for row in it.attempts] == ["file_unavailable", None]


def test_another_variant_may_take_the_address(filed):
    toml = (
        GEMINI
        + model("m")
        + function(
            variant("a", "g"),
            variant("b", "m"),
            extra='experimentation = { type = "static", candidate_variants = { a = 1 }, fallback_variants = ["b"] }',
        )
    )
    it = filed(toml, said("A dog."), web=(served(status=404),))
    assert it.infer(input=asked(File(url=URL))).head.variant_name == "b"
    it = filed(toml, refusal(500), web=(served(status=404),))
    with pytest.raises(AllVariantsFailed):
        it.infer(input=asked(File(url=URL)))


def test_too_many_files_are_not_fetched(filed):
    it = filed(GEMINI, A_CAT, policy=FilePolicy(max_files=2))
    urls = [File(url=f"https://files.test/{n}.png") for n in range(3)]
    with pytest.raises(FileUnavailable, match=r"more than 2 files .*`gateway.files.max_files`"):
        it.infer(model_name="g", input=asked(*urls))
    it.infer(model_name="g", input=asked(*urls[:2], urls[0]))


def test_the_time_of_the_model_runs(filed):
    class Web:
        async def send(self, call, deadline):
            await asyncio.sleep(60)

    toml = GEMINI.replace('routing = ["p"]', 'routing = ["p"]\ntimeouts = { non_streaming = { total_ms = 50 } }')
    it = filed(toml + function(variant("v", "g")), A_CAT)
    it.engine.files._sender = Web()
    with pytest.raises(InferenceTimeout, match="model 'g' ran out of time"):
        it.infer(variant_name="v", input=asked(File(url=URL)))
    assert it.engine.files._tasks == set()
    assert it.sender.calls == []


def test_with_a_store_of_its_own_what_goes_by_address_is_kept_too(filed):
    it = filed(model() + function(), said(), streamed("x"), eager=True, web=(served(), served(PDF, "application/pdf")))
    it.infer(input=asked(File(url=URL)))
    assert it.sender.bodies[0]["messages"][0]["content"][1]["image_url"]["url"] == URL
    assert stored(it) == [{"type": "file", "mime_type": "image/png", "storage_path": PLACE, "source_url": URL}]
    it.stream(input=asked(File(url=URL.replace("a.png", "b.png"))))
    assert it.blobs.kept == {name(PNG): PNG, name(PDF, ".pdf"): PDF}
    assert it.row.status == "ok" and stored(it)[0]["storage_path"]["path"] == name(PDF, ".pdf")


def test_an_answer_does_not_fail_for_what_only_the_record_wants(filed, monkeypatch):
    class Web:
        async def send(self, call, deadline):
            await asyncio.sleep(60)

    monkeypatch.setattr("calibrant.engine.files._GRACE_S", 0.01)
    it = filed(model() + function(), said(), eager=True, web=(served(status=404),))
    it.infer(input=asked(File(url=URL)))
    assert stored(it) == [{"type": "file", "url": URL}]
    it.engine.files._sender = Web()
    given_up, append = [], it.spool.append
    it.spool.append = lambda record: (given_up.extend(t.cancelling() for t in it.engine.files._tasks), append(record))[
        1
    ]
    it.infer(input=asked(File(url=URL)))
    assert stored(it) == [{"type": "file", "url": URL}]
    assert it.counted("file_failures") == {("fetch",): 2}
    assert given_up == [1]


@pytest.mark.parametrize(
    ("toml", "fields"),
    [
        ('record.payloads = "metadata"\n', {}),
        ('record.payloads = "none"\n', {}),
        ("", {"dryrun": True}),
    ],
)
def test_where_no_input_is_recorded_no_file_is_kept(filed, toml, fields):
    it = filed(toml + GEMINI, A_CAT, eager=True)
    it.infer(model_name="g", input=asked(File(url=URL), File(data=b64(PDF), mime_type="application/pdf")), **fields)
    assert it.blobs.kept == {}
    assert b64(PNG) in str(it.sender.bodies[0])
    assert b64(PDF).encode() not in msgspec.msgpack.encode(it.records)


def test_a_hook_that_redacts_sees_no_file_and_none_is_kept(filed):
    seen = []

    def hook(payload, what):
        seen.append(payload)
        return payload

    it = filed(GEMINI, A_CAT, redact=hook, eager=True)
    it.infer(model_name="g", input=asked(File(url=URL), File(data=b64(PDF), mime_type="application/pdf")))
    assert it.blobs.kept == {}
    assert not any(b64(PNG).encode() in each or b64(PDF).encode() in each for each in seen)
    assert [block["storage_path"]["kind"] for block in stored(it)] == [{"type": "disabled"}] * 2


def test_disabled_keeps_the_name_alone(filed):
    it = filed(model() + function(), said(), kind=DisabledStorage(), eager=True)
    it.infer(input=asked(File(data=b64(PNG), mime_type="image/png"), File(url=PDF_URL.replace("pdf", "jpg"))))
    assert it.blobs.kept == {} and it.web.calls == []
    assert stored(it)[0]["storage_path"] == {"kind": {"type": "disabled"}, "path": name(PNG)}
    assert b64(PNG).encode() not in it.attempts[0].raw_request


def test_the_prefix_of_a_bucket_is_part_of_the_path_and_not_of_the_key(filed):
    it = filed(model() + function(), said(), kind=S3Storage("b", prefix="x/y/"))
    it.infer(input=asked(File(data=b64(PNG), mime_type="image/png")))
    assert list(it.blobs.kept) == [name(PNG)]
    assert stored(it)[0]["storage_path"]["path"] == "x/y/" + name(PNG)


def test_a_full_disk_is_no_silent_loss(filed):
    it = filed(model() + function(), said(), streamed("x"))
    it.blobs.fault = OSError(errno.ENOSPC, "No space left on device")
    image = asked(File(data=b64(PNG), mime_type="image/png"))
    with pytest.raises(SpoolFull, match="No space left"):
        it.infer(input=image)
    assert it.records == []
    with pytest.raises(SpoolFull):
        it.stream(input=image)
    assert it.counted("file_failures") == {("keep",): 2}


def test_a_full_disk_sheds_where_that_is_the_policy(filed):
    it = filed(model() + function(), said(), shed=True)
    it.blobs.fault = OSError(errno.ENOSPC, "No space left on device")
    it.infer(input=asked(File(data=b64(PNG), mime_type="image/png")))
    assert stored(it)[0]["storage_path"] == {"kind": {"type": "disabled"}, "path": ""}
    assert b64(PNG).encode() not in it.attempts[0].raw_request
    assert it.counted("file_failures") == {("keep",): 1}


def test_what_the_record_has_can_be_sent_again(filed):
    it = filed(model() + function(), said())
    it.infer(input=asked(File(data=b64(PNG), mime_type="image/png", detail="low")))
    again = msgspec.json.decode(it.row.input, type=Input)
    it.infer(input=again)
    assert it.sender.calls[1].body == it.sender.calls[0].body
    assert it.row.input == it.records[0].inference.input
    assert b64(PNG).encode() not in it.attempts[0].raw_request


@pytest.mark.parametrize(
    ("path", "said_"),
    [
        (name(b"other"), "it is not in the object storage"),
        ("../../etc/passwd", "names no file that could have been kept"),
        ("observability/files/../../../etc/passwd", "names no file that could have been kept"),
    ],
)
def test_a_path_leads_to_a_file_or_nowhere(filed, path, said_):
    it = filed(model() + function(), said(), blobs=BlobFolder(Path("/nonexistent")))
    file = File(mime_type="image/png", storage_path=StoragePath(FilesystemStorage("/"), path))
    with pytest.raises(FileUnavailable, match=said_) as caught:
        it.infer(variant_name="v", input=asked(file))
    assert "input.messages[0].content[1]: the file" in caught.value.message


def test_a_plain_inference_has_nothing_to_do_with_files(filed):
    it = filed(model() + function(), said())
    it.infer()
    assert it.engine.files._threads._threads == set()


def test_without_files_at_all_the_line_is_as_it_was(line):
    it = line(model() + function(), said())
    it.infer(input=asked(File(data=b64(PNG), mime_type="image/png")))
    assert stored(it) == [{"type": "file", "data": b64(PNG), "mime_type": "image/png"}]


def test_striking_takes_every_whole_occurrence_and_nothing_else():
    data = b"A" * 64 + b"B" * 10
    near = b"A" * 64 + b"C" * 10
    assert _struck(b'["' + data + b'","' + data + b'"]', data, b"<f>") == b'["<f>","<f>"]'
    assert _struck(b'"data:a/b;base64,' + data + b'"', data, b"<f>") == b'"data:a/b;base64,<f>"'
    assert _struck(b'["' + near + b'","' + data + b'"', data, b"<f>") == b'["' + near + b'","<f>"'
    assert _struck(b'"A' + data + b'"', data, b"<f>") == b'"A' + data + b'"'
    assert _struck(b"nothing", data, b"<f>") == b"nothing"


def test_nobody_can_make_striking_take_forever():
    zeros = b"A" * 8_000_000
    body = b'["' + zeros + b'","' + zeros[:4_000_000] + b'B"]'
    assert _struck(body, zeros[:4_000_000] + b"B", b"<f>") == b'["' + zeros + b'","<f>"]'


def test_one_file_may_be_the_beginning_of_another(filed):
    it = filed(model() + function(), said())
    short = PNG[:75]
    it.infer(input=asked(*(File(data=b64(content), mime_type="image/png") for content in (short, short + PDF))))
    raw = it.attempts[0].raw_request
    assert raw.count(b"<file ") == 2 and b"iVBOR" not in raw
    assert b64(short + PDF)[100:140].encode() not in raw


def test_what_could_be_a_word_stays(filed):
    it = filed(model() + function(), said())
    it.infer(input=asked(Text("data"), File(data="data", mime_type="image/png")))
    assert msgspec.json.decode(it.attempts[0].raw_request)["messages"][0]["content"][1]["text"] == "data"


def test_an_exhausted_model_is_still_that(filed):
    it = filed(GEMINI, refusal(500))
    with pytest.raises(ProvidersExhausted):
        it.infer(model_name="g", variant_name="g", input=asked(File(url=URL)))


def test_candidates_that_answer_at_the_same_time_share_a_fetch(filed):
    toml = (
        GEMINI
        + model("judge")
        + function(
            variant("a", "g", "weight = 0"),
            variant("b", "g", "weight = 0"),
            'variants.best = { type = "experimental_best_of_n_sampling", weight = 1, candidates = ["a", "b"], '
            'evaluator = { model = "judge", json_mode = "on" } }\n',
        )
    )

    def upstream(call):
        return said('{"thinking": "", "answer_choice": 0}') if "judge" in call.url else A_CAT

    it = filed(toml, upstream)
    it.infer(variant_name="best", input=asked(File(url=URL)))
    assert len(it.web.calls) == 1
    # The judge sees the file too, by its address, which its provider takes.
    assert sorted((URL.encode() in call.body, b64(PNG).encode() in call.body) for call in it.sender.calls) == [
        (False, True),
        (False, True),
        (True, False),
    ]
    assert not any(b64(PNG).encode() in row.raw_request for row in it.attempts)
