import { mkdtemp, readdir, rm, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { LogTransport } from './log-transport.js';

const mail = (subject: string, address = 'ada@example.com') => ({
  id: '1',
  to: { name: 'Ada', address },
  subject,
  text: 'text',
  html: '<p>html</p>',
});

describe('the transport that keeps mails', () => {
  let directory: string;

  beforeEach(async () => {
    directory = await mkdtemp(join(tmpdir(), 'mentorhub-mail-'));
  });

  afterEach(() => rm(directory, { recursive: true, force: true }));

  it('shows what was sent, all of it or what went to one address', async () => {
    const transport = new LogTransport(join(directory, 'new', 'folder'));
    await transport.send(mail('one'));
    await transport.send(mail('two', 'Grace@example.com'));

    const [found, ...others] = await transport.list('grace@example.com');
    expect(others).toEqual([]);
    expect(found).toMatchObject({
      to: 'Grace@example.com',
      subject: 'two',
      text: 'text',
      html: '<p>html</p>',
      sent_at: expect.stringMatching(/Z$/),
    });
    expect(await transport.list()).toHaveLength(2);
    expect(await transport.list('nobody@example.com')).toEqual([]);
  });

  it('has nothing to show before the first mail', async () => {
    await expect(new LogTransport(join(directory, 'absent')).list()).resolves.toEqual([]);
  });

  it('keeps no more than it may, also when several processes write', async () => {
    const [one, other] = [new LogTransport(directory, 5), new LogTransport(directory, 5)];
    await Promise.all(
      Array.from({ length: 20 }, (_, index) =>
        (index % 2 ? one : other).send(mail(`mail ${index}`)),
      ),
    );
    await one.send(mail('the last'));
    expect(await readdir(directory)).toHaveLength(5);
  });

  it('lets nobody else on the machine read them', async () => {
    const transport = new LogTransport(directory);
    await transport.send(mail('secret'));
    const [name = ''] = await readdir(directory);
    expect((await stat(join(directory, name))).mode & 0o077).toBe(0);
  });
});
