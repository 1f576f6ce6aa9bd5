import {
  AckPolicy,
  type Consumer,
  type ConsumerConfig,
  DeliverPolicy,
  DiscardPolicy,
  jetstream,
  jetstreamManager,
  type JetStreamManager,
  JetStreamApiError,
  RetentionPolicy,
  StorageType,
  type StreamConfig,
} from '@nats-io/jetstream';
import { Inject, Injectable } from '@nestjs/common';
import { nanos } from '@nats-io/transport-node';
import { NatsConnectionProvider } from '../connection/nats-connection.provider.js';
import type { MessagingOptions, ServiceMessagingOptions } from '../messaging.options.js';
import { EVENT_STREAM } from '../nats-permissions.js';
import { MESSAGING_OPTIONS, SERVICE_MESSAGING_OPTIONS } from '../tokens.js';

const STREAM_NOT_FOUND = 10059;
const ALL_EVENTS = 'event.>';
const DAY_MS = 86_400_000;
/** As long as published rows stay in the outboxes. */
const STREAM_MAX_AGE_MS = 7 * DAY_MS;
const DEDUPLICATION_MS = 120_000;
/** Events waiting for a retry count as pending: thousands of them must not stop the others. */
const MAX_ACK_PENDING = 20_000;

/** Provisions the stream of all events and this service's consumer on it; every call is idempotent. */
@Injectable()
export class EventStream {
  private manager?: Promise<JetStreamManager>;

  constructor(
    private readonly nats: NatsConnectionProvider,
    @Inject(MESSAGING_OPTIONS) private readonly app: MessagingOptions,
    @Inject(SERVICE_MESSAGING_OPTIONS) private readonly options: ServiceMessagingOptions,
  ) {}

  /** Makes sure that the stream exists and returns when it was created, which tells one stream from its successor. */
  async ensure(): Promise<string> {
    const { streams } = await this.jetStream();
    const wanted: Pick<StreamConfig, 'subjects' | 'max_age' | 'duplicate_window' | 'num_replicas'> =
      {
        subjects: [ALL_EVENTS],
        max_age: nanos(STREAM_MAX_AGE_MS),
        duplicate_window: nanos(DEDUPLICATION_MS),
        num_replicas: this.options.streamReplicas ?? 1,
      };
    try {
      const { config, created } = await streams.info(EVENT_STREAM);
      const differs =
        config.max_age !== wanted.max_age ||
        config.duplicate_window !== wanted.duplicate_window ||
        config.num_replicas !== wanted.num_replicas ||
        config.subjects.join() !== wanted.subjects.join();
      if (differs) await streams.update(EVENT_STREAM, wanted);
      return created;
    } catch (error) {
      if (!(error instanceof JetStreamApiError && error.code === STREAM_NOT_FOUND)) throw error;
    }
    const { created } = await streams.add({
      ...wanted,
      name: EVENT_STREAM,
      storage: StorageType.File,
      retention: RetentionPolicy.Limits,
      discard: DiscardPolicy.Old,
    });
    return created;
  }

  /**
   * Makes sure that the service's durable consumer exists.
   * @param subjects what the service handles; from nats-server 2.10 on it is woken by nothing else
   */
  async consumer(subjects: string[]): Promise<Consumer> {
    await this.ensure();
    const { consumers } = await this.jetStream();
    const { service } = this.app;
    const config: Partial<ConsumerConfig> = {
      ack_wait: nanos(this.options.ackWaitMs ?? 10_000),
      max_ack_pending: MAX_ACK_PENDING,
      max_deliver: -1,
      ...this.filter(subjects),
    };
    try {
      await consumers.add(EVENT_STREAM, {
        ...config,
        durable_name: service,
        ack_policy: AckPolicy.Explicit,
        deliver_policy: DeliverPolicy.All,
      });
    } catch (error) {
      // It exists with another configuration; what cannot be updated throws again.
      if (!(error instanceof JetStreamApiError)) throw error;
      await consumers.update(EVENT_STREAM, service, config);
    }
    return await jetstream(this.nats.connection).consumers.get(EVENT_STREAM, service);
  }

  private filter(subjects: string[]): Partial<ConsumerConfig> {
    const [major = 0, minor = 0] = (this.nats.connection.info?.version ?? '')
      .split('.')
      .map(Number);
    const several = major > 2 || (major === 2 && minor >= 10);
    return several
      ? { filter_subject: '', filter_subjects: subjects }
      : { filter_subject: ALL_EVENTS };
  }

  private jetStream(): Promise<JetStreamManager> {
    this.manager ??= jetstreamManager(this.nats.connection, { checkAPI: false });
    return this.manager;
  }
}
