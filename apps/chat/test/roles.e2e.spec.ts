import { randomUUID } from 'node:crypto';
import { Messages, notificationCreated } from '@mentorhub/contracts';
import { requestContext } from '@mentorhub/messaging';
import { type TestRoles, testRoles } from '@mentorhub/testing';
import { jetstream } from '@nats-io/jetstream';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { caller, startChat, type TestChat } from './harness.js';

describe('chat by a role that has the rows of the database alone', () => {
  let chat: TestChat;
  let roles: TestRoles;

  beforeAll(async () => {
    chat = await startChat('chat_roles', async (database) => {
      roles = await testRoles(database);
      return {
        DATABASE_URL_CHAT: roles.serviceUrl,
        DATABASE_DIRECT_URL_CHAT: roles.serviceUrl,
        MIGRATION_DATABASE_URL_CHAT: roles.ownerUrl,
      };
    });
  });

  afterAll(async () => {
    await chat?.stop();
    await roles?.drop();
  });

  const send = (text: string) =>
    requestContext.run({ requestId: randomUUID(), idempotencyKey: text }, () =>
      chat.requests.request(Messages.send, caller(1), { recipient_id: 2, text }),
    );

  /** What the relay has not published yet. */
  const unpublished = async (): Promise<number> => {
    const [row] = await chat.sql.query<{ count: number }[]>(
      'SELECT count(*)::int AS count FROM outbox WHERE published_at IS NULL',
    );
    return row?.count ?? -1;
  };

  it('cannot change a table', async () => {
    for (const statement of ['ALTER TABLE messages ADD COLUMN x text', 'CREATE TABLE x (id int)']) {
      await expect(chat.sql.query(statement)).rejects.toThrow(/must be owner|permission denied/);
    }
  });

  it('stores messages, once for a key, and publishes their events', async () => {
    const first = await send('hello');
    expect(await send('hello')).toEqual(first);
    const ack = await chat.post(2, { recipient_id: 1, text: 'and you' });
    expect(ack).toMatchObject({ offset: 2 });
    await chat.requests.request(Messages.read, caller(2), { id: first.id });
    await expect.poll(unpublished, { timeout: 10_000 }).toBe(0);
  });

  it('handles the events of others, also in the process that takes over', async () => {
    const second = await chat.startReplica();
    await chat.service.close();
    const envelope = {
      id: randomUUID(),
      type: notificationCreated.type,
      occurred_at: new Date().toISOString(),
      aggregate_id: '5',
      version: 1,
      data: { user_id: 3, notification: { id: 5 }, unread_count: 1 },
    };
    const frames = chat.listen(3).frames;
    await chat.connection.flush();
    await vi.waitFor(
      () =>
        jetstream(chat.connection).publish(notificationCreated.subject, JSON.stringify(envelope)),
      10_000,
    );
    await expect.poll(() => frames, { timeout: 10_000 }).toHaveLength(1);
    await second.close();
  });
});
