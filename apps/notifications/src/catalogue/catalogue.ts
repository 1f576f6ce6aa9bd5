import { type Locale, type NotificationType, shownName } from '@mentorhub/contracts';
import type { NotificationParams } from '../notifications/notification-params.js';
import type { Catalogue, NotificationText } from './catalogue-entries.js';
import { en } from './en.js';
import { Formats } from './formats.js';
import { isNameParam } from '../notifications/without-name.js';
import { ru } from './ru.js';

export const catalogues: Record<Locale, Catalogue> = { en, ru };

/** The title and body of a notification, in the language and the time zone of its reader. */
export function notificationText<T extends NotificationType>(
  type: T,
  params: NotificationParams[T],
  { locale, timezone }: { locale: Locale; timezone: string },
): NotificationText {
  const write = catalogues[locale].notifications[type];
  const { title, body } = write(named(params, locale), new Formats(locale, timezone));
  return { title: clip(title, 200), body: clip(body, 1000) };
}

/** Parameters in which users who are gone have a name for the reader. */
function named<Params extends object>(params: Params, locale: Locale): Params {
  const entries = Object.entries(params).map(([key, value]: [string, unknown]) => [
    key,
    value === '' && isNameParam(key) ? shownName('', locale) : value,
  ]);
  return Object.fromEntries(entries) as Params;
}

/** Shortens a text to so many characters, an ellipsis included, without cutting one in two. */
export function clip(text: string, max: number): string {
  if (text.length <= max) return text;
  const end = /[\uD800-\uDBFF]$/.test(text.slice(0, max - 1)) ? max - 2 : max - 1;
  return `${text.slice(0, end)}…`;
}
