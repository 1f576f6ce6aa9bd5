import 'reflect-metadata';
import {
  type Access,
  type ActorOf,
  type Caller,
  Keys,
  type PublicKey,
  type RequestContract,
  Sessions,
} from '@mentorhub/contracts';
import {
  MessagingModule,
  type RequestContext,
  ServiceTransport,
  ServiceMessagingModule,
} from '@mentorhub/messaging';
import { createGateway, type RunningGateway } from '@mentorhub/service-kit/gateway';
import { testNats } from '@mentorhub/testing';
import {
  ConsoleLogger,
  Global,
  type LoggerService,
  type INestMicroservice,
  Module,
  type Type,
} from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import type { AsyncMicroserviceOptions } from '@nestjs/microservices';
import { exportJWK, generateKeyPair, SignJWT } from 'jose';
import { DataSource } from 'typeorm';
import { appModule } from '../src/app.module.js';
import { type ApiGatewayConfig, readConfig } from '../src/config.js';
import { configure, fastifyOptions } from '../src/configure.js';

/** What a test service answers to one request. */
export interface Responder {
  contract: RequestContract<unknown, unknown>;
  answer: (data: unknown, context: RequestContext) => unknown;
}

/** Says what a service answers, checked against the contract. */
export function respond<In, Out, A extends Access>(
  contract: RequestContract<In, Out, A>,
  answer: (actor: ActorOf<A>, data: In, context: RequestContext) => Out | Promise<Out>,
): Responder {
  return {
    contract,
    answer: (data, context) => answer(context.caller as ActorOf<A>, data as In, context),
  };
}

const keys = await generateKeyPair('RS256', { extractable: true });
const publicKey = {
  ...(await exportJWK(keys.publicKey)),
  kid: 'test-key',
  alg: 'RS256',
  use: 'sig',
} as PublicKey;

/** The caller behind `token()`. */
export const ada: Caller = { user_id: 7, roles: ['student'], session_id: 70 };

export interface TokenOptions {
  caller?: Caller;
  issuer?: string;
  audience?: string;
  type?: string;
  expiresIn?: string;
  kid?: string;
}

/** An access token as identity makes it. */
export async function token(options: TokenOptions = {}): Promise<string> {
  const { caller = ada } = options;
  return new SignJWT({ sid: caller.session_id, roles: [...caller.roles] })
    .setProtectedHeader({
      alg: 'RS256',
      typ: options.type ?? 'at+jwt',
      kid: options.kid ?? publicKey.kid,
    })
    .setSubject(String(caller.user_id))
    .setIssuer(options.issuer ?? 'mentorhub')
    .setAudience(options.audience ?? 'mentorhub-api')
    .setIssuedAt()
    .setExpirationTime(options.expiresIn ?? '30m')
    .sign(keys.privateKey);
}

/** The part of identity that every gateway needs to verify tokens. */
const identity = [
  respond(Keys.list, () => ({ keys: [publicKey] })),
  respond(Sessions.revoked, () => ({
    sessions: [{ session_id: 666, forget_at: Math.floor(Date.now() / 1000) + 3600 }],
  })),
];

export interface System {
  readonly nats: Awaited<ReturnType<typeof testNats>>;
  readonly url: string;
  readonly gateway: RunningGateway;
  /** Every route that is served, as `GET /path/:id`. */
  readonly routes: string[];
  /** Asks the gateway for a path. */
  fetch(path: string, init?: RequestInit): Promise<Response>;
  /** As `ada`, with a JSON body. */
  as(authorization: string, method: string, path: string, body?: unknown): Promise<Response>;
  close(): Promise<void>;
}

async function startServices(natsUrl: string, responders: Responder[]): Promise<INestMicroservice> {
  @Global()
  @Module({
    // Nothing here writes: requests need no database.
    providers: [{ provide: DataSource, useValue: {} }],
    exports: [DataSource],
  })
  class NoDatabaseModule {}

  @Module({
    imports: [
      NoDatabaseModule,
      MessagingModule.forRoot({ service: 'services', connection: { servers: natsUrl } }),
      ServiceMessagingModule.forRoot({ events: false }),
    ],
  })
  class ServicesModule {}

  const app = await NestFactory.createMicroservice<AsyncMicroserviceOptions>(ServicesModule, {
    inject: [ServiceTransport],
    useFactory: (transport: ServiceTransport) => ({ strategy: transport }),
    logger: false,
  });
  const transport = app.get(ServiceTransport);
  for (const { contract, answer } of responders) {
    transport.addHandler(
      contract.subject,
      async (data: unknown, context: unknown) => answer(data, context as RequestContext),
      false,
      { contract },
    );
  }
  await app.listen();
  return app;
}

/** The gateway over HTTP and a real NATS, with services that answer what the test says. */
export async function startSystem(
  responders: Responder[] = [],
  environment: Record<string, string> = {},
  logger: LoggerService = new ConsoleLogger({
    logLevels: process.env.TEST_LOG ? ['log', 'warn', 'error'] : [],
  }),
  moreControllers: Type[] = [],
): Promise<System> {
  const nats = await testNats();
  const services = await startServices(nats.url, [...identity, ...responders]);
  const routes: string[] = [];
  const gateway = await createGateway<ApiGatewayConfig>({
    name: 'api-gateway',
    config: readConfig({
      PROFILE: 'local',
      NODE_ENV: 'test',
      NATS_URL: nats.url,
      PORT: '0',
      MANAGEMENT_PORT: '0',
      SHUTDOWN_DELAY_MS: '0',
      LOG_LEVEL: 'warn',
      ALLOWED_ORIGINS: 'https://app.example',
      ...environment,
    }),
    module: (config) => {
      const module = appModule(config);
      return { ...module, controllers: [...(module.controllers ?? []), ...moreControllers] };
    },
    fastify: fastifyOptions,
    configure: (app, config) => {
      const server = app.getHttpAdapter().getInstance();
      server.addHook('onRoute', ({ method, url }) => {
        routes.push(...[method].flat().map((one) => `${one} ${url}`));
      });
      return configure(app, config);
    },
    logger,
  });
  const fetchPath = (path: string, init?: RequestInit): Promise<Response> =>
    fetch(new URL(path, gateway.url), { redirect: 'manual', ...init });
  return {
    nats,
    url: gateway.url,
    gateway,
    routes,
    fetch: fetchPath,
    as: (authorization, method, path, body) =>
      fetchPath(path, {
        method,
        headers: {
          authorization: `Bearer ${authorization}`,
          ...(body !== undefined && { 'content-type': 'application/json' }),
        },
        body: body === undefined ? undefined : JSON.stringify(body),
      }),
    close: async () => {
      await gateway.close();
      await services.close();
      await nats.stop();
    },
  };
}
