import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { Actor, eventually } from '@mentorhub/testing';

interface SentMail {
  to: string;
  text: string;
}

/** Takes mails as SendGrid's API does, and keeps them. */
export class MailSink {
  private readonly mails: SentMail[] = [];

  private constructor(private readonly server: Server) {}

  static async start(): Promise<MailSink> {
    const server = createServer((request, response) => {
      let body = '';
      request.setEncoding('utf8').on('data', (text: string) => (body += text));
      request.once('end', () => {
        sink.take(body);
        response.writeHead(202).end();
      });
    });
    const sink = new MailSink(server);
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    return sink;
  }

  get url(): string {
    return `http://127.0.0.1:${(this.server.address() as AddressInfo).port}`;
  }

  /** The token of the verification mail to an address. */
  verificationToken(address: string): Promise<string> {
    return eventually(
      `a verification mail to ${address}`,
      () =>
        this.mails
          .filter(({ to }) => to === address)
          .map(({ text }) => /#token=([\w.~-]+)/.exec(text)?.[1])
          .find((token) => token !== undefined),
      60_000,
    );
  }

  async close(): Promise<void> {
    const closed = new Promise((resolve) => this.server.close(resolve));
    this.server.closeAllConnections();
    await closed;
  }

  private take(body: string): void {
    const mail = JSON.parse(body) as {
      personalizations: { to: { email: string }[] }[];
      content: { type: string; value: string }[];
    };
    const text = mail.content.find(({ type }) => type === 'text/plain')?.value ?? '';
    for (const { to } of mail.personalizations) {
      for (const { email } of to) this.mails.push({ to: email, text });
    }
  }
}

const password = 'a long password for restarts';

/** Registers somebody, verifies the email address and signs in. */
export async function joinsMentorHub(
  baseUrl: string,
  mails: MailSink,
  name: string,
  role: 'student' | 'mentor',
): Promise<Actor> {
  const email = `${name}@deploy.example`;
  const actor = new Actor(baseUrl, name);
  await actor.post('/api/v1/auth/register', { email, password, full_name: 'Rolling Person', role });
  await actor.signIn({ email, password });
  const token = await mails.verificationToken(email);
  await actor.post('/api/v1/email/verify-email', { token }, { expect: 200 });
  return actor;
}

/** Has a mentor apply, approves that, and opens the whole week. Returns the id of the mentor's profile. */
export async function becomesMentor(mentor: Actor, admin: Actor): Promise<number> {
  const { id } = await mentor.post<{ id: number }>('/api/v1/mentors/apply', {
    title: 'Senior Python Developer',
    description: 'Ten years of Python, from scripts to services.',
    skills: ['Python'],
    price_per_hour: 3000,
    timezone: 'Europe/Berlin',
  });
  await admin.post(`/api/v1/admin/mentors/${id}/approve`, {}, { expect: 200 });
  const rules = [0, 1, 2, 3, 4, 5, 6].map((day_of_week) => ({
    day_of_week,
    start_time: '00:00',
    end_time: '23:00',
    is_recurring: true,
  }));
  await mentor.post('/api/v1/mentorship/availability/me/', { timezone: 'Europe/Berlin', rules });
  return id;
}
