import type { IncomingMessage, ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { requestIdOf } from '@mentorhub/contracts';
import { createHttpServer, type HttpFailure, sendFailure } from '@mentorhub/http-server';
import { Logger } from '@nestjs/common';
import { register } from 'prom-client';
import type { Health } from './health.js';

export interface ManagementServer {
  readonly port: number;
  /** `http://host:port`. */
  readonly url: string;
  close(): Promise<void>;
}

interface Options {
  host: string;
  /** 0 takes a free one. */
  port: number;
  health: Health;
}

interface Answer {
  status: number;
  type: string;
  body: string;
}

function json(status: number, body: unknown): Answer {
  return { status, type: 'application/json; charset=utf-8', body: JSON.stringify(body) };
}

const methodNotAllowed: HttpFailure = {
  status: 405,
  code: 'MALFORMED_REQUEST',
  detail: 'The management port is for reading. Use GET.',
  headers: { Allow: 'GET, HEAD' },
};

const unknownPath: HttpFailure = {
  status: 404,
  code: 'NOT_FOUND',
  detail: 'There is nothing at this address. Try /health, /health/live, /health/ready or /metrics.',
};

const unexpected: HttpFailure = {
  status: 500,
  code: 'INTERNAL',
  detail: 'Something went wrong on our side. The log says what, under this request id.',
};

async function answer(method: string, path: string, health: Health): Promise<Answer | HttpFailure> {
  if (method !== 'GET' && method !== 'HEAD') return methodNotAllowed;
  switch (path) {
    case '/health':
      return json(200, await health.report());
    case '/health/live':
      // That this line runs is the answer: the event loop turns.
      return json(200, { status: 'up' });
    case '/health/ready': {
      const report = await health.report();
      return json(report.status === 'up' ? 200 : 503, report);
    }
    case '/metrics':
      return { status: 200, type: register.contentType, body: await register.metrics() };
    default:
      return unknownPath;
  }
}

/** Serves health and metrics on a port of its own, away from clients. */
export async function startManagementServer({
  host,
  port,
  health,
}: Options): Promise<ManagementServer> {
  const logger = new Logger('ManagementServer');
  const respond = async (request: IncomingMessage, response: ServerResponse): Promise<void> => {
    const requestId = requestIdOf(request);
    const path = (request.url ?? '/').split('?')[0] ?? '/';
    const result = await answer(request.method ?? 'GET', path, health).catch((error: unknown) => {
      logger.error('A request to the management port failed.', error, {
        request_id: requestId,
      });
      return unexpected;
    });
    if ('code' in result) {
      sendFailure(response, result, requestId);
      return;
    }
    const { status, type, body } = result;
    response.writeHead(status, { 'content-type': type, 'cache-control': 'no-store' });
    response.end(body);
  };
  const server = createHttpServer({}, (request, response) => void respond(request, response));
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(port, host, resolve);
  });
  const address = server.address() as AddressInfo;
  return {
    port: address.port,
    url: `http://${host.includes(':') ? `[${host}]` : host}:${address.port}`,
    close: async () => {
      server.closeAllConnections();
      await new Promise<void>((resolve) => server.close(() => resolve()));
    },
  };
}
