import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { exportJWK, generateKeyPair, SignJWT } from 'jose';
import { Provider } from 'oidc-provider';

/** Where the browser comes back to. */
const returnsTo = (provider: string): string => `http://localhost:8000/sign-in/${provider}`;

/** A server on this machine; what it answers is added once its address is known. */
async function listen(): Promise<{ server: Server; url: string }> {
  const server = createServer();
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return { server, url: `http://127.0.0.1:${(server.address() as AddressInfo).port}` };
}

function json(response: ServerResponse, body: unknown): void {
  response.setHeader('content-type', 'application/json').end(JSON.stringify(body));
}

async function close(server: Server): Promise<void> {
  server.closeAllConnections();
  server.close();
  await once(server, 'close');
}

/** Someone with an account at a provider. */
export interface Person {
  sub: string;
  email?: string;
  email_verified?: boolean;
  name?: string;
}

/** What the address has that a browser came back with. */
export interface Return {
  code: string;
  state: string;
  iss?: string;
}

function returnOf(url: URL): Return {
  const { code = '', state = '', iss } = Object.fromEntries(url.searchParams);
  return { code, state, ...(iss !== undefined && { iss }) };
}

/** A browser that follows redirects and keeps cookies, until it is sent back. */
async function browse(start: string, until: string): Promise<URL> {
  const cookies = new Map<string, string>();
  let url = new URL(start);
  for (let hops = 0; hops < 10; hops++) {
    const response = await fetch(url, {
      redirect: 'manual',
      headers: { cookie: [...cookies].map(([name, value]) => `${name}=${value}`).join('; ') },
    });
    for (const line of response.headers.getSetCookie()) {
      const [, name = '', value = ''] = /^([^=]+)=([^;]*)/.exec(line) ?? [];
      cookies.set(name, value);
    }
    const location = response.headers.get('location');
    if (location === null)
      throw new Error(`${url.href}: ${response.status} ${await response.text()}`);
    url = new URL(location, url);
    if (url.href.startsWith(until)) return url;
  }
  throw new Error('Too many redirects.');
}

/** A real OpenID provider, at which whoever is `person` is signed in. */
export class Campus {
  person: Person = { sub: 'nobody' };
  private readonly people = new Map<string, Person>();

  private constructor(
    readonly issuer: string,
    private readonly server: Server,
  ) {}

  static async start(id: string): Promise<Campus> {
    const { server, url } = await listen();
    const campus = new Campus(url, server);
    const provider = new Provider(url, {
      clients: [
        {
          client_id: 'mentorhub',
          client_secret: 'a secret of the client',
          redirect_uris: [returnsTo(id)],
        },
      ],
      claims: { openid: ['sub'], email: ['email', 'email_verified'], profile: ['name'] },
      pkce: { required: () => true },
      cookies: { keys: ['a key of cookies'] },
      features: { devInteractions: { enabled: false } },
      interactions: { url: (_, { uid }) => `/sign-in/${uid}` },
      findAccount: (_, sub) => ({
        accountId: sub,
        claims: () => ({ ...campus.people.get(sub), sub }),
      }),
      async loadExistingGrant({ oidc }) {
        const grant = new oidc.provider.Grant({
          clientId: oidc.client!.clientId,
          accountId: oidc.session!.accountId!,
        });
        grant.addOIDCScope('openid email profile');
        await grant.save();
        return grant;
      },
    });
    const serve = provider.callback();
    server.on('request', (request: IncomingMessage, response: ServerResponse) => {
      if (!request.url?.startsWith('/sign-in/')) {
        void serve(request, response);
        return;
      }
      const { person } = campus;
      campus.people.set(person.sub, person);
      void provider.interactionFinished(request, response, { login: { accountId: person.sub } });
    });
    return campus;
  }

  async visit(authorizationUrl: string): Promise<Return> {
    return returnOf(await browse(authorizationUrl, 'http://localhost:8000/'));
  }

  stop(): Promise<void> {
    return close(this.server);
  }
}

type Answer = (request: IncomingMessage, response: ServerResponse) => void;

/** An OpenID provider that may say anything. */
export class Rogue {
  /** Changes to the next ID tokens. */
  claims: Record<string, unknown> = {};
  /** Signs with a key that is not published. */
  forges = false;
  /** Answers the token endpoint instead of tokens. */
  answer: Answer | undefined;
  /** How often the token endpoint was asked. */
  exchanges = 0;
  /** The nonce of the last visit. */
  private nonce = '';

  private constructor(
    readonly issuer: string,
    private readonly server: Server,
  ) {}

