import {
  AckPolicy,
  type Consumer,
  type ConsumerConfig,
  type ConsumerInfo,
  DeliverPolicy,
  DiscardPolicy,
  jetstream,
  jetstreamManager,
  type JetStreamManager,
  JetStreamApiError,
  RetentionPolicy,
  StorageType,
  type StreamConfig,
  type StreamInfo,
} from '@nats-io/jetstream';
import { Inject, Injectable, Logger } from '@nestjs/common';
import { type Msg, nanos, RequestError } from '@nats-io/transport-node';
import { NatsConnectionProvider } from '../connection/nats-connection.provider.js';
import type { MessagingOptions, ServiceMessagingOptions } from '../messaging.options.js';
import { consumerName, EVENT_STREAM, filterOf, STREAM_OWNER } from '../nats-permissions.js';
import { MESSAGING_OPTIONS, SERVICE_MESSAGING_OPTIONS } from '../tokens.js';
import { streamReplicas, streamReplicasInSync, streamReplicasMissing } from './metrics.js';

const STREAM_NOT_FOUND = 10059;
const INSUFFICIENT_STORAGE = 10047;
/** No peers, insufficient resources, no cluster: there are fewer servers than replicas wanted. */
const TOO_FEW_SERVERS = [10005, 10023, 10074];
/** JetStream takes up to five replicas, and an even number survives no more failures than the odd one below. */
const REPLICAS = [5, 3, 1];
const ALL_EVENTS = 'event.>';
const DAY_MS = 86_400_000;
/** As long as published rows stay in the outboxes. */
const STREAM_MAX_AGE_MS = 7 * DAY_MS;
const STREAM_MAX_BYTES = 8 * 1024 ** 3;
const UNLIMITED = -1;
const DEDUPLICATION_MS = 120_000;
const DIRECT_GET_TIMEOUT_MS = 5000;
/** How many events the leader fetches ahead of its handlers at most. */
const MAX_ACK_PENDING = 1000;

type WantedConfig = Pick<
  StreamConfig,
  'subjects' | 'max_age' | 'max_bytes' | 'discard' | 'duplicate_window' | 'allow_direct'
>;

/** The last event of a service in the stream; sequence 0 when it has none. */
export interface LastOwn {
  readonly firstSequence: number;
  readonly sequence: number;
  readonly event: string | undefined;
}

/** Expected in every service but the owner at the first start of the system, so it is logged only once. */
export class StreamAwaitedError extends Error {
  override readonly name = 'StreamAwaitedError';
}

/**
 * Provisions the stream of all events and this service's consumers on it; every call is idempotent. Only the owner changes
 * a stream that exists, and with NATS users it alone may make one: the others wait for it.
 */
@Injectable()
export class EventStream {
  private readonly logger = new Logger(EventStream.name);
  private manager?: Promise<JetStreamManager>;
  private maxBytes: number;
  private waiting = false;
  private lacking = false;
  /** The relay and all consumers ask for the stream at the same time. */
  private ensuring?: Promise<string>;

  constructor(
    private readonly nats: NatsConnectionProvider,
    @Inject(MESSAGING_OPTIONS) private readonly app: MessagingOptions,
    @Inject(SERVICE_MESSAGING_OPTIONS) private readonly options: ServiceMessagingOptions,
  ) {
    this.maxBytes = options.streamMaxBytes ?? STREAM_MAX_BYTES;
  }

  /**
   * Makes sure that the stream exists and returns when it was created, which distinguishes a stream from its successor.
   * @throws while only the owner may make it and has not
   */
  ensure(): Promise<string> {
    this.ensuring ??= this.provision().finally(() => {
      this.ensuring = undefined;
    });
    return this.ensuring;
  }

