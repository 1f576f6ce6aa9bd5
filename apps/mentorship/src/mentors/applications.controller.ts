import {
  type ApplicationPage,
  type ApplyAsMentor,
  type ById,
  type Caller,
  type ListApplications,
  type MentorApplication,
  Mentors,
  type RejectMentor,
} from '@mentorhub/contracts';
import { Handle } from '@mentorhub/messaging';
import { Controller } from '@nestjs/common';
import { ApplicationsService } from './applications.service.js';

@Controller()
export class ApplicationsController {
  constructor(private readonly applications: ApplicationsService) {}

  @Handle(Mentors.apply)
  apply(actor: Caller, request: ApplyAsMentor): Promise<MentorApplication> {
    return this.applications.apply(actor, request);
  }

  @Handle(Mentors.applications)
  list(actor: Caller, query: ListApplications): Promise<ApplicationPage> {
    return this.applications.list(actor, query);
  }

  @Handle(Mentors.approve)
  approve(actor: Caller, { id }: ById): Promise<MentorApplication> {
    return this.applications.approve(actor, id);
  }

  @Handle(Mentors.reject)
  reject(actor: Caller, { id, reason }: RejectMentor & ById): Promise<MentorApplication> {
    return this.applications.reject(actor, id, reason);
  }
}
