import { expect, it } from 'vitest';
import { type Waiting, WaitingMessages } from './waiting-messages.js';

function waiting(chatId: number, text: string): Waiting {
  return {
    message: { chat: { id: chatId, users: [1, 2] }, senderId: 1, text },
    resolve: () => undefined,
    reject: () => undefined,
  };
}

function texts(batch: readonly Waiting[]): string[] {
  return batch.map(({ message }) => message.text);
}

it('gives batches of 200, in the order of arrival', () => {
  const messages = new WaitingMessages();
  for (let number = 0; number < 250; number++) messages.push(waiting(1, `${number}`));
  expect(texts(messages.take(0))).toEqual(Array.from({ length: 200 }, (_, index) => `${index}`));
  expect(messages.take(0)).toHaveLength(50);
  expect(messages.size).toBe(0);
});

it('lets other chats overtake deferred messages, and nothing of their own chat', () => {
  const messages = new WaitingMessages();
  messages.defer([waiting(1, 'a'), waiting(1, 'b')], 0);
  messages.push(waiting(1, 'c'));
  messages.push(waiting(2, 'x'));
  expect(messages.pauseMs(0)).toBe(0);
  expect(texts(messages.take(0))).toEqual(['x']);
  expect(messages.take(5)).toEqual([]);
  expect(messages.pauseMs(5)).toBe(5);
  messages.push(waiting(1, 'd'));
  expect(texts(messages.take(10))).toEqual(['a', 'b', 'c', 'd']);
  expect(messages.size).toBe(0);
});

it('keeps room for others when very many are deferred, and gives every chat its turn', () => {
  const messages = new WaitingMessages();
  messages.defer(
    Array.from({ length: 150 }, (_, index) => waiting(1, `deferred ${index}`)),
    0,
  );
  messages.defer([waiting(3, 'of a third')], 0);
  for (let number = 0; number < 150; number++) messages.push(waiting(2, `free ${number}`));

  const batch = messages.take(10);
  expect(batch).toHaveLength(200);
  expect(texts(batch.slice(0, 2))).toEqual(['deferred 0', 'deferred 1']);
  expect(texts(batch.slice(100, 101))).toEqual(['free 0']);
  messages.defer(batch.slice(0, 100), 10);
  expect(texts(messages.take(20)).slice(0, 2)).toEqual(['of a third', 'deferred 0']);
});
