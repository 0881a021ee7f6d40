"""Datasets by HTTP: who may do what, whose act it was, and errors."""

import asyncio
from unittest.mock import MagicMock

import msgspec
import pytest

from calibrant.base.clock import SystemClock
from calibrant.datasets import editing
from calibrant.datasets.editing import Actor
from calibrant.engine.keys import create_key
from calibrant.server.api import routes
from calibrant.server.dataset_files import FileDesk
from calibrant.server.datasets import DatasetDesk
from calibrant.server.dispatch import Dispatcher
from calibrant.server.gate import Gate
from calibrant.server.http import HttpRequest, StreamAnswer
from calibrant.server.keyring import Keyring
from calibrant.server.routes import Router
from calibrant.server.settings import ServerSettings
from calibrant.store.sqlite_catalogue import SqliteCatalogue
from calibrant.telemetry.metrics import Metrics
from calibrant.types.content import Text
from calibrant.types.datapoint import Content, NewDatapoint
from calibrant.types.key import NewKey
from calibrant.types.message import Input, Message

DEFAULT = "tensorzero::default"
POINT = {"type": "chat", "function_name": DEFAULT, "input": {"messages": [{"role": "user", "content": "Hello"}]}}
OTHER = Content("chat", "other", Input((Message("user", (Text("Hello"),)),)))


class Record:
    """Has one inference of each function, and is never behind."""

    def __init__(self, *rows):
        self.rows = rows

    def get(self, ids):
        return tuple(row for row in self.rows if row.id in ids)

    def find(self, query):
        functions = query.functions
        return tuple(row for row in self.rows if functions is None or row.function_name in functions)

    def feedback_for(self, target_id):
        return ()

    async def ask(self, question):
        return question(self)


class House:
    def __init__(self, folder, record=None):
        self.catalogue = SqliteCatalogue(folder / "catalogue.db")
        self.clock = SystemClock()
        self.record = record
        self.keys = {}
        for name, fields in {
            "admin": {"roles": ["admin"]},
            "curator": {"roles": ["optimizer"]},
            "limited": {"roles": ["optimizer"], "functions": [DEFAULT]},
        }.items():
            self.keys[name] = create_key(self.catalogue, NewKey(**fields), actor="cli", now_ms=self.clock.wall_ms())[0]

    def public_id(self, name):
        return self.keys[name][6:18]

    def ask(self, who, method, path, body=None):
        """The status and what is answered."""

        async def main():
            engine = MagicMock()
            engine.compiler.function_names.return_value = engine.compiler.model_names.return_value = []
            engine.clock, engine.targets, engine.config.metrics = self.clock, None, {}
            keyring = Keyring(self.catalogue, ttl_s=60, monotonic=self.clock.monotonic)
            gate = Gate(keyring, self.clock, Metrics())
            desk = DatasetDesk(engine, self.catalogue, self.record)
            router = Router(routes(engine, MagicMock(), datasets=desk))
            faults = []
            dispatcher = Dispatcher(
                router, ServerSettings(), lambda error, _: faults.append(error), lambda *_: None, gate
            )
            target, _, query = path.partition("?")
            headers = {"authorization": f"Bearer {self.keys[who]}"}
            content = body if isinstance(body, bytes) else b"" if body is None else msgspec.json.encode(body)
            answer = await dispatcher.answer(HttpRequest(method, target, query, headers, content))
            said = (
                answer.body
                if not isinstance(answer, StreamAnswer)
                else b"".join([each async for each in answer.chunks])
            )
            keyring.close()
            assert faults == []
            return answer.status, said

        status, said = asyncio.run(main())
        return status, msgspec.json.decode(said) if said[:1] in (b"{", b"[") and said.count(b"\n") == 0 else said


@pytest.fixture
def house(tmp_path):
    made = House(tmp_path)
    yield made
    made.catalogue.close()


def add(house, who="curator", *points):
    status, said = house.ask(who, "POST", "/v1/datasets/d/datapoints", {"datapoints": points or [POINT]})
    assert status == 200, said
    return said["ids"]


