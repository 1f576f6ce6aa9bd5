import { type PersonalDataSource, rowsByKey } from '@mentorhub/persistence';

/** What notifications holds of a user. */
export const personalDataSources: readonly PersonalDataSource[] = [
  rowsByKey(
    'recipients',
    'SELECT user_id, locale, timezone FROM recipients WHERE user_id = $1',
    'user_id',
  ),
  rowsByKey(
    'notifications',
    'SELECT id, type, title, body, data, params, read_at, created_at FROM notifications WHERE user_id = $1',
  ),
  rowsByKey(
    'deferred_notifications',
    'SELECT id, type, params, data FROM deferred_notifications WHERE user_id = $1',
  ),
  rowsByKey(
    'mails',
    'SELECT id, template, params, state, created_at, sent_at FROM mails WHERE user_id = $1',
  ),
  rowsByKey(
    'chat_reads',
    'SELECT chat_id, message_id FROM chat_reads WHERE user_id = $1',
    'chat_id',
  ),
];
