import { connect, type Socket } from 'node:net';

const upgrade =
  'Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n' +
  'Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n';

/** The text of a request, with its headers between the request line and the body. */
export function rawRequest(line: string, headers = '', body = ''): string {
  return `${line} HTTP/1.1\r\nHost: localhost\r\n${headers}\r\n${body}`;
}

/** The text of a WebSocket handshake. */
export function rawHandshake(path = '/ws/chat', headers = '', body = ''): string {
  return rawRequest(`GET ${path}`, `${headers}${upgrade}`, body);
}

const slow = rawRequest('GET /api/v1/mentors');

/** What clients send that are broken, lost, or out to break something. */
const openings: (string | Buffer)[] = [
  rawHandshake(),
  rawHandshake('/ws/chat?ticket=nonsense'),
  rawHandshake('/ws/%'),
  rawHandshake('//'),
  rawHandshake('/api/v1/mentors'),
  rawHandshake('/ws/chat', 'Content-Length: 5\r\n', 'hello'),
  rawHandshake('/ws/chat', 'Content-Length: 5\r\n', 'he'),
  rawHandshake('/ws/chat', 'Transfer-Encoding: chunked\r\n', '5\r\nhello\r\n0\r\n\r\n'),
  rawHandshake('/ws/chat', 'Content-Length: 5\r\nTransfer-Encoding: chunked\r\n', '0\r\n\r\n'),
  `${rawHandshake()}\x81\x85\0\0\0\0hello`,
  `${rawHandshake()}\xff\xff\xff\xff\xff`,
  `${rawHandshake()}${slow}`,
  `${slow}${rawHandshake()}`,
  `${slow}${slow}${slow}${slow}`,
  `${slow}nonsense\r\n\r\n`,
  `${slow}CONNECT a:1 HTTP/1.1\r\nHost: a\r\n\r\n`,
  slow,
  rawRequest('GET /docs'),
  rawRequest('GET /health'),
  rawRequest('GET /metrics'),
  rawRequest('GET /', 'Upgrade: h2c\r\nConnection: Upgrade\r\n'),
  rawRequest('GET /ws/chat', 'Upgrade: h2c\r\nConnection: Upgrade\r\n'),
  rawRequest('CONNECT example.com:443'),
  rawRequest('CONNECT example.com:443', 'Content-Length: 5\r\n', 'he'),
  rawRequest('POST /api/v1/auth/login', 'Content-Length: 100\r\n', '{"email":'),
  rawRequest('POST /api/v1/auth/login', 'Transfer-Encoding: chunked\r\n', '5\r\nhello\r\n'),
  rawRequest('POST /api/v1/auth/login', 'Transfer-Encoding: chunked\r\n', 'zz\r\n'),
  rawRequest('POST /api/v1/auth/login', 'Expect: 100-continue\r\nContent-Length: 9\r\n'),
  rawRequest('POST /api/v1/auth/login', 'Expect: nothing\r\nContent-Length: 9\r\n', '{}'),
  rawRequest('OPTIONS /api/v1/mentors'),
  'GET /health HTTP/1.1\r\n\r\n',
  'GET /health HTTP/1.0\r\n\r\n',
  `GET /health HTTP/1.1\r\nHost: x\r\nX-Large: ${'x'.repeat(40_000)}\r\n\r\n`,
  'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n',
  'nonsense\r\n\r\n',
  Buffer.from('16030100c8010000c40303', 'hex'),
  Buffer.alloc(2_000, 0xff),
];

/** How they go away. */
type Ending = 'reset' | 'reset after the answer' | 'truncate' | 'end' | 'stop reading';
const endings: Ending[] = ['reset', 'reset after the answer', 'truncate', 'end', 'stop reading'];

const clientPatienceMs = 300;

function misbehave(port: number, opening: string | Buffer, ending: Ending, turn: number) {
  return new Promise<void>((resolve) => {
    const bytes = Buffer.from(opening as string, 'latin1');
    const socket = connect({ port, host: '127.0.0.1' });
    // Whatever the server does, the client goes. Not by a reset: Node.js fails to, without `close`, after a FIN.
    const timer = setTimeout(() => socket.destroy(), clientPatienceMs);
    const done = (): void => {
      clearTimeout(timer);
      resolve();
    };
    socket.on('error', done);
    socket.once('close', done);
    socket.once('connect', () => {
      socket.write(ending === 'truncate' ? bytes.subarray(0, turn % bytes.length) : bytes);
      if (ending === 'reset') setImmediate(() => socket.resetAndDestroy());
      else if (ending !== 'reset after the answer' && ending !== 'stop reading') socket.end();
    });
    if (ending === 'stop reading') socket.pause();
    else if (ending === 'reset after the answer') socket.on('data', () => socket.resetAndDestroy());
    else socket.resume();
  });
}

/**
 * Opens `clients` connections, `atOnce` at a time, each with another combination of what it sends and how it goes away:
 * resets, truncated requests, handshakes with a body, broken HTTP, answers that are never read.
 */
export async function attack(port: number, clients: number, atOnce = 100): Promise<void> {
  let turn = 0;
  const worker = async (): Promise<void> => {
    while (turn < clients) {
      const number = turn++;
      const opening = openings[number % openings.length]!;
      const ending = endings[Math.floor(number / openings.length) % endings.length]!;
      await misbehave(port, opening, ending, number);
    }
  };
  await Promise.all(Array.from({ length: atOnce }, worker));
}

/**
 * Opens connections that send the start of a request, or nothing, and then neither send nor close. The promise resolves
 * once the server has closed every one of them.
 */
export async function holdHalfOpen(port: number, clients: number): Promise<void> {
  // Where it is no handshake, it is a request whose answer ends the connection.
  const handshake = rawHandshake().replace('Upgrade\r\n', 'Upgrade, close\r\n');
  const starts = ['', 'GET /health HTTP/1.1\r\nHo', handshake.slice(0, -2), handshake];
  await Promise.all(
    Array.from({ length: clients }, (_, number) => {
      return new Promise<void>((resolve) => {
        const socket: Socket = connect({ port, host: '127.0.0.1' });
        socket.once('connect', () => socket.write(starts[number % starts.length]!));
        socket.on('error', () => undefined);
        socket.once('close', () => resolve());
        socket.resume();
      });
    }),
  );
}

/** Sends bytes as they are and resolves with everything that comes back until the server closes. */
export function rawAnswer(port: number, bytes: string | Buffer): Promise<string> {
  return new Promise((resolve, reject) => {
    const socket = connect({ port, host: '127.0.0.1' }, () => socket.write(bytes));
    let text = '';
    socket.on('data', (chunk) => (text += chunk.toString('latin1')));
    socket.once('close', () => resolve(text));
    socket.once('error', reject);
  });
}
