import { maxBatchCharacters, messagesStored, type SignalledMessage } from '@mentorhub/contracts';
import { Signals } from '@mentorhub/messaging';
import { Injectable } from '@nestjs/common';
import { visibleClientId } from './client-id.js';
import type { StoredMessage } from './stored-message.js';

/** Signals stored messages to the open sockets. What gets lost here, they find in the event log. */
@Injectable()
export class MessageSignals {
  constructor(private readonly signals: Signals) {}

  /** @param stored by one commit, in the order of their ids */
  publish(stored: readonly StoredMessage[]): void {
    let messages: SignalledMessage[] = [];
    let characters = 0;
    for (const one of stored) {
      const { length } = one.message.text;
      if (characters + length > maxBatchCharacters) {
        this.signals.publish(messagesStored, { messages });
        messages = [];
        characters = 0;
      }
      messages.push(signalled(one));
      characters += length;
    }
    if (messages.length > 0) this.signals.publish(messagesStored, { messages });
  }
}

function signalled(stored: StoredMessage): SignalledMessage {
  const { message, id, senderUsername, sentAt, offsets } = stored;
  const { chat } = message;
  return {
    frame: {
      type: 'message',
      id,
      chat_id: chat.id,
      sender_id: message.senderId,
      sender_username: senderUsername,
      content: message.text,
      timestamp: sentAt,
    },
    client_id: visibleClientId(message.clientId),
    origin: message.origin,
    offsets: [
      [chat.users[0], offsets[0]],
      [chat.users[1], offsets[1]],
    ],
  };
}
