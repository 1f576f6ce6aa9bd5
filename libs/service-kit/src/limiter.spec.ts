import { expect, it } from 'vitest';
import { Limiter } from './limiter.js';

/** Works that end when the test ends them, and which of them have started. */
function works(limiter: Limiter<string>) {
  const started: string[] = [];
  const ends = new Map<string, () => void>();
  return {
    started,
    run: (key: string, name: string): Promise<void> =>
      limiter.run(key, () => {
        started.push(name);
        return new Promise((resolve) => ends.set(name, resolve));
      }),
    async end(name: string): Promise<void> {
      ends.get(name)?.();
      await new Promise(setImmediate);
    },
  };
}

it('runs so many at once, and starts the others in their order', async () => {
  const { run, end, started } = works(new Limiter({ total: 2, perKey: 2 }));
  for (const name of ['a', 'b', 'c', 'd']) void run(name, name);
  expect(started).toEqual(['a', 'b']);
  await end('b');
  await end('a');
  expect(started).toEqual(['a', 'b', 'c', 'd']);
});

it('lets others pass those whose key has its share', async () => {
  const { run, end, started } = works(new Limiter({ total: 2, perKey: 1 }));
  for (const name of ['a1', 'a2', 'a3', 'b1', 'b2']) void run(name.slice(0, 1), name);
  expect(started).toEqual(['a1', 'b1']);
  await end('b1');
  expect(started).toEqual(['a1', 'b1', 'b2']);
  await end('a1');
  expect(started).toEqual(['a1', 'b1', 'b2', 'a2']);
});

it('goes on after a work that failed', async () => {
  const limiter = new Limiter<string>({ total: 1, perKey: 1 });
  const failed = limiter.run('a', () => Promise.reject(new Error('no')));
  const next = limiter.run('a', () => Promise.resolve('yes'));
  await expect(failed).rejects.toThrow('no');
  expect(await next).toBe('yes');
});
