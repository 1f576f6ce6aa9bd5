import { event } from '../core/event.js';
import { signal } from '../core/signal.js';
import type { LiveFrame } from './chat.frames.js';

export interface MessageSent {
  message_id: number;
  chat_id: number;
  sender_id: number;
  sender_name: string;
  recipient_ids: number[];
  /** RFC 3339, UTC. */
  sent_at: string;
}

/** The text stays with chat. */
export const messageSent = event<MessageSent>('chat.message.sent');

/** A frame on its way to the open sockets of one user. */
export interface SignalledFrame {
  frame: LiveFrame;
  /** The `origin` of the frame's message: the socket it was sent on gets the `ack` instead. */
  origin?: string;
}

/** A frame for the open sockets of one user; the key is the user's id. */
export const userFrame = signal<SignalledFrame>('user.*.frame');
