import { setTimeout as delay } from 'node:timers/promises';

/** One exchange with the system, for transcripts. */
export interface Exchange {
  /** Who acted: “mentee”, “mentor”. */
  actor: string;
  /** `POST /api/v1/sessions`, or `→ message` and `← ack` on a socket. */
  action: string;
  /** HTTP status; absent on a socket. */
  status?: number;
  body: unknown;
}

export interface Answer<Body> {
  status: number;
  headers: Headers;
  body: Body;
}

export interface CallOptions {
  /** The status that is right; any other throws. Default: any 2xx. */
  expect?: number;
  headers?: Record<string, string>;
}

export interface Credentials {
  email: string;
  password: string;
}

/** A frame of the WebSocket. */
export interface Frame {
  type: string;
  [field: string]: unknown;
}

/** Waits until `probe` returns something, asking every 50 ms; throws with `what` after the time limit. */
export async function eventually<T>(
  what: string,
  probe: () => Promise<T | undefined> | T | undefined,
  timeoutMs = 15_000,
): Promise<T> {
  const deadline = Date.now() + timeoutMs;
  for (;;) {
    const found = await probe();
    if (found !== undefined) return found;
    if (Date.now() > deadline) throw new Error(`Waited ${timeoutMs} ms in vain for ${what}.`);
    await delay(50);
  }
}

/** An open WebSocket that remembers every frame, so that none is missed between two waits. */
export class ActorSocket {
  readonly frames: Frame[] = [];
  /** Set when the socket has closed. */
  closed?: { code: number; reason: string };

  private constructor(
    private readonly socket: WebSocket,
    private readonly actor: string,
    private readonly record: (exchange: Exchange) => void,
  ) {
    socket.addEventListener('message', ({ data }) => {
      const frame = JSON.parse(String(data)) as Frame;
      this.frames.push(frame);
      this.record({ actor: this.actor, action: `← ${frame.type}`, body: frame });
    });
    socket.addEventListener('close', ({ code, reason }) => {
      this.closed = { code, reason };
    });
  }

  /** Connects; resolves once the handshake is done. Rejects when the upgrade is refused. */
  static async open(
    url: string,
    actor = 'client',
    record: (exchange: Exchange) => void = () => {},
  ): Promise<ActorSocket> {
    const socket = new WebSocket(url);
    const opened = new ActorSocket(socket, actor, record);
    await new Promise<void>((resolve, reject) => {
      socket.addEventListener('open', () => resolve(), { once: true });
      socket.addEventListener(
        'error',
        () => reject(new Error(`No WebSocket at ${new URL(url).pathname}.`)),
        {
          once: true,
        },
      );
    });
    return opened;
  }

  send(frame: Frame): void {
    this.record({ actor: this.actor, action: `→ ${frame.type}`, body: frame });
    this.socket.send(JSON.stringify(frame));
  }

  /** Sends text as it is; for malformed frames. */
  sendRaw(text: string): void {
    this.socket.send(text);
  }

  /** The first frame, received already or to come, of a type and with these fields. */
  frame(type: string, fields: Record<string, unknown> = {}, timeoutMs?: number): Promise<Frame> {
    const matches = (frame: Frame): boolean =>
      frame.type === type && Object.entries(fields).every(([key, value]) => frame[key] === value);
    return this.frameWhere(`a frame ${type} ${JSON.stringify(fields)}`, matches, timeoutMs);
  }

  frameWhere(what: string, matches: (frame: Frame) => boolean, timeoutMs?: number): Promise<Frame> {
    return eventually(what, () => this.frames.find(matches), timeoutMs);
  }

  /** Calls `listener` in the moment the socket closes. */
  onClose(listener: (code: number) => void): void {
    this.socket.addEventListener('close', ({ code }) => listener(code));
  }

  /** Resolves with the close code once the other side has closed. */
  closing(timeoutMs?: number): Promise<{ code: number; reason: string }> {
    return eventually('the socket to close', () => this.closed, timeoutMs);
  }

  close(): void {
    this.socket.close();
  }
}

