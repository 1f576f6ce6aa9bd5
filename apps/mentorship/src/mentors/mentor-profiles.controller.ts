import {
  type ById,
  type Caller,
  type ListMentorProfiles,
  type MentorAvailability,
  type MentorProfile,
  type MentorProfilePage,
  MentorProfiles,
} from '@mentorhub/contracts';
import { Handle } from '@mentorhub/messaging';
import { Controller } from '@nestjs/common';
import { MentorsService } from './mentors.service.js';

@Controller()
export class MentorProfilesController {
  constructor(private readonly mentors: MentorsService) {}

  @Handle(MentorProfiles.list)
  list(_actor: Caller | undefined, query: ListMentorProfiles): Promise<MentorProfilePage> {
    return this.mentors.listProfiles(query);
  }

  @Handle(MentorProfiles.get)
  get(_actor: Caller | undefined, { id }: ById): Promise<MentorProfile> {
    return this.mentors.profile(id);
  }

  @Handle(MentorProfiles.mine)
  mine(actor: Caller): Promise<MentorProfile> {
    return this.mentors.myProfile(actor);
  }

  @Handle(MentorProfiles.availability)
  availability(_actor: Caller | undefined, { id }: ById): Promise<MentorAvailability> {
    return this.mentors.availabilityOf(id);
  }
}
