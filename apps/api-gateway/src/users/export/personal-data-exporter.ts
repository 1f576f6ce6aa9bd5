import { Readable } from 'node:stream';
import {
  ApplicationError,
  type Caller,
  type Device,
  personalData,
  PersonalDataExports,
  type PersonalDataPart,
  type PersonalDataService,
  personalDataServices,
} from '@mentorhub/contracts';
import { RequestClient, requestContext } from '@mentorhub/messaging/client';
import { Injectable, Logger } from '@nestjs/common';

/** Exports at a time; each occupies some hundred KB. */
const mostExports = 16;
/** Longest that a client may take to read a part, and the whole. */
const partTimeoutMs = 30_000;
const totalTimeoutMs = 600_000;

/** Writes everything that the services hold about a user as one JSON, while they are asked for it, part by part. */
@Injectable()
export class PersonalDataExporter {
  private readonly logger = new Logger(PersonalDataExporter.name);
  private running = 0;

  constructor(private readonly requests: RequestClient) {}

  /**
   * The text of the JSON, as the client reads it. The first part of every service is there before: a service that is away
   * is an error with a status. One that goes away later ends the stream with an error, and the file is visibly cut off.
   * @throws ApplicationError REAUTHENTICATION_REQUIRED, RATE_LIMITED, OVERLOADED, SERVICE_UNAVAILABLE, DEADLINE_EXCEEDED
   */
  async open(actor: Caller, device: Device): Promise<Readable> {
    if (this.running >= mostExports) throw overloaded();
    this.running += 1;
    try {
      const { exported_at } = await this.requests.request(PersonalDataExports.begin, actor, {
        device,
      });
      const first = await Promise.all(
        personalDataServices.map((service) => this.collect(service, actor.user_id)),
      );
      const parts = new Map(personalDataServices.map((service, at) => [service, first[at]!]));
      return this.stream({ exported_at, user_id: actor.user_id }, parts);
    } catch (error) {
      this.running -= 1;
      throw error;
    }
  }

  private stream(
    head: { exported_at: string; user_id: number },
    first: Map<PersonalDataService, PersonalDataPart>,
  ): Readable {
    const context = requestContext.current();
    const texts = this.texts(head, first, (service, cursor) => {
      const ask = () => this.collect(service, head.user_id, cursor);
      return context ? requestContext.run(context, ask) : ask();
    });
    const giveUp = (): void => {
      stream.destroy(new Error('The client of an export does not read it.'));
    };
    const stream = Readable.from(watched(texts, giveUp), { objectMode: false });
    const total = setTimeout(giveUp, totalTimeoutMs).unref();
    stream.once('close', () => {
      clearTimeout(total);
      this.running -= 1;
    });
    stream.once('error', (error) => {
      this.logger.warn('An export broke off.', { user_id: head.user_id, err: error });
    });
    return stream;
  }

  private async *texts(
    head: { exported_at: string; user_id: number },
    first: Map<PersonalDataService, PersonalDataPart>,
    next: (service: PersonalDataService, cursor: string) => Promise<PersonalDataPart>,
  ): AsyncGenerator<string> {
    yield JSON.stringify(head).slice(0, -1);
    for (const service of personalDataServices) {
      yield `,"${service}":{`;
      let section: string | undefined;
      let isEmpty = true;
      let part = first.get(service)!;
      first.delete(service);
      for (;;) {
        for (const { name, items } of part.sections) {
          const texts = items.map((item) => JSON.stringify(item)).join(',');
          if (name !== section) {
            yield `${section === undefined ? '' : '],'}${JSON.stringify(name)}:[`;
            section = name;
            isEmpty = true;
          }
          if (texts === '') continue;
          yield isEmpty ? texts : `,${texts}`;
          isEmpty = false;
        }
        if (part.next === null) break;
        part = await next(service, part.next);
      }
      yield section === undefined ? '}' : ']}';
    }
    yield '}\n';
  }

  private collect(
    service: PersonalDataService,
    user_id: number,
    cursor?: string,
  ): Promise<PersonalDataPart> {
    return this.requests.request(personalData(service).collect, undefined, { user_id, cursor });
  }
}

/** Gives up on a reader who takes too long to ask for more. */
async function* watched(texts: AsyncIterable<string>, giveUp: () => void): AsyncGenerator<string> {
  for await (const text of texts) {
    const timer = setTimeout(giveUp, partTimeoutMs).unref();
    try {
      yield text;
    } finally {
      clearTimeout(timer);
    }
  }
}

function overloaded(): ApplicationError {
  return new ApplicationError('OVERLOADED', 'Too many exports at the moment; try again shortly.', {
    retryAfterSeconds: 30,
  });
}