def test_every_change_has_the_key_that_made_it(house):
    (one,) = add(house)
    (two,) = house.ask(
        "admin", "PATCH", "/v1/datasets/d/datapoints", {"datapoints": [{"type": "chat", "id": one, "name": "n"}]}
    )[1]["ids"]
    rows = house.ask("admin", "POST", "/v1/datasets/d/get_datapoints", {"ids": [one, two]})[1]["datapoints"]
    assert [row["actor"] for row in rows] == [house.public_id("curator"), house.public_id("admin")]
    changes = house.ask("curator", "GET", "/v1/datasets/d/versions?limit=1")[1]
    assert changes["changes"][0]["actor"] == house.public_id("admin") and changes["next"] == 2
    assert house.ask("curator", "GET", "/v1/datasets/d/versions?before=2")[1]["changes"][0]["action"] == "add"


def test_an_edit_of_words_is_a_persons_and_a_name_alone_is_not(house):
    point = NewDatapoint(Content("chat", DEFAULT, OTHER.input))
    made = editing.add(house.catalogue, "d", [point], Actor("", 1))
    path, kind = "/v1/datasets/d/datapoints", {"type": "chat"}
    named = house.ask("curator", "PATCH", path, {"datapoints": [{**kind, "id": made[0], "name": "n"}]})[1]["ids"]
    said = house.ask("curator", "PATCH", path, {"datapoints": [{**kind, "id": named[0], "output": "Hi."}]})[1]["ids"]
    rows = house.ask("curator", "POST", "/v1/datasets/get_datapoints", {"ids": [*made, *named, *said]})[1]["datapoints"]
    assert [row["parent_id"] for row in rows] == [None, *made, *named]
    assert {row["root_id"] for row in rows} == set(made) == {row["group_key"] for row in rows}
    assert rows[2]["output"] == [{"type": "text", "text": "Hi."}]


def test_a_key_with_a_list_of_functions_meets_no_others(house):
    (mine,) = add(house, "limited")
    (theirs,) = editing.add(house.catalogue, "d", [NewDatapoint(OTHER)], Actor("", 1))
    asked = house.ask("limited", "POST", "/v1/datasets/d/list_datapoints", {})[1]["datapoints"]
    assert [row["id"] for row in asked] == [mine]
    both = {"ids": [mine, theirs]}
    assert len(house.ask("limited", "POST", "/v1/datasets/d/get_datapoints", both)[1]["datapoints"]) == 1
    assert len(house.ask("curator", "POST", "/v1/datasets/d/get_datapoints", both)[1]["datapoints"]) == 2
    lines = house.ask("limited", "GET", "/v1/datasets/d/export")[1]
    assert theirs.encode() not in lines and lines.count(b"\n") == 1
    edit = {"datapoints": [{"type": "chat", "id": theirs}]}
    assert house.ask("limited", "PATCH", "/v1/datasets/d/datapoints", edit)[0] == 404
    rename = {"datapoints": [{"id": theirs, "name": "x"}]}
    assert house.ask("limited", "PATCH", "/v1/datasets/d/datapoints/metadata", rename)[0] == 404
    copies = house.ask("limited", "POST", "/internal/datasets/e/datapoints/clone", {"datapoint_ids": both["ids"]})[1]
    assert copies["datapoint_ids"][0] is not None and copies["datapoint_ids"][1] is None
    assert house.ask("limited", "DELETE", "/v1/datasets/d/datapoints", both)[1] == {"num_deleted_datapoints": 1}
    assert house.ask("limited", "DELETE", "/v1/datasets/d")[0] == 403
    assert house.ask("curator", "DELETE", "/v1/datasets/d")[1] == {"num_deleted_datapoints": 1}


