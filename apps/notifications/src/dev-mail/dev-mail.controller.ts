import { type Caller, type CapturedMail, ApplicationError, DevMail } from '@mentorhub/contracts';
import { Handle } from '@mentorhub/messaging';
import { CONFIG } from '@mentorhub/service-kit';
import { Controller, Inject } from '@nestjs/common';
import type { NotificationsConfig } from '../config.js';
import { LogTransport } from '../mail/transports/log-transport.js';
import { MailTransport } from '../mail/transports/mail-transport.js';

/** Shows captured mails to developers. They hold tokens, so only the local profile does it. */
@Controller()
export class DevMailController {
  constructor(
    @Inject(CONFIG) private readonly config: NotificationsConfig,
    private readonly transport: MailTransport,
  ) {}

  @Handle(DevMail.list)
  async list(
    _actor: Caller | undefined,
    { to }: { to?: string },
  ): Promise<{ items: CapturedMail[] }> {
    if (this.config.PROFILE !== 'local' || !(this.transport instanceof LogTransport)) {
      throw ApplicationError.notFound('The page');
    }
    return { items: await this.transport.list(to) };
  }
}
