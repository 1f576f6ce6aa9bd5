import type { Locale, MentorStatus } from '@mentorhub/contracts';

/** What an application answers, in the caller's language. */
const messages: Record<Locale, Record<MentorStatus, string>> = {
  en: {
    pending: 'Your application has been sent for review.',
    approved: 'The application is approved.',
    rejected: 'The application is rejected.',
  },
  ru: {
    pending: 'Заявка отправлена на модерацию',
    approved: 'Заявка одобрена',
    rejected: 'Заявка отклонена',
  },
};

export function applicationMessage(status: MentorStatus, locale: Locale = 'en'): string {
  return messages[locale][status];
}