def test_a_key_with_a_list_of_functions_adds_no_others(house):
    line = msgspec.json.encode({**POINT, "type": "chat"}) + b"\n"
    assert house.ask("limited", "POST", "/v1/datasets/d/import", line)[1] == {"num_imported_datapoints": 1}
    with pytest.raises(editing.Forbidden):
        editing.add(house.catalogue, "d", [NewDatapoint(OTHER)], Actor("", 1, _grants(house)))


def _grants(house):
    with house.catalogue.reading() as view:
        return view.key(house.public_id("limited")).key.principal().grants


def test_nothing_is_changed_by_what_changes_nothing(house):
    (one,) = add(house)
    path = "/v1/datasets/d/datapoints"
    assert house.ask("curator", "DELETE", path, {"ids": ["none"]})[1] == {"num_deleted_datapoints": 0}
    same = {"datapoints": [{"id": one}]}
    assert house.ask("curator", "PATCH", f"{path}/metadata", same)[1] == {"ids": [one]}
    assert house.ask("curator", "DELETE", "/v1/datasets/none")[1] == {"num_deleted_datapoints": 0}
    assert house.ask("curator", "GET", "/v1/datasets/none")[0] == 404
    assert house.ask("curator", "GET", "/v1/datasets/d")[1]["version"] == 1


def test_an_export_is_read_piece_by_piece_and_for_its_client_alone(house):
    editing.add(house.catalogue, "d", [NewDatapoint(OTHER)] * 350, Actor("", 1))

    async def main():
        desk = FileDesk(DatasetDesk(MagicMock(), house.catalogue))
        answer = await desk.export(HttpRequest("GET", "/", params={"dataset_name": "d"}))
        assert not answer.outlives_client
        return [piece.count(b"\n") async for piece in answer.chunks]

    assert asyncio.run(main()) == [100, 100, 100, 50]


def test_mistakes(house):
    (one,) = add(house)
    path = "/v1/datasets/d/datapoints"
    for method, where, body, status, said in (
        ("POST", path, {"datapoints": [POINT, {**POINT, "type": "json"}]}, 400, "datapoints[1]: type: "),
        ("PATCH", path, {"datapoints": [{"type": "json", "id": one}]}, 400, "is of type 'chat', not 'json'"),
        ("PATCH", path, {"datapoints": [{"type": "chat", "id": one}] * 2}, 400, "is named twice"),
        ("PATCH", path, {"datapoints": [{"type": "chat", "id": "x"}]}, 404, "has no datapoint x"),
        ("PATCH", f"{path}/metadata", {"datapoints": [{"id": "x"}]}, 404, "has no datapoint x"),
        ("POST", "/v1/datasets", {"name": "d"}, 400, "is there already"),
        ("POST", "/v1/datasets", {"name": "e", "group_by": "x"}, 400, "group_by"),
        ("POST", "/v1/datasets/d/from_inferences", {"type": "inference_ids", "inference_ids": ["i"]}, 400, "no record"),
        ("GET", "/internal/datasets?limit=0", None, 400, "limit"),
        ("GET", "/internal/datasets?offset=0", None, 200, None),
        ("GET", "/v1/datasets/d/export?version=9", None, 404, "versions 0 to 1"),
        ("POST", "/v1/datasets/builder/list_datapoints", {}, 400, "is reserved"),
    ):
        got, answer = house.ask("admin", method, where, body)
        assert got == status and (said is None or said in answer["error"]), (method, where, answer)


def test_from_inferences_of_functions_that_a_key_may_see(tmp_path):
    from tests.support.records import inference

    rows = [inference(function_name=name, function_type="chat", output=b"[]") for name in (DEFAULT, "other")]
    house = House(tmp_path, Record(*rows))
    path = "/v1/datasets/d/from_inferences"
    asked = {"type": "inference_ids", "inference_ids": [row.id for row in rows]}
    status, said = house.ask("limited", "POST", path, asked)
    assert status == 404 and rows[1].id in said["error"]
    assert len(house.ask("limited", "POST", path, {"type": "inference_query"})[1]["ids"]) == 1
    assert len(house.ask("curator", "POST", path, asked)[1]["ids"]) == 2
    house.catalogue.close()
