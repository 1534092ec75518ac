import assert from 'node:assert/strict';
import test from 'node:test';

import { client, MODEL } from './service.mjs';

test('models are listed and retrieved', async () => {
  const listed = await client.models.list();
  assert.ok(listed.data.some((model) => model.id === MODEL));
  assert.equal((await client.models.retrieve(MODEL)).object, 'model');
});

test('embeddings are the same by default, which is base64, and as floats', async () => {
  const asked = { model: 'simulated-embedding', input: ['the quick brown fox', '敏捷的狐狸 🦊'] };
  const packed = await client.embeddings.create(asked);
  const plain = await client.embeddings.create({ ...asked, encoding_format: 'float' });
  assert.deepEqual(packed.usage, plain.usage);
  packed.data.forEach(({ embedding }, at) => {
    assert.equal(embedding.length, 256);
    embedding.forEach((value, of) => {
      assert.ok(Math.abs(value - plain.data[at].embedding[of]) < 1e-6);
    });
  });
});