  private async provision(): Promise<string> {
    const { streams } = await this.jetStream();
    try {
      const { config, created, cluster } = await streams.info(EVENT_STREAM);
      this.waiting = false;
      if (this.owner) {
        await this.adapt(config);
        streamReplicasInSync.set(inSync(cluster));
      }
      return created;
    } catch (error) {
      if (!failedWith(error, STREAM_NOT_FOUND)) throw error;
    }
    if (!this.mayCreate) {
      if (!this.waiting) this.logger.log(`waiting for ${STREAM_OWNER} to make the event stream`);
      this.waiting = true;
      throw new StreamAwaitedError(`${STREAM_OWNER} has not made the event stream yet`);
    }
    const { created, config } = await this.replicated(1, (num_replicas) =>
      this.limited(() =>
        streams.add({
          ...this.wanted(),
          num_replicas,
          name: EVENT_STREAM,
          storage: StorageType.File,
          retention: RetentionPolicy.Limits,
        }),
      ),
    );
    if (this.owner) {
      this.reportReplicas(config.num_replicas);
      streamReplicasInSync.set(inSync(undefined));
    }
    return created;
  }

  /** Changes the stream where it is not as it should be. */
  private async adapt(config: StreamConfig): Promise<void> {
    const { streams } = await this.jetStream();
    const { num_replicas: present } = config;
    const change = async (num_replicas: number): Promise<number> => {
      const wanted = { ...this.wanted(), num_replicas };
      if (num_replicas !== present || differ(config, wanted)) {
        await this.limited(() => streams.update(EVENT_STREAM, { ...this.wanted(), num_replicas }));
      }
      return num_replicas;
    };
    // More replicas than ours are an operator's choice.
    const replicas =
      present >= this.replicas ? await change(present) : await this.replicated(present, change);
    this.reportReplicas(replicas);
  }

  private get owner(): boolean {
    return this.app.service === STREAM_OWNER;
  }

  /** Without NATS users nothing keeps a service from it, and it need not wait for another. */
  private get mayCreate(): boolean {
    const { user, nkeySeed } = this.app.connection;
    return this.owner || (user === undefined && nkeySeed === undefined);
  }

  private wanted(): WantedConfig {
    return {
      subjects: [ALL_EVENTS],
      max_age: nanos(STREAM_MAX_AGE_MS),
      max_bytes: this.maxBytes,
      // A full stream refuses events, which then wait in the outboxes, rather than drop some that nobody handled yet.
      discard: DiscardPolicy.New,
      duplicate_window: nanos(DEDUPLICATION_MS),
      // For `lastOwn`.
      allow_direct: true,
    };
  }

  private get replicas(): number {
    return this.options.streamReplicas ?? 1;
  }

  /**
   * Provisions with as many replicas as are wanted or, where there are fewer servers, as can be had: events must flow all
   * the same. The next look tries again.
   * @param least the replicas that can be had in any case
   */
  private async replicated<T>(
    least: number,
    provision: (replicas: number) => Promise<T>,
  ): Promise<T> {
    for (const replicas of REPLICAS) {
      if (replicas > this.replicas || replicas <= least || !this.clustered) continue;
      try {
        return await provision(replicas);
      } catch (error) {
        if (!failedWith(error, ...TOO_FEW_SERVERS)) throw error;
      }
    }
    return await provision(least);
  }

  /** A server alone takes any number of replicas, and keeps one. */
  private get clustered(): boolean {
    return this.nats.connection.info?.cluster !== undefined;
  }

  private reportReplicas(configured: number): void {
    const replicas = this.clustered ? configured : 1;
    streamReplicas.set(replicas);
    streamReplicasMissing.set(Math.max(0, this.replicas - replicas));
    if (replicas < this.replicas && !this.lacking) {
      this.logger.warn(
        `the event stream has ${replicas} of ${this.replicas} replicas, as NATS has too few servers with JetStream: add servers, or lower EVENT_STREAM_REPLICAS`,
      );
    } else if (replicas >= this.replicas && this.lacking) {
      this.logger.log(`the event stream has ${replicas} replicas now`);
    }
    this.lacking = replicas < this.replicas;
  }

  /**
   * JetStream sets the bytes of a limit aside, and refuses a limit beyond what it may use of the disk. Then the stream
   * has none: at the end of its storage the server refuses events too.
   */
  private async limited<T>(provision: () => Promise<T>): Promise<T> {
    try {
      return await provision();
    } catch (error) {
      if (!failedWith(error, INSUFFICIENT_STORAGE) || this.maxBytes === UNLIMITED) throw error;
      this.logger.warn(
        `JetStream has no ${this.maxBytes} bytes to set aside: the event stream may use all of its storage`,
      );
      this.maxBytes = UNLIMITED;
      return await provision();
    }
  }

