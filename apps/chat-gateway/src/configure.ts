import { RevokedSessions } from '@mentorhub/access-token';
import { CONFIG, Health } from '@mentorhub/service-kit';
import type { NestFastifyApplication } from '@nestjs/platform-fastify';
import { Admission } from './connections/admission.js';
import { Connections } from './connections/connections.js';
import { Doorkeeper } from './connections/doorkeeper.js';
import { FrameAdapter } from './connections/frame-adapter.js';
import { HttpErrorFilter } from './http-error.filter.js';
import { PresenceReporter } from './presence/presence-reporter.js';

/** Puts the WebSocket endpoint and the error format in place. */
export function configure(app: NestFastifyApplication): void {
  const revoked = app.get(RevokedSessions);
  app.get(Health).register('sign-ins', async () => revoked.check());
  app.useGlobalFilters(new HttpErrorFilter());
  app.useWebSocketAdapter(
    new FrameAdapter({
      httpServer: app.getHttpServer(),
      admission: app.get(Admission),
      doorkeeper: app.get(Doorkeeper),
      connections: app.get(Connections),
      presence: app.get(PresenceReporter),
      config: app.get(CONFIG),
    }),
  );
}
