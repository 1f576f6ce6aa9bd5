import {
  type AccountMail,
  type AccountMailRequest,
  ApplicationError,
  type MintedMail,
} from '@mentorhub/contracts';
import { Injectable } from '@nestjs/common';

/** Makes what only the mail may say. @throws ApplicationError NOT_FOUND when it is not to be sent any more */
export type MailMinter = (request: AccountMailRequest) => Promise<MintedMail>;

/** Which feature writes which mail. Each adds its own when the service starts. */
@Injectable()
export class AccountMailRegistry {
  private readonly minters = new Map<AccountMail, MailMinter>();

  add(mail: AccountMail, minter: MailMinter): void {
    this.minters.set(mail, minter);
  }

  /** @throws ApplicationError NOT_FOUND */
  mint(request: AccountMailRequest): Promise<MintedMail> {
    const minter = this.minters.get(request.mail);
    if (!minter) throw ApplicationError.notFound('The mail');
    return minter(request);
  }
}
