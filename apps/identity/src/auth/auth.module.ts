import { Module } from '@nestjs/common';
import { AuditModule } from '../audit/audit.module.js';
import { DevicesModule } from '../devices/devices.module.js';
import { KeysModule } from '../keys/keys.module.js';
import { FactorsModule } from '../second-factor/factors.module.js';
import { MailedCodesModule } from '../mailed-codes/mailed-codes.module.js';
import { SessionsModule } from '../sessions/sessions.module.js';
import { UsersModule } from '../users/users.module.js';
import { AuthController } from './auth.controller.js';
import { AuthService } from './auth.service.js';
import { Credentials } from './credentials.js';
import { LoginThrottle } from './login-throttle.js';
import { Reauthentication } from './reauthentication.js';
import { RefreshTokens } from './refresh-tokens.js';
import { SignIns } from './sign-ins.js';
import { StepUp } from './step-up.js';

@Module({
  imports: [
    AuditModule,
    DevicesModule,
    FactorsModule,
    KeysModule,
    MailedCodesModule,
    SessionsModule,
    UsersModule,
  ],
  controllers: [AuthController],
  providers: [
    AuthService,
    Credentials,
    LoginThrottle,
    Reauthentication,
    RefreshTokens,
    SignIns,
    StepUp,
  ],
  exports: [Credentials, LoginThrottle, SignIns, StepUp],
})
export class AuthModule {}
