import {
  type Agent,
  type IncomingMessage,
  request as httpRequest,
  type ServerResponse,
} from 'node:http';
import { pipeline } from 'node:stream';
import { errorCode } from '../problem.js';
import { endToEndHeaders, forwardedHeaders, hasBody } from './headers.js';

/** Why a gateway gave no answer: it took no connection, said nothing for too long, or hung up. */
export type NoAnswer = 'refused' | 'silent' | 'broken';

export interface ForwardOptions {
  agent: Agent;
  /** A gateway that stays silent this long is given up, in milliseconds. */
  answerTimeoutMs: number;
  /** Called at most once, while the client can still be answered. */
  onNoAnswer: (reason: NoAnswer) => void;
}

/** Passes a request on to a gateway, and its answer back. */
export function forward(
  request: IncomingMessage,
  response: ServerResponse,
  url: string,
  { agent, answerTimeoutMs, onNoAnswer }: ForwardOptions,
): void {
  const { hostname, port } = new URL(url);
  const headers = forwardedHeaders(request);
  if (request.headers['transfer-encoding'] !== undefined) headers['transfer-encoding'] = 'chunked';
  const { method, url: path } = request;
  const outgoing = httpRequest({ agent, host: hostname, port, method, path, headers });
  let silent = false;
  outgoing.setTimeout(answerTimeoutMs, () => {
    silent = true;
    outgoing.destroy(new Error('The gateway is silent.'));
  });
  outgoing.once('response', (answer) => {
    response.writeHead(
      answer.statusCode ?? 502,
      answer.statusMessage,
      endToEndHeaders(answer.headers),
    );
    // Ends the client's connection when the answer breaks off: it has begun, so nothing else can be said.
    pipeline(answer, response, () => undefined);
  });
  outgoing.on('error', (error) => {
    if (response.closed || response.headersSent) return;
    if (errorCode(error) === 'ECONNREFUSED') onNoAnswer('refused');
    else onNoAnswer(silent ? 'silent' : 'broken');
  });
  response.once('close', () => {
    outgoing.destroy();
    // What the gateway did not want of the body is read and dropped, else the client might not see its answer.
    request.unpipe(outgoing).resume();
  });
  if (hasBody(request)) request.pipe(outgoing);
  else outgoing.end();
}
