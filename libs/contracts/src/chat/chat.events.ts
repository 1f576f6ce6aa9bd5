import { event } from '../core/event.js';
import { signal } from '../core/signal.js';
import type { LiveFrame } from './chat.frames.js';

/** A message that was stored. Its text stays with chat. */
export interface MessageFact {
  message_id: number;
  chat_id: number;
  sender_id: number;
  sender_name: string;
  recipient_ids: number[];
  /** RFC 3339, UTC. */
  sent_at: string;
}

/**
 * Messages were sent: all that one group commit stored, at most 200, in the order of their ids. An event a message
 * would cost more than the message.
 */
export const messageSent = event<{ messages: MessageFact[] }>('chat.message.sent');

/** A frame on its way to the open sockets of one user. */
export interface SignalledFrame {
  frame: LiveFrame;
  /** The `origin` of the frame's message: the socket it was sent on gets the `ack` instead. */
  origin?: string;
}

/** A frame for the open sockets of one user; the key is the user's id. */
export const userFrame = signal<SignalledFrame>('user.*.frame');
