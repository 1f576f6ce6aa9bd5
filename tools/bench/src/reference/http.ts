import Fastify from 'fastify';
import pg from 'pg';

/*
 * The bare server that HTTP rows are compared with: one process, Fastify and pg, the same queries as the product's,
 * and nothing else: no gateway, no messaging, no tokens, no validation.
 */

const { BENCH_PORT, MENTORSHIP_URL, IDENTITY_URL, REFERENCE_URL } = process.env;
const mentorship = new pg.Pool({ connectionString: MENTORSHIP_URL, max: 20 });
const identity = new pg.Pool({ connectionString: IDENTITY_URL, max: 20 });
const reference = new pg.Pool({ connectionString: REFERENCE_URL, max: 20 });

const server = Fastify();

server.get<{ Params: { id: string } }>('/mentors/:id', async ({ params }) => {
  const { rows } = await mentorship.query(mentorDetails, [params.id]);
  return rows[0] as object;
});

server.get<{ Params: { id: string } }>('/users/:id', async ({ params }) => {
  const { rows } = await identity.query('SELECT * FROM users WHERE id = $1', [params.id]);
  return rows[0] as object;
});

server.post<{ Body: { sender_id: number; recipient_id: number; text: string } }>(
  '/messages',
  async ({ body }, reply) => {
    const { rows } = await reference.query(
      `INSERT INTO messages (sender_id, recipient_id, text) VALUES ($1, $2, $3) RETURNING *`,
      [body.sender_id, body.recipient_id, body.text],
    );
    return reply.status(201).send(rows[0]);
  },
);

const mentorDetails = `
  SELECT m.*, p.full_name, p.avatar_url,
    (SELECT coalesce(json_agg(r), '[]') FROM (
      SELECT * FROM reviews WHERE mentor_id = m.id ORDER BY created_at DESC LIMIT 10
    ) r) AS reviews
  FROM mentors m JOIN people p ON p.user_id = m.user_id
  WHERE m.id = $1`;

await server.listen({ port: Number(BENCH_PORT), host: '127.0.0.1' });
process.send?.('ready');
