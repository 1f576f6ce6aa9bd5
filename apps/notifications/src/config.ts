import {
  choice,
  type Environment,
  isLocal,
  type RawEnvironment,
  readEnvironment,
  serviceVariables,
  text,
  webAddress,
} from '@mentorhub/service-kit';

export const variables = {
  ...serviceVariables('NOTIFICATIONS', { managementPort: 8014 }),
  MAIL_TRANSPORT: choice(['log', 'sendgrid'])({
    defaultFrom: (environment) => (isLocal(environment) ? 'log' : undefined),
    defaultText: 'required; log in the local profile',
    desc: 'How mails leave: `log` keeps them as files in MAIL_DIRECTORY, `sendgrid` sends them',
  }),
  MAIL_DIRECTORY: text({
    default: '.data/mail',
    desc: 'Where the transport `log` keeps the newest 1000 mails',
  }),
  MAIL_FROM: text({
    defaultFrom: (environment) =>
      environment['MAIL_TRANSPORT'] === 'sendgrid'
        ? undefined
        : 'MentorHub <no-reply@mentorhub.localhost>',
    defaultText: 'required with MAIL_TRANSPORT=sendgrid',
    desc: 'The sender of every mail',
    example: 'MentorHub <no-reply@mentorhub.example>',
  }),
  SENDGRID_API_KEY: text({
    defaultFrom: (environment) =>
      environment['MAIL_TRANSPORT'] === 'sendgrid' ? undefined : 'none',
    defaultText: 'required with MAIL_TRANSPORT=sendgrid',
    secret: true,
    desc: 'The key of a SendGrid account that may send mails',
  }),
  SENDGRID_API_URL: webAddress({
    default: 'https://api.sendgrid.com',
    desc: 'Where SendGrid is reached; https://api.eu.sendgrid.com for accounts in the EU',
  }),
};
export type NotificationsConfig = Environment<typeof variables>;

/** @throws ConfigurationError that lists every bad variable */
export const readConfig = (environment: RawEnvironment): NotificationsConfig =>
  readEnvironment(environment, variables);
