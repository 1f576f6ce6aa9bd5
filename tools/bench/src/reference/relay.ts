import { connect } from '@nats-io/transport-node';
import { Pool } from 'pg';
import { type WebSocket, WebSocketServer } from 'ws';

/*
 * The bare relay that the chat is compared with: one process that stores messages by grouped inserts, acknowledges
 * them, and passes them on through NATS. It knows no users, tokens, logs, receipts or replicas.
 */

interface Frame {
  type: string;
  recipient_id: number;
  content: string;
  client_id: string;
}

interface Waiting {
  sender: WebSocket;
  senderId: number;
  frame: Frame;
}

const { BENCH_PORT, REFERENCE_URL, NATS_URL } = process.env;
const pool = new Pool({ connectionString: REFERENCE_URL, max: 4 });
const nats = await connect({ servers: NATS_URL });
const server = new WebSocketServer({
  host: '127.0.0.1',
  port: Number(BENCH_PORT),
  perMessageDeflate: false,
});

let waiting: Waiting[] = [];
let storing = false;

async function store(): Promise<void> {
  storing = true;
  while (waiting.length > 0) {
    const batch = waiting.splice(0, 200);
    const { rows } = await pool.query<{ id: string; sent_at: Date }>(
      `INSERT INTO messages (sender_id, recipient_id, text)
       SELECT * FROM unnest($1::int[], $2::int[], $3::text[]) RETURNING id, sent_at`,
      [
        batch.map(({ senderId }) => senderId),
        batch.map(({ frame }) => frame.recipient_id),
        batch.map(({ frame }) => frame.content),
      ],
    );
    for (const [index, { sender, senderId, frame }] of batch.entries()) {
      const row = rows[index]!;
      const id = Number(row.id);
      sender.send(
        JSON.stringify({ type: 'ack', client_id: frame.client_id, id, timestamp: row.sent_at }),
      );
      const message = {
        type: 'message',
        id,
        sender_id: senderId,
        content: frame.content,
        timestamp: row.sent_at,
      };
      nats.publish(`user.${frame.recipient_id}`, JSON.stringify(message));
    }
  }
  storing = false;
}

server.on('connection', (socket, request) => {
  const senderId = Number(new URL(request.url ?? '', 'ws://relay').searchParams.get('user'));
  const subscription = nats.subscribe(`user.${senderId}`, {
    callback: (_error, message) => socket.send(message.string()),
  });
  socket.send('{"type":"welcome"}');
  socket.on('close', () => subscription.unsubscribe());
  socket.on('message', (data: Buffer) => {
    const frame = JSON.parse(data.toString()) as Frame;
    if (frame.type !== 'message') return;
    waiting.push({ sender: socket, senderId, frame });
    if (!storing) void store();
  });
});

// The benchmark may be killed; what it started ends with it.
process.on('disconnect', () => process.exit());
process.send?.('ready');
