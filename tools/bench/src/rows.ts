import { readFile } from 'node:fs/promises';
import { setTimeout as delay } from 'node:timers/promises';
import { type AppName, appNames } from '@mentorhub/local-system';
import type { Actor } from '@mentorhub/testing';
import { eventually } from '@mentorhub/testing';
import { closedLoopChat, livelyChat, pacedChat, partnerOf } from './chat-load.js';
import { identityRows } from './identity-rows.js';
import { requestsPerSecond } from './load.js';
import { bearer, compare, measured, type Row } from './measurement.js';
import type { Stack } from './stack.js';
import { quantile } from './statistics.js';

/**
 * Counts the events of chat that notifications has not handled yet, then waits until it has: nothing is measured beside
 * what another load left to do.
 */
async function workOffBacklog({ database }: Stack): Promise<number> {
  const { rows } = await database('chat').query<{ event_id: string }>(
    `SELECT event_id FROM outbox WHERE occurred_at > now() - interval '1 minute' ORDER BY id`,
  );
  const ids = rows.map(({ event_id }) => event_id);
  const unhandled = async (): Promise<number> => {
    const handled = await database('notifications').query<{ count: number }>(
      'SELECT count(DISTINCT event_id)::int AS count FROM inbox WHERE event_id = ANY($1)',
      [ids],
    );
    return ids.length - handled.rows[0]!.count;
  };
  const backlog = await unhandled();
  await eventually(
    'notifications to handle the messages',
    async () => ((await unhandled()) === 0 ? true : undefined),
    60_000,
  );
  return backlog;
}

const mentorDetails: Row = {
  name: 'GET /mentors/{id}',
  unit: 'req/s',
  bar: { ratio: 0.4 },
  measure: ({ api, bareHttp }, _people, order) =>
    compare(order, {
      ours: () => requestsPerSecond({ url: `${api}/api/v1/mentors/7` }),
      reference: () => requestsPerSecond({ url: `${bareHttp}/mentors/7` }),
    }),
};

const postMessage: Row = {
  name: 'POST /messages',
  unit: 'req/s',
  bar: { ratio: 0.35 },
  measure: async (stack, [sender, recipient], order) => {
    const text = 'Ready for tomorrow?';
    const { after, ...round } = await compare(order, {
      ours: () =>
        requestsPerSecond({
          url: `${stack.api}/api/v1/messages`,
          method: 'POST',
          headers: bearer(sender!),
          body: () => JSON.stringify({ recipient_id: recipient!.userId, text }),
        }),
      afterOurs: () => workOffBacklog(stack),
      reference: () =>
        requestsPerSecond({
          url: `${stack.bareHttp}/messages`,
          method: 'POST',
          body: () =>
            JSON.stringify({ sender_id: sender!.userId, recipient_id: recipient!.userId, text }),
        }),
    });
    return { ...round, backlog: after };
  },
};

function chatClients(address: string, people: readonly Actor[]) {
  return people.map((person, index) => ({
    url: `${address}?token=${person.accessToken}`,
    recipientId: partnerOf(people, index).userId,
  }));
}

function relayClients(address: string, people: readonly Actor[]) {
  return people.map((person, index) => ({
    url: `${address}?user=${person.userId}`,
    recipientId: partnerOf(people, index).userId,
  }));
}

const chat: Row = {
  name: 'WebSocket chat, 200 clients, acked = committed and delivered',
  unit: 'msg/s',
  bar: { ratio: 0.7 },
  measure: async (stack, people, order) => {
    const { after, ...round } = await compare(order, {
      ours: () => closedLoopChat(chatClients(stack.chat, people), 5),
      afterOurs: () => workOffBacklog(stack),
      reference: () => closedLoopChat(relayClients(stack.bareRelay, people), 5),
    });
    return { ...round, backlog: after };
  },
};

const livelyChatRow: Row = {
  name: 'The same with reads, 5 % duplicates and reconnects',
  unit: 'msg/s',
  measure: async (stack, people, order) => {
    const { after, ...round } = await compare(order, {
      ours: () => livelyChat(chatClients(stack.chat, people), 5, true),
      afterOurs: () => workOffBacklog(stack),
      reference: () => livelyChat(relayClients(stack.bareRelay, people), 5, false),
    });
    return { ...round, backlog: after };
  },
};

const pacedLatency = (share: number, atMost: number): Row => ({
  name: `Message to the other socket at 500 msg/s, p${share * 100}`,
  unit: 'ms',
  bar: { atMost },
  measure: async (stack, people, order) => {
    const some = people.slice(0, 50);
    const { after, ...round } = await compare(order, {
      ours: async () => quantile(await pacedChat(chatClients(stack.chat, some), 500, 5), share),
      afterOurs: () => workOffBacklog(stack),
      reference: async () =>
        quantile(await pacedChat(relayClients(stack.bareRelay, some), 500, 5), share),
    });
    return { ...round, backlog: after };
  },
});

/** Milliseconds from the moment an event was written down until another service had handled it. */
async function eventLatency({ database }: Stack, people: readonly Actor[]): Promise<number> {
  const latencies: number[] = [];
  for (const person of people.slice(0, 50)) {
    await person.patch('/api/v1/users/me', { bio: `Idle latency, ${Date.now()}.` });
    const event = await database('identity').query<{ event_id: string; occurred_at: Date }>(
      `SELECT event_id, occurred_at FROM outbox WHERE type = 'identity.user.updated' AND aggregate_id = $1
       ORDER BY id DESC LIMIT 1`,
      [String(person.userId)],
    );
    const { event_id, occurred_at } = event.rows[0]!;
    const handledAt = await eventually('the event to be handled', async () => {
      const { rows } = await database('mentorship').query<{ handled_at: Date }>(
        'SELECT handled_at FROM inbox WHERE event_id = $1',
        [event_id],
      );
      return rows[0]?.handled_at;
    });
    latencies.push(handledAt.getTime() - occurred_at.getTime());
  }
  return quantile(latencies, 0.99);
}

