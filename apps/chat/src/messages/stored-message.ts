import type { DirectChat } from '../chats/direct-chats.js';

/** A message to store, checked already: the sender takes part in the chat, the text may be stored. */
export interface NewMessage {
  readonly chat: DirectChat;
  readonly senderId: number;
  readonly text: string;
  /** Stored once per sender; later ones are duplicates. */
  readonly clientId?: string;
  /** Names the post of a socket that the message came with. */
  readonly origin?: string;
  /** W3C traceparent of the request. */
  readonly trace?: string;
}

export interface StoredMessage {
  readonly message: NewMessage;
  readonly id: number;
  readonly senderUsername: string;
  /** RFC 3339, UTC. */
  readonly sentAt: string;
  /** The places in the event logs of the chat's users, in their order. */
  readonly offsets: readonly [number, number];
}
