import type { NotificationView } from '../notifications/notifications.dto.js';

/*
 * What the WebSocket sends. Durable frames carry the `offset` of the user's event log; the others are sent once or
 * not at all.
 */

export interface MessageFrame {
  type: 'message';
  id: number;
  chat_id: number;
  sender_id: number;
  sender_username: string;
  content: string;
  /** RFC 3339, UTC. */
  timestamp: string;
  /** Only on the sender's own devices. */
  client_id?: string;
  offset: number;
}

export interface ReadFrame {
  type: 'read';
  chat_id: number;
  message_id: number;
  user_id: number;
  read_at: string;
  offset: number;
}

export interface NotificationFrame {
  type: 'notification';
  notification: NotificationView;
  unread_count: number;
  offset: number;
}

export type DurableFrame = MessageFrame | ReadFrame | NotificationFrame;

export interface TypingFrame {
  type: 'typing';
  user_id: number;
  username: string;
  chat_id: number;
}

export interface PresenceFrame {
  type: 'presence';
  user_id: number;
  status: 'online' | 'offline';
  at: string;
}

export type LiveFrame = DurableFrame | TypingFrame | PresenceFrame;

/** Answer to a stored message; sent only after the commit. */
export interface AckFrame {
  type: 'ack';
  client_id?: string;
  id: number;
  chat_id: number;
  timestamp: string;
  /**
   * Place of the message in the sender's event log, which counts as delivered to this device. Without it (a duplicate,
   * or a log that is not delivered up to there yet) the message itself comes, or came, as a `message` frame.
   */
  offset?: number;
  /** The `client_id` was stored before. */
  duplicate?: true;
}

export interface PongFrame {
  type: 'pong';
}

export interface WelcomeFrame {
  type: 'welcome';
  user_id: number;
  connection_id: string;
  heartbeat_seconds: number;
  epoch: string;
  offset: number;
}

export interface ResumedFrame {
  type: 'resumed';
  recovered: boolean;
  offset: number;
}

export const frameErrorCodes = [
  'malformed',
  'unknown_type',
  'validation',
  'not_found',
  'forbidden',
  'rate_limited',
  'unavailable',
  'unauthenticated',
  'slow_consumer',
] as const;
export type FrameErrorCode = (typeof frameErrorCodes)[number];

export interface ErrorFrame {
  type: 'error';
  code: FrameErrorCode;
  detail: string;
  client_id?: string;
}

export type ServerFrame =
  LiveFrame | AckFrame | PongFrame | WelcomeFrame | ResumedFrame | ErrorFrame;

/** Why the gateway closes a socket. */
export const closeCodes = {
  draining: 1001,
  frameTooLarge: 1009,
  tooManyMalformedFrames: 4400,
  unauthenticated: 4401,
  heartbeatMissed: 4408,
  tooManyConnections: 4409,
  slowConsumer: 4413,
  tooManyFrames: 4429,
} as const;
