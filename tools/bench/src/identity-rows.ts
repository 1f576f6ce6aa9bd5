import type { Actor } from '@mentorhub/testing';
import { argon2PerSecond } from './reference/argon2.js';
import { requestsPerSecond } from './load.js';
import { bearer, compare, measured, type Row } from './measurement.js';
import { benchPassword, type Stack } from './stack.js';
import { quantile } from './statistics.js';

const loadMs = 5000;

/** Fewer than the failures that one network may have, as a sign-in counts as one until its password is checked. */
const signInClients = 8;
const refreshClients = 16;
/** More than may wait, so that some are refused. */
const floodClients = 200;

/** Sends again and again from each client until the time is over; resolves to what each request took, in milliseconds. */
async function closedLoop(
  clients: number,
  send: (client: number, turn: number) => Promise<void>,
): Promise<number[]> {
  const took: number[] = [];
  const end = performance.now() + loadMs;
  await Promise.all(
    Array.from({ length: clients }, async (_, client) => {
      for (let turn = 0; performance.now() < end; turn += 1) {
        const started = performance.now();
        await send(client, turn);
        took.push(performance.now() - started);
      }
    }),
  );
  return took;
}

const perSecond = (took: readonly number[]): number => took.length / (loadMs / 1000);

async function post<Body>(url: string, body: object, accepted = [200]): Promise<Body> {
  const response = await fetch(url, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify(body),
  });
  const text = await response.text();
  if (!accepted.includes(response.status)) throw new Error(`${url}: ${response.status} ${text}`);
  return JSON.parse(text) as Body;
}

const ownProfile: Row = {
  name: 'GET /users/me',
  unit: 'req/s',
  bar: { ratio: 0.4 },
  measure: ({ api, bareHttp }, [person], order) =>
    compare(order, {
      ours: () => requestsPerSecond({ url: `${api}/api/v1/users/me`, headers: bearer(person!) }),
      reference: () => requestsPerSecond({ url: `${bareHttp}/users/me`, headers: bearer(person!) }),
    }),
};

const signIns: Row = {
  name: 'POST /auth/login, to a bare argon2 loop',
  unit: 'sign-ins/s',
  bar: { ratio: 0.7 },
  measure: ({ api }, people, order) =>
    compare(order, {
      ours: async () =>
        perSecond(
          await closedLoop(signInClients, async (client, turn) => {
            const { name: email } = people[(turn * signInClients + client) % people.length]!;
            await post(`${api}/api/v1/auth/login`, { email, password: benchPassword });
          }),
        ),
      reference: () => argon2PerSecond(loadMs),
    }),
};

/** Each client goes on from the refresh token that it got last. */
async function refreshing(api: string, people: readonly Actor[]): Promise<number[]> {
  // Sessions of their own: the people's go on with the tokens they have.
  const tokens = await Promise.all(
    people.slice(0, refreshClients).map(async ({ name: email }) => {
      const signedIn = await post<Tokens>(`${api}/api/v1/auth/login`, {
        email,
        password: benchPassword,
      });
      return signedIn.refresh_token;
    }),
  );
  return closedLoop(refreshClients, async (client) => {
    const pair = await post<Tokens>(`${api}/api/v1/auth/refresh`, {
      refresh_token: tokens[client],
    });
    tokens[client] = pair.refresh_token;
  });
}

interface Tokens {
  refresh_token: string;
}

const refreshes: Row = {
  name: 'POST /auth/refresh',
  unit: 'refreshes/s',
  bar: { atLeast: 300 },
  measure: async ({ api }, people) => ({
    ours: await measured(async () => perSecond(await refreshing(api, people))),
  }),
};

const refreshLatency: Row = {
  name: 'POST /auth/refresh, p99',
  unit: 'ms',
  bar: { atMost: 100 },
  measure: async ({ api }, people) => ({
    ours: await measured(async () => quantile(await refreshing(api, people), 0.99)),
  }),
};

/** The longest that the event loop of identity was late since this was asked last, in milliseconds. */
async function longestLag({ system }: Stack): Promise<number> {
  const { managementPort } = system.apps('identity')[0]!;
  const metrics = await (await fetch(`http://127.0.0.1:${managementPort}/metrics`)).text();
  const seconds = /^nodejs_eventloop_lag_max_seconds (\S+)$/m.exec(metrics)?.[1];
  if (seconds === undefined) throw new Error('identity does not report the lag of its event loop.');
  return Number(seconds) * 1000;
}

const floodLag: Row = {
  name: 'Event loop of identity during a flood of sign-ins, longest lag',
  unit: 'ms',
  bar: { atMost: 50 },
  measure: async (stack, people) => ({
    ours: await measured(async () => {
      await longestLag(stack);
      await closedLoop(floodClients, async (client, turn) => {
        const { name: email } = people[(turn * floodClients + client) % people.length]!;
        // Refused for want of room, or as too many at a time from one network.
        await post(
          `${stack.api}/api/v1/auth/login`,
          { email, password: benchPassword },
          [200, 429, 503],
        );
      });
      return longestLag(stack);
    }),
  }),
};

export const identityRows: Row[] = [ownProfile, signIns, refreshes, refreshLatency, floodLag];
