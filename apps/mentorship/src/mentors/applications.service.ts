import {
  type ApplicationPage,
  type ApplyAsMentor,
  type Caller,
  ApplicationError,
  type ListApplications,
  type MentorApplication,
  mentorApplied,
  mentorApproved,
  mentorCurrency,
  mentorRejected,
  type MentorStatus,
  paging,
  shownName,
  timeZoneOf,
  toMajor,
  toMinor,
  toPage,
  Users,
} from '@mentorhub/contracts';
import { Outbox, RequestClient, requestContext } from '@mentorhub/messaging';
import { People } from '@mentorhub/people';
import { Transactions } from '@mentorhub/persistence';
import { Clock } from '@mentorhub/service-kit';
import { Injectable } from '@nestjs/common';
import { DataSource, type EntityManager, IsNull } from 'typeorm';
import { AvailabilityService } from '../availability/availability.service.js';
import { readWeeklyAvailability } from '../availability/domain/availability-rules.js';
import { rfc3339 } from '../instants.js';
import { applicationMessage } from './application-messages.js';
import { Mentor, searchColumns } from './mentor.entity.js';
import { decided, type Decision } from './mentor.state-machine.js';

/** How users become mentors. */
@Injectable()
export class ApplicationsService {
  constructor(
    private readonly dataSource: DataSource,
    private readonly transactions: Transactions,
    private readonly availability: AvailabilityService,
    private readonly people: People,
    private readonly requests: RequestClient,
    private readonly outbox: Outbox,
    private readonly clock: Clock,
  ) {}

  /**
   * Applies; rejected applicants may apply again. Without a time zone it is that of the user's profile.
   *
   * @throws ApplicationError `EMAIL_NOT_VERIFIED`, `ALREADY_MENTOR`, `VALIDATION_FAILED` with one error for each range that does not fit
   */
  async apply(actor: Caller, request: ApplyAsMentor): Promise<MentorApplication> {
    const { hours, errors } = readWeeklyAvailability(request.availability ?? {});
    if (errors.length > 0) {
      throw new ApplicationError(
        'VALIDATION_FAILED',
        'Some ranges of the availability do not fit.',
        {
          errors,
        },
      );
    }
    await this.people.requireVerified(actor.user_id);
    const timezone = request.timezone ?? (await this.zoneOf(actor));

    return this.transactions.run(async (tx) => {
      const { title, description, skills } = request;
      const profile = {
        title,
        description,
        skills,
        ...searchColumns({ title, description, skills }),
        pricePerHourMinor: toMinor(request.price_per_hour, mentorCurrency),
        currency: mentorCurrency,
        timezone,
        status: 'pending' as const,
        appliedAt: this.clock.now(),
      };
      const id = (await this.open(tx, actor, profile)) ?? (await this.reopen(tx, actor, profile));
      await this.availability.write(tx, id, hours);
      await this.outbox.add(tx, mentorApplied, id, { mentor_id: id, user_id: actor.user_id });
      return this.answer(id, 'pending');
    });
  }

  /** Applications of a status, the longest waiting first. */
  async list(_actor: Caller, query: ListApplications): Promise<ApplicationPage> {
    const { limit, offset } = paging(query);
    const [mentors, total] = await this.dataSource.manager.findAndCount(Mentor, {
      where: { status: query.status ?? 'pending', erasedAt: IsNull() },
      order: { appliedAt: 'ASC', id: 'ASC' },
      take: limit,
      skip: offset,
    });
    const people = await this.people.ensure(mentors.map(({ userId }) => userId));
    const items = mentors.map((mentor) => {
      const person = people.get(mentor.userId);
      return {
        id: mentor.id,
        user: {
          id: mentor.userId,
          full_name: shownName(person?.full_name, requestContext.current()?.locale),
          avatar_url: person?.avatar_url ?? null,
        },
        title: mentor.title,
        description: mentor.description,
        skills: mentor.skills,
        price_per_hour: toMajor(mentor.pricePerHourMinor, mentor.currency),
        status: mentor.status,
        applied_at: rfc3339(mentor.appliedAt),
      };
    });
    return toPage(items, total, query);
  }

  /** @throws ApplicationError `NOT_FOUND`, `WRONG_STATE` when it was decided already */
  approve(actor: Caller, id: number): Promise<MentorApplication> {
    return this.decide(actor, id, { decision: 'approve', reason: null });
  }

  /** @throws ApplicationError `NOT_FOUND`, `WRONG_STATE` when it was decided already */
  reject(actor: Caller, id: number, reason: string): Promise<MentorApplication> {
    return this.decide(actor, id, { decision: 'reject', reason });
  }

  private decide(
    actor: Caller,
    id: number,
    { decision, reason }: { decision: Decision; reason: string | null },
  ): Promise<MentorApplication> {
    return this.transactions.run(async (tx) => {
      const mentor = await tx.findOne(Mentor, {
        where: { id },
        lock: { mode: 'for_no_key_update' },
      });
      if (!mentor) throw ApplicationError.notFound('The application');
      const status = decided(mentor.status, decision);
      await tx.update(Mentor, id, {
        status,
        decidedAt: this.clock.now(),
        decisionReason: reason,
        version: mentor.version + 1,
      });
      const fact = { mentor_id: id, user_id: mentor.userId, decided_by: actor.user_id };
      await (decision === 'approve'
        ? this.outbox.add(tx, mentorApproved, id, fact)
        : this.outbox.add(tx, mentorRejected, id, { ...fact, reason: reason ?? '' }));
      return this.answer(id, status);
    });
  }

  /** The new application's id; undefined when the user has one. */
  private async open(
    tx: EntityManager,
    { user_id: userId }: Caller,
    profile: Partial<Mentor>,
  ): Promise<number | undefined> {
    const { raw } = await tx
      .createQueryBuilder()
      .insert()
      .into(Mentor)
      .values({ userId, ...profile })
      .orIgnore()
      .returning('id')
      .execute();
    return (raw as { id: number }[])[0]?.id;
  }

  private async reopen(
    tx: EntityManager,
    { user_id: userId }: Caller,
    profile: Partial<Mentor>,
  ): Promise<number> {
    const mentor = await tx.findOneOrFail(Mentor, {
      where: { userId },
      lock: { mode: 'for_no_key_update' },
    });
    if (mentor.status !== 'rejected') {
      throw new ApplicationError(
        'ALREADY_MENTOR',
        mentor.status === 'approved'
          ? 'You are a mentor already: change your profile instead.'
          : 'Your application is being reviewed already.',
      );
    }
    await tx.update(Mentor, mentor.id, {
      ...profile,
      decidedAt: null,
      decisionReason: null,
      version: mentor.version + 1,
    });
    return mentor.id;
  }

  private async zoneOf({ user_id }: Caller): Promise<string> {
    const { timezone } = await this.requests.request(Users.contact, undefined, { user_id });
    return timeZoneOf(timezone);
  }

  private answer(id: number, status: MentorStatus): MentorApplication {
    return { id, status, message: applicationMessage(status, requestContext.current()?.locale) };
  }
}
