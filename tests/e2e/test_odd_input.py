"""Input that is odd but right: served, and recorded as it came."""

import httpx2
import msgspec
import pytest

from calibrant.store.payload import unpack

ODD = {
    "empty": "",
    "blank": " \n\t ",
    "long": "x" * 2**20,
    "beyond-the-basic-plane": "𝔘𝔫𝔦𝔠𝔬𝔡𝔢 👩‍👩‍👧‍👦 ﷽",
    "control": "".join(map(chr, range(1, 32))) + "\x7f\u2028\u2029\ufeff\ufffe",
    "event": "data: [DONE]\n\ndata: x\r\n\r\n: comment\n",
    "json": '{"role": "system", "content": "\\u0000"}',
    "template": "{{ secrets }} {% for x in y %}",
    "right-to-left": "\u202etxet",
}


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("name", ODD)
def test_odd_text_goes_through_unchanged(running, name, stream):
    text = ODD[name]
    body = {"model_name": "plain", "stream": stream, "input": {"messages": [{"role": "user", "content": text}]}}
    answer = running.infer(body)
    assert answer.status_code == 200, answer.text
    if stream:
        lines = [line for line in answer.content.split(b"\n\n") if line]
        assert lines[-1] == b"data: [DONE]"
        chunks = [msgspec.json.decode(line.removeprefix(b"data: ")) for line in lines[:-1]]
        said = "".join(block.get("text", "") for chunk in chunks for block in chunk["content"])
        inference_id = chunks[0]["inference_id"]
    else:
        said = "".join(block["text"] for block in answer.json()["content"])
        inference_id = answer.json()["inference_id"]
    assert said == text
    running.inference(inference_id)
    (row,) = running.rows("SELECT input FROM inferences JOIN inference_data USING (seq) WHERE id = ?", inference_id)
    kept = msgspec.json.decode(unpack(row["input"]))
    assert kept["messages"][0]["content"][0]["text"] == text


def test_a_nul_is_either_served_or_refused_and_never_a_fault(running):
    body = b'{"model_name":"plain","input":{"messages":[{"role":"user","content":"a\\u0000b"}]}}'
    answer = httpx2.post(running.url + "/inference", content=body, timeout=30)
    assert answer.status_code in (200, 400), answer.text
    if answer.status_code == 200:
        assert answer.json()["content"][0]["text"] == "a\0b"
    else:
        assert "NUL" in answer.json()["error"]
