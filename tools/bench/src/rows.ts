import { readFile } from 'node:fs/promises';
import { setTimeout as delay } from 'node:timers/promises';
import { type AppName, appNames } from '@mentorhub/local-system';
import type { Actor } from '@mentorhub/testing';
import { eventually } from '@mentorhub/testing';
import { closedLoopChat, pacedChat } from './chat-load.js';
import { loadHttp } from './load.js';
import type { Stack } from './stack.js';
import { quantile } from './statistics.js';

/** What one round of a row measured: ours, and the reference's where there is one. */
export interface Round {
  ours: number;
  reference?: number;
}

export interface Row {
  name: string;
  unit: string;
  /** What has to be reached: a ratio to the reference, or a value of ours. */
  bar: { ratio: number } | { atMost: number } | { atLeast: number };
  measure: (stack: Stack, people: readonly Actor[]) => Promise<Round>;
}

const bearer = (actor: Actor): Record<string, string> => ({
  authorization: `Bearer ${actor.accessToken}`,
});

/** Waits until notifications has handled what chat told: nothing is measured beside what another load left to do. */
async function messagesHandled({ database }: Stack): Promise<void> {
  const told = await database('chat').query<{ event_id: string }>(
    'SELECT event_id FROM outbox ORDER BY id DESC LIMIT 1',
  );
  await eventually(
    'notifications to handle the messages',
    async () => {
      const handled = await database('notifications').query(
        'SELECT FROM inbox WHERE event_id = $1',
        [told.rows[0]?.event_id],
      );
      return handled.rowCount === 0 ? undefined : true;
    },
    60_000,
  );
}

const mentorDetails: Row = {
  name: 'GET /mentors/{id}',
  unit: 'req/s',
  bar: { ratio: 0.4 },
  measure: async ({ api, bareHttp }) => {
    const ours = await loadHttp({ url: `${api}/api/v1/mentors/7` });
    const reference = await loadHttp({ url: `${bareHttp}/mentors/7` });
    return { ours: ours.requestsPerSecond, reference: reference.requestsPerSecond };
  },
};

const ownProfile: Row = {
  name: 'GET /users/me',
  unit: 'req/s',
  bar: { ratio: 0.4 },
  measure: async ({ api, bareHttp }, [person]) => {
    const ours = await loadHttp({ url: `${api}/api/v1/users/me`, headers: bearer(person!) });
    const reference = await loadHttp({ url: `${bareHttp}/users/${person!.userId}` });
    return { ours: ours.requestsPerSecond, reference: reference.requestsPerSecond };
  },
};

const postMessage: Row = {
  name: 'POST /messages',
  unit: 'req/s',
  bar: { ratio: 0.35 },
  measure: async (stack, [sender, recipient]) => {
    const { api, bareHttp } = stack;
    const text = 'Ready for tomorrow?';
    const ours = await loadHttp({
      url: `${api}/api/v1/messages`,
      method: 'POST',
      headers: bearer(sender!),
      body: () => JSON.stringify({ recipient_id: recipient!.userId, text }),
    });
    await messagesHandled(stack);
    const reference = await loadHttp({
      url: `${bareHttp}/messages`,
      method: 'POST',
      body: () =>
        JSON.stringify({ sender_id: sender!.userId, recipient_id: recipient!.userId, text }),
    });
    return { ours: ours.requestsPerSecond, reference: reference.requestsPerSecond };
  },
};

/** Neighbours write to each other: 0 ↔ 1, 2 ↔ 3, … */
const partner = (people: readonly Actor[], index: number): Actor =>
  people[index % 2 === 0 ? index + 1 : index - 1]!;

function chatClients(address: string, people: readonly Actor[]) {
  return people.map((person, index) => ({
    url: `${address}?token=${person.accessToken}`,
    recipientId: partner(people, index).userId,
  }));
}

function relayClients(address: string, people: readonly Actor[]) {
  return people.map((person, index) => ({
    url: `${address}?user=${person.userId}`,
    recipientId: partner(people, index).userId,
  }));
}

const chat: Row = {
  name: 'WebSocket chat, 200 clients, acked = committed',
  unit: 'msg/s',
  bar: { ratio: 0.5 },
  measure: async (stack, people) => {
    const ours = await closedLoopChat(chatClients(stack.chat, people), 5);
    await messagesHandled(stack);
    const reference = await closedLoopChat(relayClients(stack.bareRelay, people), 5);
    return { ours, reference };
  },
};

const pacedLatency = (share: number, atMost: number): Row => ({
  name: `Message to the other socket at 500 msg/s, p${share * 100}`,
  unit: 'ms',
  bar: { atMost },
  measure: async (stack, people) => {
    const clients = chatClients(stack.chat, people.slice(0, 50));
    const relayed = relayClients(stack.bareRelay, people.slice(0, 50));
    const ours = await pacedChat(clients, 500, 5);
    await messagesHandled(stack);
    const reference = await pacedChat(relayed, 500, 5);
    return { ours: quantile(ours, share), reference: quantile(reference, share) };
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
  measure: async (stack, people) => ({ ours: await eventLatency(stack, people) }),
};

const eventThroughput: Row = {
  name: 'Events, outbox to handled in three services',
  unit: 'events/s',
  bar: { atLeast: 1000 },
  measure: async ({ database }, [person]) => {
    const count = 5000;
    const marker = `bench-${Date.now()}`;
    const started = performance.now();
    // One statement writes the rows as a transaction of the service would, so the relay has a backlog to work off.
    await database('identity').query(
      `INSERT INTO outbox (event_id, type, subject, aggregate_id, version, payload, trace, occurred_at)
       SELECT gen_random_uuid(), 'identity.user.updated', 'event.identity.user.updated', $1, 1, $2::jsonb, $3, now()
       FROM generate_series(1, ${count})`,
      [
        String(person!.userId),
        JSON.stringify({
          user_id: person!.userId,
          username: `user-${person!.userId}`,
          full_name: 'Bench',
          avatar_url: null,
          locale: 'en',
          timezone: 'UTC',
        }),
        marker,
      ],
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
    const ours = count / ((performance.now() - started) / 1000);
    // So many versions of one person would slow down every row after this one until autovacuum comes by.
    for (const service of ['identity', 'mentorship', 'chat', 'notifications'] as const) {
      await database(service).query('VACUUM (ANALYZE)');
    }
    return { ours };
  },
};

const contenders: Row = {
  name: '64 contenders for one slot, p99',
  unit: 'ms',
  bar: { atMost: 250 },
  measure: async ({ api, database }, people) => {
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
    return { ours: quantile(latencies, 0.99) };
  },
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
    bar: { atMost: 160 },
    measure: async ({ system }) => {
      await delay(200);
      return { ours: await residentMegabytes(system.apps(app)[0]!.pid!) };
    },
  };
}

export const memoryRows: Row[] = appNames.map(memory);

/** In the order in which they run: idle figures first, before load has grown the heaps. */
export const loadRows: Row[] = [
  idleEvents,
  mentorDetails,
  ownProfile,
  postMessage,
  chat,
  pacedLatency(0.5, 15),
  pacedLatency(0.99, 100),
  eventThroughput,
  contenders,
];
