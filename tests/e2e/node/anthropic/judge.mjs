// The official Anthropic SDK, unmodified: a small conversation with parallel tools, whole and streamed, per dialect.
import assert from "node:assert/strict";
import Anthropic from "@anthropic-ai/sdk";

const [url, ...kinds] = process.argv.slice(2);
const client = new Anthropic({ baseURL: url, apiKey: "none", maxRetries: 0 });
const messages = [{ role: "user", content: "Hello there" }];
const tools = [
  {
    name: "weather",
    description: "The weather.",
    input_schema: { type: "object", properties: { city: { type: "string" } }, required: ["city"] },
  },
];

async function both(fields) {
  const asked = { max_tokens: 4000, messages, ...fields };
  return [await client.messages.create(asked), await client.messages.stream(asked).finalMessage()];
}

const cases = {
  async plain(kind) {
    for (const message of await both({ model: `${kind}-plain` })) {
      assert.deepEqual(message.content.map((block) => block.text), ["Hello there"]);
      assert.equal(message.stop_reason, "end_turn");
      assert.equal(message.model, `${kind}-plain`);
      const { input_tokens, cache_read_input_tokens, output_tokens } = message.usage;
      assert.deepEqual([input_tokens, cache_read_input_tokens, output_tokens], [7, 4, 7]);
      assert.equal(message.id, `msg_${message.inference_id}`);
    }
  },

  async tools(kind) {
    for (const message of await both({ model: `${kind}-tools`, tools })) {
      const calls = message.content.filter((block) => block.type === "tool_use");
      assert.deepEqual(calls.map((call) => call.input), [{ city: "Paris" }, { city: "Oslo" }]);
      assert.equal(message.stop_reason, "tool_use");
      const results = calls.map((call) => ({ type: "tool_result", tool_use_id: call.id, content: "sun" }));
      const turn = [...messages, { role: "assistant", content: message.content }, { role: "user", content: results }];
      const again = await client.messages.create({ model: `${kind}-plain`, max_tokens: 99, messages: turn, tools });
      assert.equal(again.stop_reason, "end_turn");
    }
  },

  async frame(kind) {
    const kindsOfEvents = [];
    const stream = await client.messages.create({
      model: `${kind}-tools`,
      max_tokens: 99,
      messages,
      tools,
      stream: true,
    });
    for await (const event of stream) kindsOfEvents.push(event.type);
    for (const once of ["message_start", "message_delta", "message_stop"]) {
      assert.equal(kindsOfEvents.filter((each) => each === once).length, 1, once);
    }
    assert.equal(kindsOfEvents.at(-1), "message_stop");
  },

  async thinking(kind) {
    const asked = { model: `${kind}-thinking`, tools, thinking: { type: "enabled", budget_tokens: 1024 } };
    for (const message of await both(asked)) {
      const thought = message.content.find((block) => block.type === "thinking");
      assert.equal(thought.thinking, "Hm, well.");
      if (kind === "anthropic") assert.equal(thought.signature, "c2lnbmF0dXJl");
      const call = message.content.find((block) => block.type === "tool_use");
      const results = [{ type: "tool_result", tool_use_id: call.id, content: "sun" }];
      const turn = [...messages, { role: "assistant", content: message.content }, { role: "user", content: results }];
      await client.messages.create({ model: `${kind}-plain`, max_tokens: 4000, messages: turn, tools });
    }
  },

  async count(kind) {
    const counted = await client.messages.countTokens({ model: `${kind}-plain`, messages, tools });
    assert.ok(counted.input_tokens > 0);
    assert.equal(counted.estimated === true, kind !== "anthropic");
  },

  async errors(kind) {
    await assert.rejects(
      client.messages.create({ model: `${kind}-nobody`, max_tokens: 9, messages }),
      (error) => error instanceof Anthropic.BadRequestError && error.error.error.type === "invalid_request_error",
    );
    await assert.rejects(
      client.messages.stream({ model: `${kind}-breaks`, max_tokens: 9, messages }).finalMessage(),
      (error) => error instanceof Anthropic.APIError,
    );
  },

  async models(kind) {
    const names = [];
    for await (const model of client.models.list()) names.push(model.id);
    assert.ok(names.includes(`${kind}-plain`));
  },
};

for (const kind of kinds) {
  for (const [name, run] of Object.entries(cases)) {
    await run(kind);
    console.log(`ok ${kind} ${name}`);
  }
}
