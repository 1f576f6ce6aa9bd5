import {
  type Caller,
  type ChangeEmail,
  type ConfirmEmailChange,
  type Device,
  EmailChanges,
  type UndoEmailChange,
} from '@mentorhub/contracts';
import { Handle } from '@mentorhub/messaging';
import { Controller } from '@nestjs/common';
import { EmailChangesService } from './email-changes.service.js';

@Controller()
export class EmailChangesController {
  constructor(private readonly changes: EmailChangesService) {}

  @Handle(EmailChanges.request)
  request(actor: Caller, request: ChangeEmail & { device: Device }) {
    return this.changes.request(actor, request);
  }

  @Handle(EmailChanges.confirm)
  confirm(actor: Caller | undefined, request: ConfirmEmailChange & { device: Device }) {
    return this.changes.confirm(actor, request);
  }

  @Handle(EmailChanges.undo)
  undo(_: Caller | undefined, request: UndoEmailChange & { device: Device }) {
    return this.changes.undo(request);
  }
}