const idleEvents: Row = {
  name: 'Event, outbox to handled, idle, p99',
  unit: 'ms',
  bar: { atMost: 250 },
  measure: async (stack, people) => ({
    ours: await measured(() => eventLatency(stack, people)),
  }),
};

/** Events a second, from a backlog about many users in the outbox until three services have handled them. */
async function eventRate({ database }: Stack, people: readonly Actor[]): Promise<number> {
  const count = 5000;
  const marker = `bench-${Date.now()}`;
  const started = performance.now();
  // One statement writes the rows as a transaction of the service would, so the relay has a backlog to work off.
  await database('identity').query(
    `INSERT INTO outbox (event_id, type, subject, aggregate_id, version, payload, trace, occurred_at)
     SELECT gen_random_uuid(), 'identity.user.updated', 'event.identity.user.updated', id::text, 1,
       json_build_object('user_id', id, 'username', 'user-' || id, 'full_name', 'Bench', 'avatar_url', NULL,
         'email_verified', true, 'locale', 'en', 'timezone', 'UTC'), $2, now()
     FROM (SELECT ($1::integer[])[1 + n % cardinality($1)] AS id FROM generate_series(1, ${count}) AS n)`,
    [people.map(({ userId }) => userId), marker],
  );
  const { rows } = await database('identity').query<{ event_id: string }>(
    'SELECT event_id FROM outbox WHERE trace = $1',
    [marker],
  );
  const ids = rows.map(({ event_id }) => event_id);
  for (const service of ['mentorship', 'chat', 'notifications'] as const) {
    await eventually(
      `${service} to handle the events`,
      async () => {
        const handled = await database(service).query<{ count: number }>(
          'SELECT count(DISTINCT event_id)::int AS count FROM inbox WHERE event_id = ANY($1)',
          [ids],
        );
        return handled.rows[0]!.count === count ? true : undefined;
      },
      60_000,
    );
  }
  const rate = count / ((performance.now() - started) / 1000);
  // So many versions of one person would slow down every row after this one until autovacuum comes by.
  for (const service of ['identity', 'mentorship', 'chat', 'notifications'] as const) {
    await database(service).query('VACUUM (ANALYZE)');
  }
  return rate;
}

const eventThroughput: Row = {
  name: 'Events, outbox to handled in three services',
  unit: 'events/s',
  bar: { atLeast: 1000 },
  measure: async (stack, people) => ({ ours: await measured(() => eventRate(stack, people)) }),
};

/** How long the 64 waited for their answer, in milliseconds: the 99th percentile. One of them gets the slot. */
async function contention({ api, database }: Stack, people: readonly Actor[]): Promise<number> {
  const mentor = await database('mentorship').query<{ id: number }>(
    `SELECT id FROM mentors WHERE status = 'approved' ORDER BY random() LIMIT 1`,
  );
  const mentorId = mentor.rows[0]!.id;
  // The hourly allowance of three bookings is a rule of its own; earlier rounds must not count.
  await database('mentorship').query(
    `UPDATE bookings SET created_at = created_at - interval '2 hours'`,
  );
  const { slots } = await people[0]!.get<{ slots: { starts_at: string }[] }>(
    `${api}/api/v1/mentors/${mentorId}/slots?duration_minutes=60`,
  );
  const slot = slots[Math.floor(Math.random() * slots.length)]!;
  const latencies: number[] = [];
  const outcomes = await Promise.all(
    people.slice(0, 64).map(async (person) => {
      const started = performance.now();
      const response = await fetch(`${api}/api/v1/sessions`, {
        method: 'POST',
        headers: { 'content-type': 'application/json', ...bearer(person) },
        body: JSON.stringify({
          mentor_id: mentorId,
          scheduled_at: slot.starts_at,
          duration_minutes: 60,
          topic: 'Storm',
        }),
      });
      await response.arrayBuffer();
      latencies.push(performance.now() - started);
      return response.status;
    }),
  );
  const won = outcomes.filter((status) => status === 201).length;
  const refused = outcomes.filter((status) => status === 409).length;
  if (won !== 1 || refused !== 63)
    throw new Error(`${won} won the slot and ${refused} were refused.`);
  return quantile(latencies, 0.99);
}

const contenders: Row = {
  name: '64 contenders for one slot, p99',
  unit: 'ms',
  bar: { atMost: 250 },
  measure: async (stack, people) => ({ ours: await measured(() => contention(stack, people)) }),
};

async function residentMegabytes(pid: number): Promise<number> {
  const status = await readFile(`/proc/${pid}/status`, 'utf8');
  return Number(/VmRSS:\s+(\d+) kB/.exec(status)?.[1]) / 1024;
}

/** Resident memory of one app, idle. */
export function memory(app: AppName): Row {
  return {
    name: `Memory of ${app}, idle`,
    unit: 'MB',
    bar: { atMost: app.endsWith('-gateway') ? 130 : 120 },
    measure: async ({ system }) => {
      await delay(200);
      return {
        ours: { value: await residentMegabytes(system.apps(app)[0]!.pid!), generatorCpu: 0 },
      };
    },
  };
}

export const memoryRows: Row[] = appNames.map(memory);

/** In the order in which they run: idle figures first, before load has grown the heaps. */
export const loadRows: Row[] = [
  idleEvents,
  mentorDetails,
  ...identityRows,
  postMessage,
  chat,
  livelyChatRow,
  pacedLatency(0.5, 15),
  pacedLatency(0.99, 100),
  eventThroughput,
  contenders,
];
