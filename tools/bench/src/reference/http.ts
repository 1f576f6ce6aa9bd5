import { createPublicKey, type JsonWebKeyInput } from 'node:crypto';
import Fastify from 'fastify';
import jsonwebtoken from 'jsonwebtoken';
import { Pool } from 'pg';

/*
 * The bare server that HTTP rows are compared with: one process, Fastify and pg, the same queries as the product's,
 * sent the same way, and nothing else: no gateway, no messaging, no validation; tokens where the row is about them.
 */

const { BENCH_PORT, MENTORSHIP_URL, IDENTITY_URL, KEYS_URL, REFERENCE_URL } = process.env;
const mentorship = new Pool({ connectionString: MENTORSHIP_URL, max: 20 });
const identity = new Pool({ connectionString: IDENTITY_URL, max: 20 });
const reference = new Pool({ connectionString: REFERENCE_URL, max: 20 });

const mentorDetails = `
  SELECT m.id, m.user_id AS "userId", p.full_name AS "fullName", p.avatar_url AS "avatarUrl", m.status, m.title,
    m.description, m.skills, m.price_per_hour_minor AS "pricePerHourMinor", m.currency, m.timezone,
    s.rating::float8 AS rating, s.completed_sessions AS "completedSessions", m.company, m.job_title AS "jobTitle",
    m.years_of_experience AS "yearsOfExperience", m.linkedin_url AS "linkedinUrl", m.github_url AS "githubUrl",
    m.twitter_url AS "twitterUrl", m.version, s.next_available_at AS "nextAvailableAt",
    s.next_available_until AS "nextAvailableUntil", coalesce(newest.reviews, '[]'::json) AS reviews
  FROM mentors m
  JOIN mentor_stats s ON s.mentor_id = m.id
  LEFT JOIN people p ON p.user_id = m.user_id
  LEFT JOIN LATERAL (
    SELECT json_agg(json_build_object('id', r.id, 'author_user_id', r.author_user_id,
      'student_name', author.full_name, 'rating', r.rating, 'comment', r.comment,
      'created_at', to_char(r.created_at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS"Z"'))
      ORDER BY r.created_at DESC, r.id DESC) AS reviews
    FROM (SELECT * FROM reviews WHERE mentor_id = m.id ORDER BY created_at DESC, id DESC LIMIT 10) r
    LEFT JOIN people author ON author.user_id = r.author_user_id
  ) newest ON true
  WHERE m.id = $1 AND m.status = 'approved'`;

const published = (await (await fetch(KEYS_URL!)).json()) as {
  keys: (JsonWebKeyInput['key'] & { kid: string })[];
};
const keys = new Map(
  published.keys.map((key) => [key.kid, createPublicKey({ key, format: 'jwk' })]),
);

const server = Fastify();

server.get<{ Params: { id: string } }>('/mentors/:id', async ({ params }) => {
  const { rows } = await mentorship.query({
    name: 'mentor-details',
    text: mentorDetails,
    values: [params.id],
  });
  return rows[0] as object;
});

server.get('/users/me', async ({ headers }) => {
  const token = headers.authorization?.slice('Bearer '.length) ?? '';
  const { header } = jsonwebtoken.decode(token, { complete: true })!;
  const claims = jsonwebtoken.verify(token, keys.get(header.kid ?? '')!, {
    algorithms: ['RS256'],
    issuer: 'mentorhub',
    audience: 'mentorhub-api',
  });
  const { rows } = await identity.query('SELECT * FROM users WHERE id = $1', [claims.sub]);
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

await server.listen({ port: Number(BENCH_PORT), host: '127.0.0.1' });
// The benchmark may be killed; what it started ends with it.
process.on('disconnect', () => process.exit());
process.send?.('ready');
