"""Our fake of the vendors' batch interfaces, and what our codecs send it, as the vendors' own SDKs see them."""

import io

import anthropic
import msgspec
import openai
import pytest
from google.genai.types import JobState
from tests.contract.providers.calls import user

from calibrant.config.schema import Provider
from calibrant.providers import vertex_batch
from calibrant.providers.catalog import adapter, batcher
from calibrant.testing.batches import BatchHouse, run_batch_house
from calibrant.types.call import BatchCall, Exchange, ModelCall
from calibrant.types.content import Text


def run(house, steps):
    """What the steps return; the house answers them."""
    try:
        http = next(steps)
        while True:
            path = http.url.partition("/v1")[2]
            status, body = house.answer(http.method, path, dict(http.headers), http.body)
            http = steps.send(Exchange(status, (), body))
    except StopIteration as ended:
        return ended.value


def provider(kind, **fields):
    return Provider(
        name="p", type=kind, model_name={"openai": "gpt-5", "anthropic": "claude-sonnet-4-6"}[kind], **fields
    )


def calls(kind, *words):
    made = [adapter(provider(kind)).encode(ModelCall(None, (user(Text(each)),))).body for each in words]
    return [BatchCall(f"id-{n}", each) for n, each in enumerate(made)]


@pytest.fixture
def house():
    return BatchHouse()


@pytest.fixture
def address(house):
    with run_batch_house(house) as url:
        yield url


def test_openais_sdk_reads_what_the_house_answers(house, address):
    (call,) = calls("openai", "Hello?")
    body = msgspec.json.decode(call.body)
    line = {"custom_id": "a", "method": "POST", "url": "/v1/chat/completions", "body": body}
    with openai.OpenAI(base_url=address, api_key="k", max_retries=0, _strict_response_validation=True) as client:
        file = client.files.create(file=("b.jsonl", io.BytesIO(msgspec.json.encode(line))), purpose="batch")
        batch = client.batches.create(input_file_id=file.id, endpoint="/v1/chat/completions", completion_window="24h")
        assert client.batches.retrieve(batch.id).status == "in_progress"
        assert client.batches.cancel(batch.id).status == "cancelling"
        house.finish()
        over = client.batches.retrieve(batch.id)
        (told,) = [msgspec.json.decode(each) for each in client.files.content(over.output_file_id).iter_lines()]
    assert told["custom_id"] == "a" and told["response"]["status_code"] == 200
    said = openai.types.chat.ChatCompletion.model_validate(told["response"]["body"], strict=True)
    assert said.choices[0].message.content == "Hello?"


def test_anthropics_sdk_reads_what_the_house_answers(house, address):
    (call,) = calls("anthropic", "Hello?")
    asked = {"custom_id": "a", "params": msgspec.json.decode(call.body)}
    base = address.removesuffix("/v1")
    with anthropic.Anthropic(base_url=base, api_key="k", max_retries=0, _strict_response_validation=True) as client:
        batch = client.messages.batches.create(requests=[asked])
        assert client.messages.batches.retrieve(batch.id).processing_status == "in_progress"
        assert client.messages.batches.cancel(batch.id).processing_status == "canceling"
        house.finish()
        assert client.messages.batches.retrieve(batch.id).processing_status == "ended"
        house.anthropic[batch.id]["results_url"] = f"{address}/messages/batches/{batch.id}/results"
        (told,) = client.messages.batches.results(batch.id)
    assert told.custom_id == "a" and told.result.message.content[0].text == "Hello?"


def test_what_our_codec_sends_openai_is_what_its_sdk_sends(house, address):
    mine, theirs = BatchHouse(), house
    asked = calls("openai", "one", "two\nlines")
    run(mine, batcher(provider("openai")).submit(asked))
    content = b"".join(
        msgspec.json.encode(
            {"custom_id": each.id, "method": "POST", "url": "/v1/chat/completions", "body": msgspec.Raw(each.body)}
        )
        + b"\n"
        for each in asked
    )
    with openai.OpenAI(base_url=address, api_key="k", max_retries=0) as client:
        file = client.files.create(file=("b.jsonl", io.BytesIO(content)), purpose="batch")
        client.batches.create(input_file_id=file.id, endpoint="/v1/chat/completions", completion_window="24h")
    assert (mine.files, mine.openai, mine.calls) == (theirs.files, theirs.openai, theirs.calls)
    assert mine.asked == [(method, path.removeprefix("/v1")) for method, path in theirs.asked]


def test_what_our_codec_sends_anthropic_is_what_its_sdk_sends(house, address):
    mine, theirs = BatchHouse(), house
    asked = calls("anthropic", "one", "two")
    run(mine, batcher(provider("anthropic")).submit(asked))
    with anthropic.Anthropic(base_url=address.removesuffix("/v1"), api_key="k", max_retries=0) as client:
        requests = [{"custom_id": each.id, "params": msgspec.json.decode(each.body)} for each in asked]
        client.messages.batches.create(requests=requests)
    assert (mine.anthropic, mine.calls) == (theirs.anthropic, theirs.calls)
    # The version of ours is the one that the adapter speaks; see its docstring.
    assert mine.headers[-1]["anthropic-version"] == "2023-06-01"


def test_googles_sdk_knows_the_states_in_which_a_job_is_over():
    known = {state.value for state in JobState}
    going = {"UNSPECIFIED", "QUEUED", "PENDING", "RUNNING", "CANCELLING", "PAUSED", "UPDATING"}
    assert {f"JOB_STATE_{name}" for name in going} | vertex_batch._OVER == known
