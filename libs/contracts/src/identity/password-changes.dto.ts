import { Email, GivenPassword, Integer, Password, Text } from '../core/fields.js';

export class ForgotPassword {
  @Email()
  email: string;
}

/** What was sent, or would have been: the same for every address. */
export class ResetSent {
  @Text({ max: 200 })
  message: string;

  @Integer({ example: 1 })
  expires_in_hours: number;
}

export class ResetPassword {
  @Text({ max: 512, description: 'From the link in the mail; works once.' })
  token: string;

  @Password()
  new_password: string;
}

export class PasswordReset {
  @Text({ max: 200 })
  message: string;
}

export class ChangePassword {
  @GivenPassword({
    optional: true,
    description:
      'Required unless the account has no password yet, as after signing in by mail or by another provider.',
  })
  current_password?: string;

  @Password()
  new_password: string;
}
