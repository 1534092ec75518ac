import assert from 'node:assert/strict';
import test from 'node:test';
import OpenAI from 'openai';

import { ask, client, eventually, faults, MODEL, stats, user } from './service.mjs';

// That *promise* fails with an error of *kind*, which has at least these *facts*.
async function fails(promise, kind, facts) {
  const error = await promise.then(
    () => assert.fail('it did not fail'),
    (reason) => reason,
  );
  assert.ok(error instanceof kind, `${error.constructor.name}: ${error.message}`);
  for (const [name, value] of Object.entries(facts)) assert.equal(error[name], value, name);
  return error;
}

test('a bad request names the field', async () => {
  const facts = { status: 400, param: 'temperature', code: 'invalid_value' };
  const error = await fails(ask('hi', { temperature: 5 }), OpenAI.BadRequestError, facts);
  assert.ok(error.requestID);
});

test('a refusal of the upstream keeps its param and code', async () => {
  await faults({ context_tokens: 2 });
  const facts = { param: 'messages', code: 'context_length_exceeded' };
  await fails(ask('say hi'), OpenAI.BadRequestError, facts);
});

test('an unknown model is not found, streamed or not', async () => {
  const facts = { status: 404, param: 'model', code: 'model_not_found' };
  await fails(ask('hi', { model: 'gpt-nonsense' }), OpenAI.NotFoundError, facts);
  await fails(ask('hi', { model: 'gpt-nonsense', stream: true }), OpenAI.NotFoundError, facts);
  await fails(client.models.retrieve('gpt-nonsense'), OpenAI.NotFoundError, { status: 404 });
});

test('a rate limit says when to come back', async () => {
  await faults({ error_rate: 1, error_status: 429, retry_after: 7 });
  const error = await fails(ask('say hi'), OpenAI.RateLimitError, { status: 429 });
  assert.equal(error.headers.get('retry-after'), '7');
});

test('a failing upstream is a 502 that one retry of the SDK mends', async () => {
  await faults({ fail_next: 2, error_rate: 1, error_status: 503 });
  await fails(ask('say hi'), OpenAI.InternalServerError, { status: 502, type: 'upstream_error' });
  const retrying = client.withOptions({ maxRetries: 1 });
  const completion = await retrying.chat.completions.create({
    model: MODEL,
    messages: [user('say hi')],
  });
  assert.equal(completion.choices[0].message.content, 'hi');
});

test('a client out of patience gets its own timeout', async () => {
  await faults({ hang_before_first_byte: true });
  const hasty = client.withOptions({ timeout: 200 });
  const asked = hasty.chat.completions.create({ model: MODEL, messages: [user('say hi')] });
  await fails(asked, OpenAI.APIConnectionTimeoutError, {});
});

test('a stream that breaks midway throws after what it brought', async () => {
  await faults({ token_ms: 20, cut_after_chunks: 10 });
  const heard = [];
  async function listen() {
    for await (const chunk of await ask('write 50 words', { stream: true })) {
      heard.push(chunk.choices[0]?.delta.content ?? '');
    }
  }
  await fails(listen(), OpenAI.APIError, { code: 'upstream_protocol', type: 'upstream_error' });
  assert.match(heard.join(''), /^the quick/);
});

test('a stream aborted midway frees the upstream', async () => {
  await faults({ token_ms: 20 });
  const stream = await ask('write 5000 words', { stream: true });
  let heard = 0;
  for await (const chunk of stream) {
    heard += chunk.choices.length;
    if (heard === 3) stream.controller.abort();
  }
  assert.ok(heard >= 3);
  await eventually(async () => (await stats()).in_flight === 0);
  assert.equal((await stats()).disconnects, 1);
});
