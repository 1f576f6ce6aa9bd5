import { Inject, Injectable } from '@nestjs/common';
import { type Msg, type MsgHdrs, nuid } from '@nats-io/transport-node';
import { randomBytes } from 'node:crypto';
import type { MessagingOptions } from '../messaging.options.js';
import { MESSAGING_OPTIONS } from '../tokens.js';
import { inboxPrefix, NatsConnectionProvider } from './nats-connection.provider.js';

/** Why no reply came. */
export class NoReplyError extends Error {
  override readonly name = 'NoReplyError';

  constructor(readonly reason: 'no responders' | 'timeout' | 'disconnected' | 'denied') {
    super(`no reply: ${reason}`);
  }
}

interface Pending {
  readonly subject: string;
  resolve(message: Msg): void;
  reject(error: Error): void;
  timer: NodeJS.Timeout;
}

/**
 * Request–reply on one subscription for the whole process. Does what `NatsConnection.request` does with a fraction of
 * its promises, timers and stacks, and fails what is pending as soon as the connection is lost: a reply to a lost
 * subscription never arrives.
 *
 * The subject of a reply names who is to give it, `_INBOX.<app>.<responder>.<process>.<secret><number>`, so that the
 * permissions of NATS let a service answer in its own name only. JetStream answers anyone's call on any subject that the
 * call names, so each responder's inboxes have a secret that no other service gets to see.
 */
@Injectable()
export class ReplyRouter {
  private readonly pending = new Map<string, Pending>();
  private readonly prefix: string;
  private readonly process = nuid.next();
  private readonly secrets = new Map<string, string>();
  private sequence = 0;

  constructor(
    private readonly nats: NatsConnectionProvider,
    @Inject(MESSAGING_OPTIONS) { service }: MessagingOptions,
  ) {
    this.prefix = `${inboxPrefix(service)}.`;
    nats.connection.subscribe(this.replySubject('*', '*'), {
      callback: (error, message) => {
        if (error) this.failAll(error);
        else this.resolve(message);
      },
    });
    nats.onChange((connected) => {
      if (!connected) this.failAll(new NoReplyError('disconnected'));
    });
    nats.onDenied((subject) => this.failDenied(subject));
  }

  /**
   * Publishes and waits for the first reply.
   * @param subject its second token is the service that replies; to an event of the app's own, JetStream does
   * @throws NoReplyError, or what `publish` throws for a payload that is too large
   */
  request(
    subject: string,
    payload: string | Uint8Array,
    headers: MsgHdrs | undefined,
    timeoutMs: number,
  ): Promise<Msg> {
    if (!this.nats.health().connected) return Promise.reject(new NoReplyError('disconnected'));
    const [, responder = ''] = subject.split('.', 2);
    const number = (this.sequence++).toString(36);
    const reply = this.replySubject(responder, this.secretOf(responder) + number);
    return new Promise((resolve, reject) => {
      this.nats.publish(subject, payload, { reply, headers });
      const timer = setTimeout(() => {
        this.pending.delete(reply);
        reject(new NoReplyError('timeout'));
      }, timeoutMs);
      this.pending.set(reply, { subject, resolve, reject, timer });
    });
  }

  private replySubject(responder: string, request: string): string {
    return `${this.prefix}${responder}.${this.process}.${request}`;
  }

  private secretOf(responder: string): string {
    let secret = this.secrets.get(responder);
    if (secret === undefined) {
      secret = randomBytes(9).toString('base64url');
      this.secrets.set(responder, secret);
    }
    return secret;
  }

  private resolve(message: Msg): void {
    const pending = this.pending.get(message.subject);
    if (!pending) return; // answered after its deadline, or an event that a consumer delivers here
    this.pending.delete(message.subject);
    clearTimeout(pending.timer);
    if (message.headers?.code === 503 && message.data.length === 0) {
      pending.reject(new NoReplyError('no responders'));
    } else {
      pending.resolve(message);
    }
  }

  /** NATS names the subject that its user may not publish on, not the message. */
  private failDenied(subject: string): void {
    for (const [reply, pending] of this.pending) {
      if (pending.subject !== subject) continue;
      this.pending.delete(reply);
      clearTimeout(pending.timer);
      pending.reject(new NoReplyError('denied'));
    }
  }

  private failAll(error: Error): void {
    for (const pending of this.pending.values()) {
      clearTimeout(pending.timer);
      pending.reject(error);
    }
    this.pending.clear();
  }
}
