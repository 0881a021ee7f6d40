// The official OpenAI SDK of Node against a gateway: argument 1 is its address. Prints "ok" for every case that holds.
import assert from "node:assert/strict";
import OpenAI from "openai";

const client = new OpenAI({ baseURL: `${process.argv[2]}/openai/v1`, apiKey: "none", maxRetries: 0 });
const parameters = {
  type: "object",
  properties: { city: { type: "string" } },
  required: ["city"],
  additionalProperties: false,
};
const person = {
  type: "object",
  properties: { name: { type: "string" }, age: { type: "integer" } },
  required: ["name", "age"],
  additionalProperties: false,
};
const tool = { type: "function", name: "get_weather", parameters, strict: true };
const chatTool = { type: "function", function: { name: "get_weather", parameters, strict: true } };
const hello = "You said 'Hello'; I remember 1.";
const weather = "Rome: sun; Oslo: sun";
const cities = ["Rome", "Oslo"];

const cases = {
  async "chat: create"(model) {
    const messages = [{ role: "user", content: "Hello" }];
    const answer = await client.chat.completions.create({ model: `tensorzero::model_name::${model}`, messages });
    assert.equal(answer.choices[0].message.content, hello);
    assert.equal(answer.usage.total_tokens, 15);
  },

  async "chat: stream"(model) {
    const messages = [{ role: "user", content: "Hello" }];
    const stream = client.chat.completions.stream({ model: `tensorzero::model_name::${model}`, messages });
    let text = "";
    for await (const chunk of stream) text += chunk.choices[0]?.delta?.content ?? "";
    assert.equal(text, hello);
    assert.equal((await stream.finalChatCompletion()).choices[0].message.content, hello);
  },

  async "chat: tools"(model) {
    const asked = [];
    const run = client.chat.completions.runTools({
      model: `tensorzero::model_name::${model}`,
      messages: [{ role: "user", content: "The weather?" }],
      tools: [
        {
          type: "function",
          function: {
            name: "get_weather",
            description: "The weather of a city.",
            parameters,
            parse: JSON.parse,
            function: ({ city }) => {
              asked.push(city);
              return `${city}: sun`;
            },
          },
        },
      ],
    });
    assert.equal(await run.finalContent(), weather);
    assert.deepEqual(asked, cities);
  },

  async "chat: streamed tools"(model) {
    // The SDK's helper takes a call for whole once a piece of another comes, whatever the provider does.
    for (const question of ["The weather?", "The weather, in order?"]) {
      const messages = [{ role: "user", content: question }];
      const asked = { model: `tensorzero::model_name::${model}`, tools: [chatTool] };
      const done = [];
      const stream = client.chat.completions.stream({ ...asked, messages });
      stream.on("tool_calls.function.arguments.done", (event) => done.push(JSON.parse(event.arguments).city));
      const { message } = (await stream.finalChatCompletion()).choices[0];
      assert.deepEqual(message.tool_calls.map((call) => JSON.parse(call.function.arguments).city), cities);
      assert.deepEqual(done, cities);
      messages.push(message);
      message.tool_calls.forEach((call, at) =>
        messages.push({ role: "tool", tool_call_id: call.id, content: `${cities[at]}: sun` }),
      );
      const again = await client.chat.completions.stream({ ...asked, messages }).finalContent();
      assert.equal(again, weather);
    }
  },

  async "chat: parse"(model) {
    const answer = await client.chat.completions.parse({
      model: `tensorzero::model_name::${model}`,
      messages: [{ role: "user", content: "Who?" }],
      response_format: { type: "json_schema", json_schema: { name: "person", schema: person, strict: true } },
    });
    assert.deepEqual(JSON.parse(answer.choices[0].message.content), { name: "Ada", age: 36 });
  },

  async "responses: create"(model) {
    const answer = await client.responses.create({ model, input: "Hello", instructions: "Be kind." });
    assert.equal(answer.output_text, hello);
    assert.equal(answer.status, "completed");
    assert.equal(answer.usage.total_tokens, 15);
    const again = await client.responses.retrieve(answer.id);
    assert.equal(again.output_text, hello);
  },

  async "responses: stream"(model) {
    const stream = client.responses.stream({ model, input: "Hello" });
    const numbers = [];
    let text = "";
    for await (const event of stream) {
      numbers.push(event.sequence_number);
      if (event.type === "response.output_text.delta") text += event.delta;
    }
    assert.equal(text, hello);
    assert.deepEqual(numbers, [...numbers.keys()]);
    assert.equal((await stream.finalResponse()).output_text, hello);
  },

  async "responses: raw stream"(model) {
    const kinds = [];
    for await (const event of await client.responses.create({ model, input: "Hello", stream: true })) {
      kinds.push(event.type);
    }
    assert.equal(kinds[0], "response.created");
    assert.equal(kinds.at(-1), "response.completed");
  },

  async "responses: tools and previous_response_id"(model) {
    const stream = client.responses.stream({ model, input: "The weather?", tools: [tool] });
    const first = await stream.finalResponse();
    const calls = first.output.filter((item) => item.type === "function_call");
    assert.deepEqual(calls.map((call) => JSON.parse(call.arguments).city), cities);
    const results = calls.map((call, at) => ({
      type: "function_call_output",
      call_id: call.call_id,
      output: `${cities[at]}: sun`,
    }));
    const second = await client.responses.create({
      model,
      input: results,
      tools: [tool],
      previous_response_id: first.id,
    });
    assert.equal(second.output_text, weather);
  },

  async "responses: parse"(model) {
    const answer = await client.responses.parse({
      model,
      input: "Who?",
      text: { format: { type: "json_schema", name: "person", schema: person, strict: true } },
    });
    assert.deepEqual(JSON.parse(answer.output_text), { name: "Ada", age: 36 });
  },

  async "errors are the SDK's own"(model) {
    const previous = "resp_0196ffff-0000-7000-8000-000000000000";
    await assert.rejects(client.responses.create({ model, input: "x", previous_response_id: previous }), (error) => {
      assert.ok(error instanceof OpenAI.NotFoundError);
      assert.equal(error.code, "previous_response_not_found");
      return true;
    });
  },
};

for (const model of process.argv.slice(3)) {
  for (const [name, check] of Object.entries(cases)) {
    await check(model);
    console.log(`ok ${model} ${name}`);
  }
}
