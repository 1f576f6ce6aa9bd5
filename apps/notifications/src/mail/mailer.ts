import {
  type AccountMail,
  accountMails,
  AccountMails,
  ApplicationError,
  type Contact,
  deliveryFailed,
  deliverySent,
  Users,
} from '@mentorhub/contracts';
import { Outbox, RequestClient } from '@mentorhub/messaging';
import { Periodic, Transactions } from '@mentorhub/persistence';
import { Clock, CONFIG } from '@mentorhub/service-kit';
import {
  Inject,
  Injectable,
  Logger,
  type OnApplicationBootstrap,
  type OnModuleDestroy,
} from '@nestjs/common';
import type { NotificationsConfig } from '../config.js';
import { type ClaimedMail, MailQueue } from './mail-queue.js';
import {
  accountMail,
  type Addressee,
  type MailContent,
  notificationMail,
} from './mail-templates.js';
import { retryDelayMs } from './retry-delays.js';
import { MailRefused, MailTransport } from './transports/mail-transport.js';

const concurrency = 8;
const pollMs = 1000;
/** For the transport, which should give up earlier by itself; with the request to identity far below the lease. */
const sendTimeoutMs = 20_000;

/**
 * Sends what is queued, up to eight mails at the same time: one that ends makes room for the next, so a silent answer
 * delays no other mail. Every replica runs one; the queue keeps them apart.
 */
@Injectable()
export class Mailer implements OnApplicationBootstrap, OnModuleDestroy {
  private readonly logger = new Logger(Mailer.name);
  private readonly inFlight = new Set<Promise<void>>();
  private readonly periodic = new Periodic({
    name: Mailer.name,
    everyMs: pollMs,
    atOnce: true,
    turn: () => this.startDue(),
    failure: 'The queue of mails could not be worked on',
  });

  constructor(
    @Inject(CONFIG) private readonly config: NotificationsConfig,
    private readonly queue: MailQueue,
    private readonly transport: MailTransport,
    private readonly requests: RequestClient,
    private readonly transactions: Transactions,
    private readonly outbox: Outbox,
    private readonly clock: Clock,
  ) {}

  onApplicationBootstrap(): void {
    this.queue.onAdded(() => this.nudge());
    this.periodic.start();
  }

  /** Finishes the mails in hand; what is still queued waits for the next start. */
  async onModuleDestroy(): Promise<void> {
    await this.periodic.stop();
    await Promise.all(this.inFlight);
  }

  /** Looks for due mails now instead of at the next poll. */
  nudge(): void {
    this.periodic.wake();
  }

  /** Starts to send what is due, as far as there is room. */
  private async startDue(): Promise<void> {
    const room = concurrency - this.inFlight.size;
    if (room === 0) return;
    for (const mail of await this.queue.claim(room)) {
      const attempt = this.attempt(mail)
        .catch((error: unknown) => {
          this.logger.error('The outcome of a mail was not stored; its lease ends it.', error);
        })
        .finally(() => {
          this.inFlight.delete(attempt);
          this.nudge();
        });
      this.inFlight.add(attempt);
    }
  }

  private async attempt(mail: ClaimedMail): Promise<void> {
    const facts = { mail_id: mail.id, template: mail.template, user_id: mail.user_id };
    try {
      const { contact, content } = await this.compose(mail);
      const sending = this.transport.send({
        id: String(mail.id),
        to: { name: contact.full_name, address: contact.email },
        ...content,
      });
      await within(sendTimeoutMs, sending);
    } catch (error) {
      await this.failed(mail, error);
      return;
    }
    // Outside of the try: a mail that was sent is not to be sent again because marking it failed once.
    await this.end(mail, 'sent');
    this.logger.log('Mail sent.', facts);
  }

  /** Requests how to reach the user, and a token where the mail has one: neither is stored. */
  private async compose(mail: ClaimedMail): Promise<{ contact: Reader; content: MailContent }> {
    const who = { user_id: mail.user_id };
    if (isAccountMail(mail)) {
      const { template, params } = mail;
      const minted = await this.requests.request(AccountMails.mint, undefined, {
        ...who,
        mail: template,
        ref: params.ref ?? null,
      });
      return { contact: minted, content: accountMail(template, minted, this.config.PUBLIC_URL) };
    }
    const contact = await this.requests.request(Users.contact, undefined, who);
    if (!contact.email_verified) throw new AddressNotVerified();
    const { template, params } = mail as ClaimedNotificationMail;
    return {
      contact,
      content: notificationMail(template, params, contact, this.config.PUBLIC_URL),
    };
  }

  private async failed(mail: ClaimedMail, error: unknown): Promise<void> {
    const failure = describe(error);
    const facts = { mail_id: mail.id, template: mail.template, user_id: mail.user_id, failure };
    const delayMs = isFinal(error) ? undefined : retryDelayMs(mail.attempts);
    if (delayMs === undefined) {
      await this.end(mail, 'failed', failure);
      if (isExpected(error)) this.logger.log('Mail dropped: its reader cannot get it.', facts);
      else this.logger.error('Mail given up.', facts);
      return;
    }
    await this.queue.retryAt(mail, new Date(this.clock.now().getTime() + delayMs), failure);
    this.logger.warn(`Mail not sent; again in ${delayMs / 1000} s.`, facts);
  }

  private end(mail: ClaimedMail, state: 'sent' | 'failed', failure?: string): Promise<void> {
    return this.transactions.run(async (tx) => {
      if (!(await this.queue.finish(tx, mail, state, failure))) return;
      await this.outbox.add(tx, state === 'sent' ? deliverySent : deliveryFailed, mail.id, {
        user_id: mail.user_id,
        channel: 'mail',
        template: mail.template,
      });
    });
  }
}

type Reader = Addressee & Pick<Contact, 'email'>;

/** Nothing that other people wrote goes to an address whose owner may never have asked for it. */
class AddressNotVerified extends Error {
  override readonly name = 'AddressNotVerified';
}

type ClaimedNotificationMail = ClaimedMail<Exclude<ClaimedMail['template'], AccountMail>>;

function isAccountMail(mail: ClaimedMail): mail is ClaimedMail<AccountMail> {
  return (accountMails as readonly string[]).includes(mail.template);
}

/** Whether no fault is behind it: the address is not verified, or the account was deleted before its mail was sent. */
function isExpected(error: unknown): boolean {
  if (error instanceof AddressNotVerified) return true;
  return error instanceof ApplicationError && error.code === 'NOT_FOUND';
}

/** Whether another attempt would fail as well: the user is gone or not verified, or the provider refuses the mail. */
function isFinal(error: unknown): boolean {
  if (error instanceof MailRefused || isExpected(error)) return true;
  return error instanceof ApplicationError && error.status < 500 && error.code !== 'RATE_LIMITED';
}

/** @throws an error with the code `TIMEOUT` when the promise is not settled in time */
async function within(ms: number, promise: Promise<void>): Promise<void> {
  let timer: NodeJS.Timeout | undefined;
  const timeout = new Promise<never>((_resolve, reject) => {
    timer = setTimeout(() => {
      reject(Object.assign(new Error('The mail transport did not answer.'), { code: 'TIMEOUT' }));
    }, ms);
  });
  try {
    await Promise.race([promise, timeout]);
  } finally {
    clearTimeout(timer);
  }
}

/** Without the text of foreign errors: providers repeat addresses in theirs. */
function describe(error: unknown): string {
  if (error instanceof ApplicationError) return error.code;
  if (error instanceof Error) {
    const code = 'code' in error ? String(error.code) : undefined;
    return [error.name, code].filter(Boolean).join(' ');
  }
  return 'unknown';
}
