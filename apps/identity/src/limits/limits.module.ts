import { Module } from '@nestjs/common';
import { UserCounters } from './user-counters.js';

@Module({ providers: [UserCounters], exports: [UserCounters] })
export class LimitsModule {}
