import assert from 'node:assert/strict';
import test from 'node:test';

import { ask, client, MODEL, user, WEATHER } from './service.mjs';

const ASKS_FOR_TWO = 'call get_weather {"city": "Rome"}\ncall get_weather {"city": "Oslo"}';

const runnable = (asked) => ({
  ...WEATHER,
  function: {
    ...WEATHER.function,
    parse: JSON.parse,
    function: ({ city }) => {
      asked.push(city);
      return `sunny in ${city}`;
    },
  },
});

test('tools of the client make the round trip', async () => {
  const first = await ask(ASKS_FOR_TWO, { tools: [WEATHER] });
  const { message, finish_reason: reason } = first.choices[0];
  assert.equal(reason, 'tool_calls');
  assert.equal(message.content, null);
  assert.deepEqual(
    message.tool_calls.map((call) => JSON.parse(call.function.arguments)),
    [{ city: 'Rome' }, { city: 'Oslo' }],
  );
  const results = message.tool_calls.map((call, at) => ({
    role: 'tool',
    tool_call_id: call.id,
    content: `weather ${at}`,
  }));
  const second = await client.chat.completions.create({
    model: MODEL,
    messages: [user(ASKS_FOR_TWO), message, ...results],
    tools: [WEATHER],
  });
  assert.equal(second.choices[0].message.content, 'The tools said:\n- weather 0\n- weather 1');
});

test('runTools calls the functions and ends with the answer', async () => {
  const asked = [];
  const runner = client.chat.completions.runTools({
    model: MODEL,
    messages: [user(ASKS_FOR_TWO)],
    tools: [runnable(asked)],
  });
  assert.match(await runner.finalContent(), /sunny in Rome\n- sunny in Oslo/);
  assert.deepEqual(asked, ['Rome', 'Oslo']);
});

test('runTools does the same streamed', async () => {
  const asked = [];
  const runner = client.chat.completions.runTools({
    model: MODEL,
    messages: [user('call get_weather {"city": "Rome"}')],
    tools: [runnable(asked)],
    stream: true,
  });
  assert.equal(await runner.finalContent(), 'The tool said: sunny in Rome');
  assert.deepEqual(asked, ['Rome']);
});

test('our calculator answers without the client seeing a call', async () => {
  const completion = await ask('What is 17 * 23?');
  assert.match(completion.choices[0].message.content, /391/);
  assert.equal(completion.choices[0].message.tool_calls, undefined);
  assert.equal(completion.choices[0].finish_reason, 'stop');
});

test('our calculator is as invisible to the stream helper', async () => {
  const stream = client.chat.completions.stream({
    model: MODEL,
    messages: [user('What is 17 * 23?')],
  });
  const final = await stream.finalChatCompletion();
  assert.match(final.choices[0].message.content, /391/);
  assert.equal(final.choices[0].message.tool_calls, undefined);
  assert.equal(final.choices[0].message.role, 'assistant');
});
