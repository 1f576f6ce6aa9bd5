import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { text } from 'node:stream/consumers';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { SendgridTransport } from './sendgrid-transport.js';

interface Received {
  path?: string;
  authorization?: string;
  body: Record<string, unknown>;
}

describe('the SendGrid transport', () => {
  let server: Server;
  let received: Received[];
  let reply: (response: ServerResponse) => void;
  let transport: SendgridTransport;

  beforeEach(async () => {
    received = [];
    reply = (response) => response.writeHead(202).end();
    server = createServer((request: IncomingMessage, response) => {
      void receive(request, response);
    });
    await new Promise<void>((resolve) => {
      server.listen(0, '127.0.0.1', resolve);
    });
    transport = new SendgridTransport({
      apiKey: 'SG.test',
      from: 'MentorHub <no-reply@mentorhub.example>',
      apiUrl: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
      timeoutMs: 300,
    });
  });

  afterEach(() => {
    server.closeAllConnections();
    server.close();
  });

  async function receive(request: IncomingMessage, response: ServerResponse): Promise<void> {
    received.push({
      path: request.url,
      authorization: request.headers.authorization,
      body: JSON.parse(await text(request)) as Record<string, unknown>,
    });
    reply(response);
  }

  const mail = {
    id: '42',
    to: { name: 'Ada Lovelace', address: 'ada@example.com' },
    subject: 'Hello',
    text: 'Hello Ada',
    html: '<p>Hello Ada</p>',
  };

  const failure = () => transport.send(mail).then(undefined, (error: unknown) => error);

  it('hands the mail over, without tracking that would rewrite its links', async () => {
    await transport.send(mail);
    expect(received).toEqual([
      {
        path: '/v3/mail/send',
        authorization: 'Bearer SG.test',
        body: expect.objectContaining({
          from: { name: 'MentorHub', email: 'no-reply@mentorhub.example' },
          personalizations: [
            expect.objectContaining({
              to: [{ name: 'Ada Lovelace', email: 'ada@example.com' }],
            }),
          ],
          custom_args: { mail_id: '42' },
          subject: 'Hello',
          content: [
            { type: 'text/plain', value: 'Hello Ada' },
            { type: 'text/html', value: '<p>Hello Ada</p>' },
          ],
          tracking_settings: {
            click_tracking: { enable: false },
            open_tracking: { enable: false },
          },
        }),
      },
    ]);
  });

  it('a mail that SendGrid does not accept is refused for good', async () => {
    reply = (response) =>
      response
        .writeHead(400, { 'content-type': 'application/json' })
        .end('{"errors":[{"message":"ada@example.com is bad"}]}');
    expect(await failure()).toMatchObject({ name: 'MailRefused', code: 'SendGrid 400' });
  });

  it.each([401, 429, 500, 503])('an answer %i is worth another attempt', async (status) => {
    reply = (response) => response.writeHead(status).end();
    const error = await failure();
    expect(error).toMatchObject({ name: 'Error', code: `SendGrid ${status}` });
  });

  it('a server that does not answer is given up after the time limit', async () => {
    reply = () => undefined;
    expect(await failure()).toMatchObject({ name: 'Error', code: 'SendGrid ECONNABORTED' });
  });

  it('errors contain neither the address nor the key', async () => {
    reply = (response) =>
      response
        .writeHead(500, { 'content-type': 'application/json' })
        .end('{"errors":[{"message":"ada@example.com"}]}');
    const error = await failure();
    const serialized = JSON.stringify(error, Object.getOwnPropertyNames(error));
    expect(serialized).not.toMatch(/ada@example\.com|SG\.test/);
  });
});
