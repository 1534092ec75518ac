// What the scripts share: a client of the service, the simulator's controls, messages.

import { afterEach } from 'node:test';
import OpenAI from 'openai';

const { YYCHAT_URL, SIMULATOR_URL } = process.env;

export const MODEL = 'simulated';

export const WEATHER = {
  type: 'function',
  function: {
    name: 'get_weather',
    description: 'The weather in a city',
    parameters: {
      type: 'object',
      properties: { city: { type: 'string' } },
      required: ['city'],
    },
  },
};

// A client that does not try again by itself.
export const client = new OpenAI({ baseURL: `${YYCHAT_URL}/v1`, apiKey: 'any', maxRetries: 0 });

export const user = (content) => ({ role: 'user', content });

export const ask = (content, fields = {}) =>
  client.chat.completions.create({ model: MODEL, messages: [user(content)], ...fields });

// Order faults of the upstream; they end with the test.
export const faults = (ordered) =>
  fetch(`${SIMULATOR_URL}/control`, {
    method: 'PUT',
    body: JSON.stringify(ordered),
  });

export const stats = async () => (await fetch(`${SIMULATOR_URL}/control/stats`)).json();

export const lastAsked = async () => (await (await fetch(`${SIMULATOR_URL}/control/last`)).json()).chat.body;

export async function eventually(isTrue) {
  const ends = Date.now() + 10_000;
  while (!(await isTrue())) {
    if (Date.now() > ends) throw new Error('it did not become true within 10 s');
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

afterEach(() => fetch(`${SIMULATOR_URL}/control`, { method: 'DELETE' }));
