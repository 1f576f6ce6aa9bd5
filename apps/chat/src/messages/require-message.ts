import { ApplicationError, idField, type SendMessage } from '@mentorhub/contracts';

const maxTextLength = 4000;
const maxClientIdLength = 64;

/**
 * Checks a message as the DTO of the gateways does, by hand: there are some thousand a second. Characters that cannot be
 * stored are left to PostgreSQL, whose refusal concerns that message alone.
 * @throws ApplicationError `VALIDATION_FAILED`
 */
export function requireMessage(message: unknown): asserts message is SendMessage {
  if (typeof message !== 'object' || message === null) {
    throw ApplicationError.invalid('message', 'message must be an object.');
  }
  const { text, client_id, recipient_id, chat_id } = message as Record<keyof SendMessage, unknown>;
  if (!isText(text, maxTextLength)) throw invalidText('text', maxTextLength);
  if (client_id !== undefined && !isText(client_id, maxClientIdLength)) {
    throw invalidText('client_id', maxClientIdLength);
  }
  if (recipient_id !== undefined) requireId('recipient_id', recipient_id);
  if (chat_id !== undefined) requireId('chat_id', chat_id);
}

/** A text of 1 to `most` code points, as PostgreSQL counts them. */
function isText(value: unknown, most: number): boolean {
  return (
    typeof value === 'string' &&
    value !== '' &&
    // A code point has one or two units, so that nearly no text needs to be counted.
    (value.length <= most || (value.length <= 2 * most && Array.from(value).length <= most))
  );
}

function invalidText(field: string, most: number): ApplicationError {
  return ApplicationError.invalid(field, `${field} must be a text of 1 to ${most} characters.`);
}

function requireId(field: string, value: unknown): void {
  const must = idField(value);
  if (must !== undefined) throw ApplicationError.invalid(field, `${field} must be ${must}.`);
}
