// Vercel's AI SDK, unmodified, on each of the gateway's public dialects. Argument 1 is the gateway's address, the others
// are models, one a provider. Prints "ok" for every case that holds.
import assert from "node:assert/strict";
import { createAnthropic } from "@ai-sdk/anthropic";
import { createOpenAI } from "@ai-sdk/openai";
import { createOpenAICompatible } from "@ai-sdk/openai-compatible";
import { APICallError, Output, generateText, isStepCount, streamText, tool } from "ai";
import { z } from "zod";

const [url, ...models] = process.argv.slice(2);
const openai = createOpenAI({ baseURL: `${url}/openai/v1`, apiKey: "none" });
const compatible = createOpenAICompatible({
  name: "gateway",
  baseURL: `${url}/openai/v1`,
  apiKey: "none",
  includeUsage: true,
  supportsStructuredOutputs: true,
});
const anthropic = createAnthropic({ baseURL: `${url}/v1`, apiKey: "none" });
const dialects = {
  chat: (model) => openai.chat(`tensorzero::model_name::${model}`),
  compatible: (model) => compatible.chatModel(`tensorzero::model_name::${model}`),
  responses: (model) => openai.responses(model),
  messages: (model) => anthropic.messages(model),
};

const cities = ["Rome", "Oslo"];
const weather = "Rome: sun; Oslo: sun";
const person = Output.object({ schema: z.object({ name: z.string(), age: z.number() }) });

function asked() {
  const called = [];
  const get_weather = tool({
    description: "The weather of a city.",
    inputSchema: z.object({ city: z.string() }),
    execute: async ({ city }) => {
      called.push(city);
      return `${city}: sun`;
    },
  });
  return { called, fields: { tools: { get_weather }, stopWhen: isStepCount(3), maxRetries: 0 } };
}

function checkLoop(called, steps, text) {
  assert.deepEqual(called, cities);
  assert.equal(steps.length, 2);
  assert.equal(steps[0].finishReason, "tool-calls");
  assert.equal(steps[0].text, "Let me look.");
  assert.deepEqual(steps[0].toolCalls.map((call) => call.input.city), cities);
  assert.equal(steps[1].finishReason, "stop");
  assert.equal(text, weather);
}

const cases = {
  async plain(model) {
    const answer = await generateText({ model, prompt: "Hello", maxRetries: 0 });
    assert.equal(answer.text, "You said 'Hello'; I remember 1.");
    assert.deepEqual([answer.usage.inputTokens, answer.usage.outputTokens], [10, 5]);
    assert.equal(answer.finishReason, "stop");
  },

  async "plain stream"(model) {
    const stream = streamText({ model, prompt: "Hello", maxRetries: 0 });
    let text = "";
    for await (const piece of stream.textStream) text += piece;
    assert.equal(text, "You said 'Hello'; I remember 1.");
    const usage = await stream.usage;
    assert.deepEqual([usage.inputTokens, usage.outputTokens], [10, 5]);
  },

  async "a conversation with parallel tools"(model) {
    const { called, fields } = asked();
    const messages = [{ role: "user", content: "The weather?" }];
    const first = await generateText({ model, messages, ...fields });
    checkLoop(called, first.steps, first.text);
    // The conversation goes on after the tools.
    const turn = [...messages, ...first.responseMessages, { role: "user", content: "Thanks" }];
    const second = await generateText({ model, messages: turn, ...fields });
    assert.equal(second.text, "You said 'Thanks'; I remember 2.");
  },

  async "a streamed conversation with parallel tools"(model) {
    const { called, fields } = asked();
    const messages = [{ role: "user", content: "The weather?" }];
    const errors = [];
    const first = streamText({ model, messages, ...fields, onError: ({ error }) => errors.push(error) });
    const begun = [];
    for await (const part of first.fullStream) {
      if (part.type === "tool-input-start") begun.push(part.toolName);
    }
    assert.deepEqual(errors, []);
    assert.deepEqual(begun, ["get_weather", "get_weather"]);
    checkLoop(called, await first.steps, await first.text);
    const turn = [...messages, ...(await first.responseMessages), { role: "user", content: "Thanks" }];
    const second = streamText({ model, messages: turn, ...fields });
    assert.equal(await second.text, "You said 'Thanks'; I remember 2.");
  },

  async "structured output"(model) {
    // Of models that it does not know by name, the SDK thinks that they cannot do it.
    const providerOptions = { anthropic: { structuredOutputMode: "outputFormat" } };
    const asked = { model, prompt: "Who?", output: person, maxRetries: 0, providerOptions };
    const answer = await generateText(asked);
    assert.deepEqual(answer.output, { name: "Ada", age: 36 });
    const stream = streamText(asked);
    assert.deepEqual(await stream.output, { name: "Ada", age: 36 });
  },
};

for (const [dialect, speak] of Object.entries(dialects)) {
  for (const model of models) {
    for (const [name, check] of Object.entries(cases)) {
      try {
        await check(speak(model));
      } catch (error) {
        const detail = APICallError.isInstance(error) ? `: ${error.responseBody}` : "";
        throw new Error(`${dialect} ${model} ${name}${detail}`, { cause: error });
      }
      console.log(`ok ${dialect} ${model} ${name}`);
    }
  }
  await assert.rejects(generateText({ model: speak("nobody"), prompt: "x", maxRetries: 0 }), (error) => {
    assert.ok(APICallError.isInstance(error));
    assert.ok([400, 404].includes(error.statusCode));
    assert.match(error.message, /nobody/);
    return true;
  });
  console.log(`ok ${dialect} errors are the SDK's own`);
}
