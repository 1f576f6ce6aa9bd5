import { AccessTokenModule } from '@mentorhub/access-token';
import { MessagingModule } from '@mentorhub/messaging/client';
import { natsConnection } from '@mentorhub/service-kit';
import { type DynamicModule, Module } from '@nestjs/common';
import { APP_FILTER, APP_GUARD, APP_PIPE } from '@nestjs/core';
import { AdminMembersController } from './admin/members.controller.js';
import { MembersImport } from './admin/members/members-import.js';
import { AdminAuditController } from './admin/audit.controller.js';
import { AdminMentorsController } from './admin/mentors.controller.js';
import { AdminServicesController } from './admin/services.controller.js';
import { AdminUsersController } from './admin/users.controller.js';
import { AuthController } from './auth/auth.controller.js';
import { DevicesController } from './auth/devices.controller.js';
import { PasskeysController } from './auth/passkeys.controller.js';
import { SecondFactorController } from './auth/second-factor.controller.js';
import { ProvidersController } from './auth/providers.controller.js';
import { VisitCookie } from './auth/visit-cookie.js';
import { AccessGuard } from './authentication/access.guard.js';
import { Denials } from './authentication/denials.js';
import { JwtStrategy } from './authentication/jwt.strategy.js';
import { AvatarsController } from './avatars/avatars.controller.js';
import { CheckoutController } from './checkout/checkout.controller.js';
import type { ApiGatewayConfig } from './config.js';
import { DevMailController } from './dev/dev-mail.controller.js';
import { ApiDocument } from './docs/api-document.js';
import { DocsController } from './docs/docs.controller.js';
import { EmailController } from './email/email.controller.js';
import { ErrorFilter } from './http/errors/error.filter.js';
import { MentorsController } from './mentors/mentors.controller.js';
import { AvailabilityController } from './mentorship/availability.controller.js';
import { BookingsController } from './mentorship/bookings.controller.js';
import { MentorProfilesController } from './mentorship/mentors.controller.js';
import { ChatsController } from './messages/chats.controller.js';
import { MessagesController } from './messages/messages.controller.js';
import { NotificationsController } from './notifications/notifications.controller.js';
import { HealthController } from './operations/health.controller.js';
import { MetricsController } from './operations/metrics.controller.js';
import { SystemHealth } from './operations/system-health.js';
import { PaymentsController } from './payments/payments.controller.js';
import { DtoPipe } from './routing/dto.pipe.js';
import { SessionsController } from './sessions/sessions.controller.js';
import { AvatarController } from './users/avatar/avatar.controller.js';
import { AvatarImages } from './users/avatar/avatar-image.js';
import { AvatarUploads } from './users/avatar/avatar-uploads.js';
import { ExportController } from './users/export/export.controller.js';
import { PersonalDataExporter } from './users/export/personal-data-exporter.js';
import { EmailLoginController } from './users/email-login.controller.js';
import { EmailLoginCookie } from './users/email-login-cookie.js';
import { UsersController } from './users/users.controller.js';
import { JwksController } from './well-known/jwks.controller.js';
import { WsController } from './ws/ws.controller.js';

/** One folder per first segment of the address; `operations/` has health and metrics. */
const controllers = [
  AdminMembersController,
  AdminAuditController,
  AdminMentorsController,
  AdminServicesController,
  AdminUsersController,
  AuthController,
  AvailabilityController,
  AvatarController,
  AvatarsController,
  BookingsController,
  ChatsController,
  CheckoutController,
  DevicesController,
  DocsController,
  EmailController,
  ExportController,
  EmailLoginController,
  HealthController,
  JwksController,
  MentorProfilesController,
  MentorsController,
  MessagesController,
  NotificationsController,
  PasskeysController,
  PaymentsController,
  ProvidersController,
  SecondFactorController,
  SessionsController,
  UsersController,
  WsController,
];

/** Pages for development, which show mails and figures to anyone. */
const localControllers = [DevMailController, MetricsController];

@Module({})
export class AppModule {}

/** The gateway, wired for a configuration. */
export const appModule = (config: ApiGatewayConfig): DynamicModule => ({
  module: AppModule,
  imports: [
    MessagingModule.forRoot({ service: 'api-gateway', connection: natsConnection(config) }),
    AccessTokenModule,
  ],
  controllers: config.PROFILE === 'local' ? [...controllers, ...localControllers] : controllers,
  providers: [
    ApiDocument,
    Denials,
    AvatarImages,
    AvatarUploads,
    JwtStrategy,
    EmailLoginCookie,
    MembersImport,
    PersonalDataExporter,
    SystemHealth,
    VisitCookie,
    { provide: APP_FILTER, useClass: ErrorFilter },
    { provide: APP_GUARD, useClass: AccessGuard },
    { provide: APP_PIPE, useClass: DtoPipe },
  ],
});
