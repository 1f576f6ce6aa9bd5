import { Module } from '@nestjs/common';
import { NetworkCounters } from '../limits/network-counters.js';
import { Passwords } from '../passwords/passwords.js';
import { Administrator } from './administrator.js';
import { UsersController } from './users.controller.js';
import { UsersEvents } from './users.events.js';
import { UsersRepository } from './users.repository.js';
import { UsersService } from './users.service.js';

@Module({
  controllers: [UsersController, UsersEvents],
  providers: [UsersService, UsersRepository, Passwords, NetworkCounters, Administrator],
  exports: [UsersRepository, Passwords, NetworkCounters],
})
export class UsersModule {}
