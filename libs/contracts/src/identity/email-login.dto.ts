import { Choice, Email, Flag, Id, Integer, Nested, Pattern, Text } from '../core/fields.js';

export const mansaRoles = ['user', 'admin', 'mentee', 'mentor', 'mentor_mentee'] as const;
export type MansaRole = (typeof mansaRoles)[number];

export const approvalStatuses = ['approved', 'pending', 'not_required'] as const;
export type ApprovalStatus = (typeof approvalStatuses)[number];

/** A code out of a mail, as the mail shows it. */
export function MailedCode(options: { optional?: boolean } = {}): PropertyDecorator {
  return Pattern(/^\d{3} ?\d{3}$/, 'the six digits of the mail', {
    example: '123456',
    description: 'The six digits of the mail.',
    ...options,
  });
}

export class RequestEmailLogin {
  @Email()
  email: string;
}

/** A mail is on its way, if there is anybody to write to. */
export class CodeRequested {
  @Text({ max: 200 })
  detail: string;

  @Integer({ example: 600, description: 'Seconds in which the code and the link work.' })
  expires_in: number;
}

/** `email` and `code`, or `token`. */
export class VerifyEmailLogin {
  @Email({ optional: true })
  email?: string;

  @MailedCode({ optional: true })
  code?: string;

  @Text({ max: 512, optional: true, description: 'From the link in the mail.' })
  token?: string;
}

/** A user as the Mansa surface shows one. */
export class MansaUser {
  @Id({ example: 1 })
  id: number;

  @Email()
  email: string;

  @Text({ min: 0, max: 120, example: 'Ada', description: 'The first word of the name.' })
  first_name: string;

  @Text({ min: 0, max: 120, example: 'Lovelace', description: 'The rest of the name.' })
  last_name: string;

  @Text({ max: 32, example: 'ada.lovelace' })
  user_name: string;

  @Choice(mansaRoles, { example: 'mentor_mentee' })
  role: MansaRole;

  @Flag({ description: 'Is an approved mentor.' })
  is_mentor: boolean;

  @Flag()
  is_mentee: boolean;

  @Choice(approvalStatuses, {
    example: 'approved',
    description: 'Whether the user is approved as a mentor; `not_required` for mentees alone.',
  })
  approval_status: ApprovalStatus;
}

/** Tokens and their user, as the Mansa surface names them. */
export class EmailLoginAnswer {
  @Text({ max: 4096, description: 'JWT, sent as `Authorization: Bearer …`.' })
  access: string;

  @Text({ max: 512, description: 'Works once.' })
  refresh: string;

  @Nested(() => MansaUser)
  user: MansaUser;

  @Text({
    max: 200,
    example: '/community/mentorship',
    description: 'The page of the web application for this user.',
  })
  redirect_to: string;
}
