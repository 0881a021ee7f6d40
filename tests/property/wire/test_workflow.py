"""Any body of a workflow evaluation is understood or refused by name; nothing else happens."""

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from calibrant.base.errors import InvalidRequest
from calibrant.base.ids import id_millis, uuid7
from calibrant.wire.workflow import decode_episode, decode_run

RUN = uuid7()
NAMES = ["variants", "tags", "project_name", "display_name", "task_name", "internal", "more"]
TEXTS = st.text(max_size=5) | st.sampled_from(["tensorzero::x", "calibrant::y", "\0", "x" * 1001])
VALUES = st.none() | st.booleans() | st.integers() | TEXTS | st.dictionaries(TEXTS, TEXTS | st.none(), max_size=3)
BODIES = st.dictionaries(st.sampled_from(NAMES), VALUES, max_size=5).map(msgspec.json.encode) | st.binary(max_size=30)


@given(BODIES)
def test_any_run(body):
    try:
        run = decode_run(body)
    except InvalidRequest as error:
        assert error.message
        return
    assert not any(key.startswith("calibrant::") for key in run.tags)
    asked = msgspec.json.decode(body)
    reserved = any(key.startswith(("tensorzero::", "calibrant::")) for key in run.tags)
    assert asked.get("internal") is True or not reserved
    texts = (run.project_name, run.display_name, *run.tags, *run.tags.values(), *run.variants, *run.variants.values())
    assert not any("\0" in (text or "") for text in texts)


@given(BODIES, st.just(RUN) | TEXTS)
def test_any_episode(body, run_id):
    try:
        episode = decode_episode(body, run_id, now_ms=id_millis(RUN) + 1)
    except InvalidRequest as error:
        assert error.message
        return
    assert episode.run_id == RUN
    assert not any(key.startswith(("tensorzero::", "calibrant::")) for key in episode.tags)
