import type { ById, PageQuery } from '../core/page.dto.js';
import type { Problem } from '../core/errors.js';
import {
  flagField,
  idField,
  idsField,
  listField,
  optionalField,
  textField,
} from '../core/field-checks.js';
import { request } from '../core/request.js';
import type {
  ChatPage,
  MessageHistory,
  MessageView,
  OnlineUsers,
  ReadHistory,
  ReadResult,
  SendMessage,
} from './chat.dto.js';
import type { AckFrame, DurableFrame } from './chat.frames.js';

/** A place in a user's event log. */
export interface LogPosition {
  /** Changes when the log starts anew; offsets of different epochs do not compare. */
  epoch: string;
  /** Offset of the last event; 0 before the first. */
  offset: number;
}

/** Where a reader goes on: what it was answered last, or the position of a device alone. */
export interface LogCursor extends LogPosition {
  /** The last message up to `offset`: chat need not look for it. */
  after_message_id?: number;
}

/** A page of a user's event log: the frames after `offset` that fit both limits; at least one, if there is one. */
export interface ReadLog extends LogCursor {
  /** Default 200, at most 500. */
  limit?: number;
  /** Of the frames as JSON; default and at most 600 000. */
  max_bytes?: number;
}

/** Part of a user's event log. `epoch` and `offset` say where its reader stands afterwards. */
export interface LogSlice extends LogCursor {
  /** False: the log does not reach back to the asked offset, or the epoch changed; refetch over REST. */
  recovered: boolean;
  frames: DurableFrame[];
  /** More frames follow the last of `frames`. */
  has_more: boolean;
}

/** A message that came in over a socket. */
export interface SocketPost {
  /** The user who sent it, verified by the gateway. */
  sender_id: number;
  message: SendMessage;
  /** Names the socket and the post; comes back with the signal of the message. */
  origin?: string;
}

/**
 * Text that messages sent together on NATS may have in all. In JSON a character takes up to 6 bytes, and what is around
 * 200 messages takes some 160 000: together less than the 1 MiB of a NATS message.
 */
export const maxBatchCharacters = 120_000;

/** What the `ack` of a post has beyond what its gateway knows. */
export type AckDetails = Omit<AckFrame, 'type' | 'client_id'>;

export type PostAnswer = { ack: AckDetails } | { problem: Problem };

export const Chats = {
  list: request.user<PageQuery, ChatPage>('chat.chats.list'),
  history: request.user<ReadHistory & ById, MessageHistory>('chat.chats.history'),
};

export const Messages = {
  send: request.user<SendMessage, MessageView>('chat.messages.send'),
  /**
   * The same for the sockets of a gateway, many at once: at some thousand messages a second a request for each costs
   * more than the messages. One answer per post, in the order of the posts. At most 200. A post whose message is not
   * valid is answered with a problem of its own.
   */
  post: request.service<{ posts: SocketPost[] }, { answers: PostAnswer[] }>('chat.messages.post', {
    fields: {
      posts: listField(200, { sender_id: idField, origin: optionalField(textField(200)) }),
    },
  }),
  /** Reads everything up to the message in its chat. */
  read: request.user<ById, ReadResult>('chat.messages.read'),
};

export const Typing = {
  /** Shows the caller as typing to the others of a chat. */
  show: request.user<{ recipient_id?: number; chat_id?: number }, void>('chat.typing.show', {
    fields: { recipient_id: optionalField(idField), chat_id: optionalField(idField) },
  }),
};

export const EventLog = {
  head: request.user<Record<string, never>, LogPosition>('chat.event_log.head'),
  read: request.user<ReadLog, LogSlice>('chat.event_log.read'),
  /** Offsets of many users at once, so that a gateway notices what a lost signal left behind. At most 1000 ids. */
  heads: request.service<{ user_ids: number[] }, { offsets: Record<string, number> }>(
    'chat.event_log.heads',
    { fields: { user_ids: idsField(1000) } },
  ),
};

/** The users with a socket on a gateway who came and went since its last report. */
export interface PresenceReport {
  gateway_id: string;
  /** Grows with each report: a report that arrives after a later one is refused. Older gateways send none. */
  number?: number;
  came: number[];
  went: number[];
  /** `came` are all; replaces what was reported before. Requested by `unknown_gateway`. */
  reset?: boolean;
}

/** A report also renews the gateway's lease; when a lease runs out, its users are offline. */
export interface PresenceLease {
  lease_seconds: number;
  /** There is no lease of this gateway: report everyone, with `reset`. */
  unknown_gateway?: true;
}

/** More than fit into a NATS message of 1 MiB, with ids as long as those of a system with so many users. */
const maxReportedUsers = 200_000;

export const Presence = {
  /** Who is online of those the caller shares a chat with, at most 500. */
  online: request.user<Record<string, never>, OnlineUsers>('chat.presence.online'),
  report: request.service<PresenceReport, PresenceLease>('chat.presence.report', {
    fields: {
      gateway_id: textField(100),
      number: optionalField(idField),
      came: idsField(maxReportedUsers),
      went: idsField(maxReportedUsers),
      reset: optionalField(flagField),
    },
  }),
};