  /**
   * Makes sure that the service's durable consumer of another's events exists. One for each, as before nats-server 2.10
   * a consumer has one filter: the busy chat would wake everyone. It begins with the first event that is not acknowledged.
   * @param source the service that publishes them
   */
  async consumer(source: string): Promise<Consumer> {
    await this.ensure();
    const { consumers } = await this.jetStream();
    const name = consumerName(this.app.service, source);
    const config: Partial<ConsumerConfig> = {
      ack_wait: nanos(this.options.ackWaitMs ?? 10_000),
      max_ack_pending: MAX_ACK_PENDING,
      max_deliver: -1,
      filter_subject: filterOf(this.app.service, source),
    };
    const durable: Partial<ConsumerConfig> = {
      ...config,
      durable_name: name,
      ack_policy: AckPolicy.Explicit,
    };
    let info: ConsumerInfo;
    try {
      info = await consumers.add(EVENT_STREAM, {
        ...durable,
        deliver_policy: DeliverPolicy.All,
      });
    } catch (error) {
      // It exists with another configuration; what cannot be updated throws again.
      if (!(error instanceof JetStreamApiError)) throw error;
      info = await consumers.update(EVENT_STREAM, name, config);
    }
    if (info.num_ack_pending > 0) {
      // What a former leader or connection did not acknowledge would come back after `ack_wait`, when later events have
      // passed it. A consumer made anew begins with it; the inbox recognises what had been handled.
      await consumers.delete(EVENT_STREAM, name);
      await consumers.add(EVENT_STREAM, {
        ...durable,
        deliver_policy: DeliverPolicy.StartSequence,
        opt_start_seq: info.ack_floor.stream_seq + 1,
      });
    }
    return await jetstream(this.nats.connection).consumers.get(EVENT_STREAM, name);
  }

  /**
   * The last event of this service that the stream has, and where the stream begins; undefined when that cannot be read, as
   * before its owner has changed an older stream.
   */
  async lastOwn(): Promise<LastOwn | undefined> {
    const { streams } = await this.jetStream();
    const { state } = await streams.info(EVENT_STREAM);
    const firstSequence = state.first_seq;
    // Its subject says whose events are read, so permissions can hold it.
    const subject = `$JS.API.DIRECT.GET.${EVENT_STREAM}.event.${this.app.service}.>`;
    let reply: Msg;
    try {
      reply = await this.nats.connection.request(subject, '', { timeout: DIRECT_GET_TIMEOUT_MS });
    } catch (error) {
      if (error instanceof RequestError && error.isNoResponders()) return undefined;
      throw error;
    }
    const { headers } = reply;
    if (headers?.code === 404) return { firstSequence, sequence: 0, event: undefined };
    const sequence = Number(headers?.get('Nats-Sequence'));
    return sequence > 0
      ? { firstSequence, sequence, event: headers?.get('Nats-Msg-Id') || undefined }
      : undefined;
  }

  private jetStream(): Promise<JetStreamManager> {
    this.manager ??= jetstreamManager(this.nats.connection, { checkAPI: false });
    return this.manager;
  }
}

/** The leader of the stream has a copy, and so has each follower that answers and keeps up; a server alone has one. */
function inSync(cluster: StreamInfo['cluster']): number {
  const followers = cluster?.replicas ?? [];
  return 1 + followers.filter(({ current, offline }) => current && !offline).length;
}

function differ(config: StreamConfig, wanted: WantedConfig): boolean {
  return (
    config.max_age !== wanted.max_age ||
    config.max_bytes !== wanted.max_bytes ||
    config.discard !== wanted.discard ||
    config.duplicate_window !== wanted.duplicate_window ||
    config.allow_direct !== wanted.allow_direct ||
    config.subjects.join() !== wanted.subjects.join()
  );
}

function failedWith(error: unknown, ...codes: number[]): boolean {
  return error instanceof JetStreamApiError && codes.includes(error.code);
}
