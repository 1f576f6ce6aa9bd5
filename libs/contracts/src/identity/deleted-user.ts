import type { Locale } from '../core/caller.js';

const names: Readonly<Record<Locale, string>> = {
  en: 'Deleted user',
  ru: 'Удалённый пользователь',
};

/**
 * The name of a person as a reader sees it. Of people who erased their accounts, or whom identity does not know any more,
 * services have none, or an empty one: then it says so in the reader's language.
 */
export function shownName(fullName: string | null | undefined, locale: Locale = 'en'): string {
  return fullName || names[locale];
}
