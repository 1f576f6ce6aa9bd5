import { requestContext } from '@mentorhub/messaging/client';
import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { type KitLogger, openLogger } from './kit-logger.js';

async function open(
  level = 'trace',
): Promise<{ logger: KitLogger; lines: string[]; last: () => unknown }> {
  const lines: string[] = [];
  const logger = await openLogger({
    name: 'identity',
    level,
    format: 'json',
    destination: { write: (line) => void lines.push(line) },
  });
  return { logger, lines, last: () => JSON.parse(lines.at(-1) ?? 'null') as unknown };
}

describe('KitLogger', () => {
  it('writes a JSON line with level, time, service, context and message', async () => {
    const { logger, last } = await open();
    logger.log('Booked.', { booking_id: 7 }, 'BookingsService');
    expect(last()).toEqual({
      level: 'info',
      time: expect.stringMatching(/^\d{4}-\d\d-\d\dT[\d:.]+Z$/),
      service: 'identity',
      context: 'BookingsService',
      booking_id: 7,
      msg: 'Booked.',
    });
  });

  it('writes who asked, on every line of a request', async () => {
    const { logger, last } = await open();
    const caller = { user_id: 3, roles: [], session_id: 1 };
    requestContext.run({ requestId: 'r-1', caller }, () => logger.warn('Hm.', 'X'));
    expect(last()).toMatchObject({ level: 'warn', request_id: 'r-1', user_id: 3 });
  });

  it('writes an error beside a message, or as one', async () => {
    const { logger, last } = await open();
    logger.error('Mail was refused.', new Error('550'), 'Mailer');
    expect(last()).toMatchObject({ msg: 'Mail was refused.', err: { message: '550' } });
    logger.error(new Error('boom'));
    expect(last()).toMatchObject({ msg: 'boom', err: { type: 'Error', message: 'boom' } });
  });

  it('takes the stack that Nest passes as text', async () => {
    const { logger, last } = await open();
    logger.error('failed', 'Error: x\n    at y (z.js:1:1)', 'ExceptionsHandler');
    expect(last()).toMatchObject({
      msg: 'failed',
      context: 'ExceptionsHandler',
      stack: expect.stringContaining('at y'),
    });
  });

  it('lowers what Nest says about its wiring to debug', async () => {
    const { logger, lines } = await open('info');
    logger.log('AppModule dependencies initialized', 'InstanceLoader');
    expect(lines).toEqual([]);
  });

  it('lets no email address and no secret reach a line', async () => {
    const { logger, lines } = await open();
    const secret = fc.string({ minLength: 12, unit: fc.constantFrom('q', 'w', 'z', 'Q') });
    fc.assert(
      fc.property(fc.emailAddress(), secret, (address, value) => {
        lines.length = 0;
        logger.log(`mail ${address}`, { to: address, note: `see ${address}`, password: value });
        logger.error(new Error(`no ${address}`, { cause: new Error(`token=${value}`) }));
        logger.warn({ deep: [{ headers: { authorization: `Bearer ${value}` } }] }, 'Ctx');
        const all = lines.join('');
        expect(lines).toHaveLength(3);
        expect(all).not.toContain(address);
        expect(all).not.toContain(value);
      }),
    );
  });
});
