import { Module } from '@nestjs/common';
import { KeysModule } from '../keys/keys.module.js';
import { SessionsModule } from '../sessions/sessions.module.js';
import { UsersModule } from '../users/users.module.js';
import { AuthController } from './auth.controller.js';
import { AuthService } from './auth.service.js';
import { Credentials } from './credentials.js';
import { LoginThrottle } from './login-throttle.js';
import { RefreshTokens } from './refresh-tokens.js';

@Module({
  imports: [KeysModule, SessionsModule, UsersModule],
  controllers: [AuthController],
  providers: [AuthService, Credentials, LoginThrottle, RefreshTokens],
  exports: [Credentials],
})
export class AuthModule {}