  static async start(): Promise<Rogue> {
    const [published, other] = await Promise.all([
      generateKeyPair('RS256'),
      generateKeyPair('RS256'),
    ]);
    const jwk = { ...(await exportJWK(published.publicKey)), kid: 'one', alg: 'RS256', use: 'sig' };
    const { server, url } = await listen();
    const rogue = new Rogue(url, server);
    const tokens = async () => {
      const now = Math.floor(Date.now() / 1000);
      const claims = {
        sub: 'r1',
        email: 'rogue@example.com',
        email_verified: true,
        ...rogue.claims,
      };
      const id_token = await new SignJWT({
        iss: url,
        aud: 'mentorhub',
        iat: now,
        exp: now + 60,
        nonce: rogue.nonce,
        ...claims,
      })
        .setProtectedHeader({ alg: 'RS256', kid: 'one' })
        .sign(rogue.forges ? other.privateKey : published.privateKey);
      return { access_token: 'token', token_type: 'Bearer', id_token };
    };
    server.on('request', (request: IncomingMessage, response: ServerResponse) => {
      switch (request.url ?? '') {
        case '/.well-known/openid-configuration':
          return json(response, {
            issuer: url,
            authorization_endpoint: `${url}/authorize`,
            token_endpoint: `${url}/token`,
            jwks_uri: `${url}/jwks`,
            id_token_signing_alg_values_supported: ['RS256'],
          });
        case '/jwks':
          return json(response, { keys: [jwk] });
        case '/token':
          rogue.exchanges += 1;
          if (rogue.answer) return rogue.answer(request, response);
          return void tokens().then((body) => json(response, body));
        default:
          return response.writeHead(404).end();
      }
    });
    return rogue;
  }

  visit(authorizationUrl: string): Return {
    const { state = '', nonce = '' } = Object.fromEntries(new URL(authorizationUrl).searchParams);
    this.nonce = nonce;
    return { code: 'code', state };
  }

  reset(): void {
    Object.assign(this, { claims: {}, forges: false, answer: undefined, exchanges: 0 });
  }

  stop(): Promise<void> {
    return close(this.server);
  }
}

/** What of GitHub a sign-in needs. */
export class FakeGitHub {
  user: Record<string, unknown> = {};
  emails: unknown = [];
  private readonly challenges = new Map<string, string>();
  private codes = 0;

  private constructor(
    readonly url: string,
    private readonly server: Server,
  ) {}

  static async start(): Promise<FakeGitHub> {
    const { server, url } = await listen();
    const github = new FakeGitHub(url, server);
    server.on('request', (request: IncomingMessage, response: ServerResponse) => {
      void github.serve(request, response);
    });
    return github;
  }

  visit(authorizationUrl: string): Return {
    const url = new URL(authorizationUrl);
    if (url.pathname !== '/login/oauth/authorize') throw new Error(`${url.href} is not GitHub's.`);
    const query = Object.fromEntries(url.searchParams);
    if (query['code_challenge_method'] !== 'S256') throw new Error('No PKCE.');
    const code = `code-${++this.codes}`;
    this.challenges.set(code, query['code_challenge'] ?? '');
    return { code, state: query['state'] ?? '' };
  }

  stop(): Promise<void> {
    return close(this.server);
  }

  private async serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const mayRead = request.headers.authorization === 'Bearer gho_token';
    switch (request.url ?? '') {
      case '/login/oauth/access_token': {
        const form = Object.fromEntries(new URLSearchParams(await text(request)));
        const challenge = this.challenges.get(form['code'] ?? '');
        const proof = createHash('sha256')
          .update(form['code_verifier'] ?? '')
          .digest('base64url');
        this.challenges.delete(form['code'] ?? '');
        // GitHub's errors have the status 200.
        if (challenge !== proof || form['client_secret'] !== 'a secret of the app') {
          return json(response, { error: 'bad_verification_code', error_description: 'Wrong.' });
        }
        return json(response, {
          access_token: 'gho_token',
          token_type: 'bearer',
          scope: 'user:email',
        });
      }
      case '/api/v3/user':
        if (mayRead) json(response, this.user);
        else response.writeHead(401).end();
        return;
      case '/api/v3/user/emails':
        if (mayRead) json(response, this.emails);
        else response.writeHead(401).end();
        return;
      default:
        response.writeHead(404).end();
    }
  }
}

async function text(request: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = [];
  for await (const chunk of request) chunks.push(chunk as Buffer);
  return Buffer.concat(chunks).toString();
}
