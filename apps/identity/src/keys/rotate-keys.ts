import { signingKeysChangedSignal } from '@mentorhub/contracts';
import { MessagingModule, Signals } from '@mentorhub/messaging';
import { Transactions, withDirectDatabase } from '@mentorhub/persistence';
import { Clock, databaseSettings, natsConnection } from '@mentorhub/service-kit';
import { Module } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { AuditTrail } from '../audit/audit-trail.js';
import type { IdentityConfig } from '../config.js';
import { schema } from '../schema.js';
import { type KeyRotation, SigningKeys } from './signing-keys.js';

/** Gateways that miss the signal look by themselves after a minute. */
const connectTimeoutMs = 5000;

@Module({})
class SignalModule {}

/** Has the next signing key take over, outside of the running service; its replicas notice within a second. */
export function rotateKeys(
  config: IdentityConfig,
  { atOnce, clock = new Clock() }: { atOnce: boolean; clock?: Clock },
): Promise<KeyRotation> {
  const settings = {
    ...schema,
    ...databaseSettings(config),
    applicationName: 'identity rotate-keys',
  };
  return withDirectDatabase(settings, (dataSource) => {
    const audit = new AuditTrail(dataSource, clock);
    const transactions = new Transactions(dataSource);
    return new SigningKeys(config, dataSource, transactions, audit, clock).rotate({ atOnce });
  });
}

/**
 * Has the gateways drop withdrawn keys and fetch the others now.
 * @throws when NATS cannot be reached
 */
export async function announceKeys(config: IdentityConfig, withdrawn: string[]): Promise<void> {
  const app = await NestFactory.createApplicationContext(
    {
      module: SignalModule,
      imports: [
        MessagingModule.forRoot({
          service: 'identity',
          connection: natsConnection(config),
          connectTimeoutMs,
        }),
      ],
    },
    { logger: false, abortOnError: false },
  );
  app.get(Signals).publish(signingKeysChangedSignal, { withdrawn });
  // Closing sends what was published.
  await app.close();
}
