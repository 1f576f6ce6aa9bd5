import { writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { testNats } from '@mentorhub/testing';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { connectNats, natsServerConfig } from '../src/index.js';

const subject = 'rpc.chat.messages.added';
let nats: Awaited<ReturnType<typeof testNats>>;
let file: string;
let text: string;

beforeAll(async () => {
  nats = await testNats({
    config: (port, storeDirectory) => {
      file = join(dirname(storeDirectory), 'nats.conf');
      text = natsServerConfig({
        users: { 'chat-gateway': 'secret', chat: 'secret' },
        port,
        storeDirectory,
      });
      return text;
    },
  });
});

afterAll(() => nats.stop());

it('a server takes up new permissions without ending connections', async () => {
  const open = (service: string) =>
    connectNats({ service, connection: { servers: nats.url, user: service, pass: 'secret' } });
  const [sender, receiver] = await Promise.all([open('chat-gateway'), open('chat')]);
  const seen: string[] = [];
  void (async () => {
    for await (const status of sender.status()) seen.push(status.type);
  })();
  let received = 0;
  receiver.subscribe(subject, { callback: () => void (received += 1) });
  await receiver.flush();
  sender.publish(subject, '{}');
  await expect.poll(() => seen).toEqual(['error']);
  expect(received).toBe(0);

  await writeFile(
    file,
    text.replace('rpc.chat.messages.post"', `rpc.chat.messages.post", "${subject}"`),
  );
  process.kill(nats.pid, 'SIGHUP');
  const arrives = async (): Promise<number> => {
    sender.publish(subject, '{}');
    await sender.flush();
    return received;
  };
  await expect.poll(arrives).toBeGreaterThan(0);
  expect(seen).not.toContain('disconnect');
  await Promise.all([sender.close(), receiver.close()]);
});
