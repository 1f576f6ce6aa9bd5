import { event } from '../core/event.js';
import { signal } from '../core/signal.js';
import type { LiveFrame, MessageFrame } from './chat.frames.js';

/** A message that was stored. Its text stays with chat. */
export interface MessageFact {
  message_id: number;
  chat_id: number;
  sender_id: number;
  sender_name: string;
  recipient_ids: number[];
}

/** What one group commit stored: at most 200 messages, in the order of their ids. */
export interface SentMessages {
  /** Of all of them; RFC 3339, UTC. */
  sent_at: string;
  messages: MessageFact[];
}

/** Messages were sent, together. An event a message would cost more than the message. */
export const messageSent = event<SentMessages>('chat.message.sent');

/** A user has read a chat up to a message. */
export interface ChatRead {
  chat_id: number;
  user_id: number;
  message_id: number;
}

/**
 * Chats were read, within about a second, each with the last message that its reader has read. An event for each read
 * would cost more than the read.
 */
export const chatRead = event<{ reads: ChatRead[] }>('chat.chat.read');

/** A message on its way to the open sockets of everyone in its chat. */
export interface SignalledMessage {
  frame: Omit<MessageFrame, 'offset' | 'client_id'>;
  /** For the sender's sockets only. */
  client_id?: string;
  /** Names the post it came with: the socket that sent it gets the `ack` instead. */
  origin?: string;
  /** Of everyone in the chat, the user's id and the place of the message in the user's event log. */
  offsets: [userId: number, offset: number][];
}

/**
 * Messages that a group commit stored, in the order of their ids. Every gateway receives all of them: two signals for
 * each message, to its two users, would cost the broker and both ends more than the gateways take to look through one.
 */
export const messagesStored = signal<{ messages: SignalledMessage[] }>('chat.messages');

/** Any other frame for the open sockets of one user; the key is the user's id. */
export const userFrame = signal<{ frame: Exclude<LiveFrame, MessageFrame> }>('user.*.frame');
