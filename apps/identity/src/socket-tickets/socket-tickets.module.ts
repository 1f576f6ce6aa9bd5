import { Module } from '@nestjs/common';
import { SocketTicketsController } from './socket-tickets.controller.js';
import { SocketTicketsService } from './socket-tickets.service.js';

@Module({ controllers: [SocketTicketsController], providers: [SocketTicketsService] })
export class SocketTicketsModule {}
