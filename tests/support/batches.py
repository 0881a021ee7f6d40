"""The line with a catalogue, and what a worker does with batches, in this process."""

import asyncio
from contextlib import asynccontextmanager

import msgspec
from tests.support.engine import Answer, Line, function, model

from calibrant.engine.batches.look import all_elements, find_batch, with_answers
from calibrant.engine.batches.runner import BatchRunner
from calibrant.engine.batches.submit import submit
from calibrant.engine.engine import Caller
from calibrant.store.sqlite_catalogue import SqliteCatalogue
from calibrant.types.batch import BatchOwner
from calibrant.wire.batch import decode_batch, encode_batch

ALL = BatchOwner(None, everyone=True)
PATIENCE_S = 20
PLAIN = model() + function()


def text(words="Hello?"):
    return {"messages": [{"role": "user", "content": words}]}


def body(*words, **fields):
    return msgspec.json.encode(
        {"function_name": "f", "inputs": [text(each) for each in words or ("Hello?",)], **fields}
    )


def house_steps(house):
    """A step for a script: the house answers every call."""

    def step(call):
        path = call.url.partition("/v1")[2]
        status, told = house.answer(call.method, path, dict(call.headers), call.body)
        return Answer(told, status=status)

    return step


class Batches(Line):
    """A line with a catalogue."""

    def __init__(self, folder, toml=PLAIN, *steps, **settings):
        super().__init__(folder, toml, *steps, **settings)
        self.catalogue = SqliteCatalogue(folder / "catalogue.db")

    async def send(self, raw, caller=None):
        asked = decode_batch(raw, now_ms=self.engine.clock.wall_ms())
        return await submit(self.engine, self.catalogue, asked, caller or Caller("batch_inference"))

    def batch(self, batch_id):
        with self.catalogue.reading() as view:
            return find_batch(view, batch_id, ALL)

    def elements(self, batch_id):
        with self.catalogue.reading() as view:
            return view.batch_elements(batch_id)

    async def told(self, batch_id):
        batch = self.batch(batch_id)
        return msgspec.json.decode(
            encode_batch(batch, await with_answers(self.engine, all_elements(self.catalogue, batch)))
        )

    @asynccontextmanager
    async def worker(self, name="w", patience_s=PATIENCE_S):
        runner = BatchRunner(self.engine, self.catalogue, name, idle_s=0.01)
        runner.start()
        try:
            yield runner
        finally:
            await runner.close(patience_s)

    async def until(self, check):
        async with asyncio.timeout(PATIENCE_S):
            while not (found := check()):
                await asyncio.sleep(0.01)
        return found

    async def ended(self, batch_id):
        await self.until(lambda: self.batch(batch_id).status not in ("pending", "running"))
        return await self.told(batch_id)

    def made(self, raw, caller=None):
        """What is told of a batch, once a worker has made it."""

        async def main():
            batch, _ = await self.send(raw, caller)
            async with self.worker():
                return await self.ended(batch.id)

        return asyncio.run(main())