/**
 * Someone who uses the system from outside, over REST and WebSocket, as a browser or an app would. Nothing here knows
 * the code behind the addresses.
 */
export class Actor {
  userId = 0;
  accessToken?: string;
  refreshToken?: string;

  constructor(
    /** Where the edge listens, `http://localhost:8000`. */
    readonly baseUrl: string,
    readonly name = 'visitor',
    private readonly record: (exchange: Exchange) => void = () => {},
  ) {}

  /** Signs an existing user in. */
  static async signedIn(
    baseUrl: string,
    name: string,
    credentials: Credentials,
    record?: (exchange: Exchange) => void,
  ): Promise<Actor> {
    const actor = new Actor(baseUrl, name, record);
    await actor.signIn(credentials);
    return actor;
  }

  async signIn(credentials: Credentials): Promise<void> {
    const { body } = await this.call<{
      access_token: string;
      refresh_token: string;
      user: { id: number };
    }>('POST', '/api/v1/auth/login', credentials, { expect: 200 });
    this.accessToken = body.access_token;
    this.refreshToken = body.refresh_token;
    this.userId = body.user.id;
  }

  /** Sends a request; JSON in and out. Throws when the status is not the expected one. */
  async call<Body = Record<string, unknown>>(
    method: string,
    path: string,
    body?: unknown,
    { expect, headers }: CallOptions = {},
  ): Promise<Answer<Body>> {
    const response = await fetch(new URL(path, this.baseUrl), {
      method,
      redirect: 'manual',
      headers: {
        ...(body === undefined ? {} : { 'content-type': 'application/json' }),
        ...(this.accessToken ? { authorization: `Bearer ${this.accessToken}` } : {}),
        ...headers,
      },
      body: body === undefined ? undefined : JSON.stringify(body),
    });
    const text = await response.text();
    const isJson = response.headers.get('content-type')?.includes('json') ?? false;
    const answer: unknown = isJson && text ? JSON.parse(text) : text;
    this.record({
      actor: this.name,
      action: `${method} ${path}`,
      status: response.status,
      body: answer,
    });
    const right = expect === undefined ? response.ok : response.status === expect;
    if (!right) {
      throw new Error(
        `${this.name}: ${method} ${path} answered ${response.status} instead of ${expect ?? '2xx'}: ${text.slice(0, 600)}`,
      );
    }
    return { status: response.status, headers: response.headers, body: answer as Body };
  }

  async get<Body = Record<string, unknown>>(path: string, options?: CallOptions): Promise<Body> {
    return (await this.call<Body>('GET', path, undefined, options)).body;
  }

  async post<Body = Record<string, unknown>>(
    path: string,
    body: unknown = {},
    options?: CallOptions,
  ): Promise<Body> {
    return (await this.call<Body>('POST', path, body, options)).body;
  }

  async patch<Body = Record<string, unknown>>(
    path: string,
    body: unknown,
    options?: CallOptions,
  ): Promise<Body> {
    return (await this.call<Body>('PATCH', path, body, options)).body;
  }

  /** Submits an HTML form, as a browser would, and follows the redirect. Returns the page it leads to. */
  async submitForm(address: string, fields: Record<string, string>): Promise<string> {
    const response = await fetch(address, { method: 'POST', body: new URLSearchParams(fields) });
    const page = await response.text();
    this.record({
      actor: this.name,
      action: `POST ${new URL(address).pathname}`,
      status: response.status,
      body: fields,
    });
    if (!response.ok)
      throw new Error(`${this.name}: the form answered ${response.status}: ${page.slice(0, 600)}`);
    return page;
  }

  /** Opens the WebSocket the way the web app does: with a single-use ticket. */
  async openSocket(): Promise<ActorSocket> {
    const { ticket } = await this.post<{ ticket: string }>('/api/v1/ws/ticket');
    const url = new URL('/ws/chat', this.baseUrl);
    url.protocol = url.protocol === 'https:' ? 'wss:' : 'ws:';
    url.searchParams.set('ticket', ticket);
    const socket = await ActorSocket.open(url.href, this.name, this.record);
    await socket.frame('welcome');
    return socket;
  }
}
