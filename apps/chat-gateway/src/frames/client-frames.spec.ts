import { describe, expect, it } from 'vitest';
import { parseFrame } from './client-frames.js';

function refusal(text: string): { code: string; detail: string; clientId?: string } {
  try {
    parseFrame(text);
  } catch (error) {
    return error as { code: string; detail: string; clientId?: string };
  }
  throw new Error(`${text} was accepted`);
}

function parse(fields: object) {
  return parseFrame(JSON.stringify({ type: 'message', ...fields }));
}

describe('a message frame', () => {
  it('has a place, a text under either name, and a client_id at will', () => {
    expect(parse({ recipient_id: 2, content: 'hi' })).toEqual({
      type: 'message',
      recipient_id: 2,
      text: 'hi',
    });
    expect(parse({ chat_id: 3, text: 'hi', client_id: 'c' })).toEqual({
      type: 'message',
      chat_id: 3,
      text: 'hi',
      client_id: 'c',
    });
    expect(parse({ chat_id: 3, text: 'x'.repeat(4000) })).toMatchObject({ chat_id: 3 });
    expect(parse({ chat_id: 3, text: '😀'.repeat(4000) })).toMatchObject({ chat_id: 3 });
  });

  it.each<[string, object]>([
    ['recipient_id or chat_id', { content: 'hi' }],
    ['recipient_id or chat_id', { content: 'hi', recipient_id: 1, chat_id: 1 }],
    ['recipient_id must be a whole number', { content: 'hi', recipient_id: '1' }],
    ['recipient_id must be a whole number', { content: 'hi', recipient_id: 1.5 }],
    ['recipient_id must be a whole number', { content: 'hi', recipient_id: 2_147_483_648 }],
    ['chat_id must be a whole number', { content: 'hi', chat_id: 0 }],
    ['chat_id must be a whole number', { content: 'hi', chat_id: null }],
    ['content must be a text', { chat_id: 1 }],
    ['content must be a text', { chat_id: 1, content: 5 }],
    ['content must have 1 to 4000', { chat_id: 1, content: '' }],
    ['text must have 1 to 4000', { chat_id: 1, text: 'x'.repeat(4001) }],
    ['text must have 1 to 4000', { chat_id: 1, text: '😀'.repeat(4001) }],
    ['content must not be blank', { chat_id: 1, content: ' \n\u200B' }],
    ['content must not contain', { chat_id: 1, content: 'a\0b' }],
    ['half a character', { chat_id: 1, content: 'a\ud800' }],
    ['half a character', { chat_id: 1, content: 'a', client_id: '\udc00' }],
    ['not both', { chat_id: 1, content: 'a', text: 'a' }],
    ['client_id must have 1 to 64', { chat_id: 1, content: 'a', client_id: 'x'.repeat(65) }],
    ['client_id must have 1 to 64', { chat_id: 1, content: 'a', client_id: '' }],
    ['no such field', { chat_id: 1, content: 'a', sender_id: 1 }],
  ])('is refused with the fix: %s', (detail, fields) => {
    const error = refusal(JSON.stringify({ type: 'message', ...fields }));
    expect(error.code).toBe('validation');
    expect(error.detail).toContain(detail);
  });
});

it('echoes a client_id that could be one', () => {
  expect(refusal('{"type":"message","client_id":"c1"}').clientId).toBe('c1');
  expect(refusal('{"type":"message","client_id":{}}').clientId).toBeUndefined();
});

it.each(['', 'null', '7', '[]', '"text"', '{}', '{"type":1}', '{"type":'])(
  'calls %s malformed',
  (text) => {
    expect(refusal(text).code).toBe('malformed');
  },
);

it.each(['{"type":"constructor"}', '{"type":"__proto__"}', '{"type":"Message"}'])(
  'does not know the type of %s',
  (text) => {
    expect(refusal(text).code).toBe('unknown_type');
  },
);

it('reads the other frames', () => {
  const epoch = '0b9c3a52-6f0e-4d7e-9d5c-0f4d5f6a7b8c';
  expect(parseFrame('{"type":"ping"}')).toEqual({ type: 'ping' });
  expect(parseFrame('{"type":"read","message_id":5}')).toEqual({ type: 'read', message_id: 5 });
  expect(parseFrame(`{"type":"resume","epoch":"${epoch}","offset":0}`)).toEqual({
    type: 'resume',
    epoch,
    offset: 0,
  });
  expect(refusal('{"type":"resume","epoch":"x","offset":0}').code).toBe('validation');
  expect(refusal(`{"type":"resume","epoch":"${epoch}","offset":-1}`).code).toBe('validation');
});
