import {
  type ById,
  type Caller,
  type FindSlots,
  type ListMentors,
  type MentorDetails,
  type MentorPage,
  Mentors,
  type SlotList,
} from '@mentorhub/contracts';
import { Handle } from '@mentorhub/messaging';
import { Controller } from '@nestjs/common';
import { SlotsService } from '../availability/slots.service.js';
import { MentorsService } from './mentors.service.js';

@Controller()
export class MentorsController {
  constructor(
    private readonly mentors: MentorsService,
    private readonly slots: SlotsService,
  ) {}

  @Handle(Mentors.list)
  list(_actor: Caller | undefined, query: ListMentors): Promise<MentorPage> {
    return this.mentors.list(query);
  }

  @Handle(Mentors.get)
  get(actor: Caller | undefined, { id }: ById): Promise<MentorDetails> {
    return this.mentors.details(actor, id);
  }

  @Handle(Mentors.slots)
  findSlots(_actor: Caller | undefined, query: FindSlots & ById): Promise<SlotList> {
    return this.slots.find(query);
  }
}
