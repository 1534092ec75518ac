import assert from 'node:assert/strict';
import test from 'node:test';

import { ask, client, lastAsked, MODEL, user } from './service.mjs';

const PIXEL = 'data:image/png;base64,iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg==';
const MIXED = '你好，世界！ 🦜👩‍👩‍👧 Ünïcödé "quotes" \\n naïve';

test('a completion has its words, its reason and its usage', async () => {
  const completion = await ask('say hello there');
  const [choice] = completion.choices;
  assert.equal(choice.message.content, 'hello there');
  assert.equal(choice.message.role, 'assistant');
  assert.equal(choice.finish_reason, 'stop');
  assert.equal(
    completion.usage.total_tokens,
    completion.usage.prompt_tokens + completion.usage.completion_tokens,
  );
});

test('a stream brings the same words and ends with its usage', async () => {
  const stream = await ask(`say ${MIXED}`, {
    stream: true,
    stream_options: { include_usage: true },
  });
  const chunks = await collected(stream);
  const text = chunks.map((chunk) => chunk.choices[0]?.delta.content ?? '').join('');
  assert.equal(text, MIXED);
  assert.deepEqual(chunks.at(-1).choices, []);
  assert.ok(chunks.at(-1).usage.total_tokens > 0);
  assert.equal(new Set(chunks.map((chunk) => chunk.id)).size, 1);
});

test('the stream helper accumulates the final completion', async () => {
  const stream = client.chat.completions.stream({ model: MODEL, messages: [user('say one two')] });
  const heard = [];
  stream.on('content', (delta) => heard.push(delta));
  const final = await stream.finalChatCompletion();
  assert.equal(heard.join(''), 'one two');
  assert.equal(final.choices[0].message.content, 'one two');
  assert.equal(final.choices[0].message.role, 'assistant');
  assert.equal(final.choices[0].finish_reason, 'stop');
});

test('images and text parts go upstream unchanged', async () => {
  const message = user([
    { type: 'text', text: 'What is in this picture?' },
    { type: 'image_url', image_url: { url: PIXEL, detail: 'low' } },
  ]);
  const completion = await client.chat.completions.create({ model: MODEL, messages: [message] });
  assert.match(completion.choices[0].message.content, /images sent: 1/);
  assert.deepEqual((await lastAsked()).messages, [message]);
});

test('unknown fields reach the upstream and our own do not', async () => {
  await ask('say hi', { seed: 7, min_p: 0.05, conversation_id: 'node-own', use_tools: false });
  const asked = await lastAsked();
  assert.equal(asked.seed, 7);
  assert.equal(asked.min_p, 0.05);
  assert.ok(!('conversation_id' in asked || 'use_tools' in asked || 'tools' in asked));
});

test('a conversation is remembered without its history', async () => {
  const own = { conversation_id: 'node-memory' };
  await ask('My parrot is called Pieces.', own);
  const { data, response } = await ask('What is my parrot called?', own).withResponse();
  assert.match(data.choices[0].message.content, /Pieces/);
  assert.equal(response.headers.get('x-yychat-memory'), 'hit');
  assert.equal(response.headers.get('x-yychat-engine'), 'chat_engine');
  assert.ok(response.headers.get('x-request-id'));
});

test('a conversation is remembered through streams too', async () => {
  const own = { conversation_id: 'node-memory-streamed', stream: true };
  await collected(await ask('My parrot is called Pieces.', own));
  const chunks = await collected(await ask('What is my parrot called?', own));
  assert.match(chunks.map((chunk) => chunk.choices[0]?.delta.content ?? '').join(''), /Pieces/);
});

async function collected(stream) {
  const chunks = [];
  for await (const chunk of stream) chunks.push(chunk);
  return chunks;
}
