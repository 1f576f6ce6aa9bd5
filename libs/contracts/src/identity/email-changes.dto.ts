import { Email, GivenPassword, Integer, Text } from '../core/fields.js';

export class ChangeEmail {
  @Email({ description: 'The new address.' })
  email: string;
}

/** The same answer whether or not the address has an account. */
export class EmailChangeRequested {
  @Text({ max: 200 })
  message: string;

  @Integer({ example: 24 })
  expires_in_hours: number;
}

export class ConfirmEmailChange {
  @Text({ max: 512, description: 'From the link in the mail; works once.' })
  token: string;

  @GivenPassword({
    optional: true,
    description: "The account's password; not needed with an access token of the account.",
  })
  password?: string;
}

export class UndoEmailChange {
  @Text({ max: 512, description: 'From the link in the mail to the old address; works once.' })
  token: string;
}

export class EmailChanged {
  @Text({ max: 300 })
  message: string;

  @Email({ description: 'The address of the account from now on.' })
  email: string;
}
