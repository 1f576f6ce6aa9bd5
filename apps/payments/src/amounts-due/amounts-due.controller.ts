import {
  type AmountDueClosing,
  AmountsDue,
  type BookingFact,
  type Caller,
} from '@mentorhub/contracts';
import { Handle } from '@mentorhub/messaging';
import { Controller } from '@nestjs/common';
import { Captures } from '../payments/capture.service.js';

/** What mentorship asks about amounts due. */
@Controller()
export class AmountsDueController {
  constructor(private readonly captures: Captures) {}

  @Handle(AmountsDue.close)
  close(_actor: Caller | undefined, booking: BookingFact): Promise<AmountDueClosing> {
    return this.captures.closeUnpaid(booking);
  }
}
