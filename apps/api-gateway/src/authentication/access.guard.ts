import { ApplicationError, type Caller } from '@mentorhub/contracts';
import { type ExecutionContext, Injectable } from '@nestjs/common';
import { Reflector } from '@nestjs/core';
import { AuthGuard } from '@nestjs/passport';
import type { FastifyRequest } from 'fastify';
import { ACCESS, type RouteAccess } from './access.decorators.js';
import { Denials } from './denials.js';

/** Lets through whom the route's decorator names. A route without one lets nobody through. */
@Injectable()
export class AccessGuard extends AuthGuard('jwt') {
  constructor(
    private readonly reflector: Reflector,
    private readonly denials: Denials,
  ) {
    super();
  }

  /** @throws ApplicationError UNAUTHENTICATED, FORBIDDEN */
  override async canActivate(execution: ExecutionContext): Promise<boolean> {
    const access = this.reflector.get<RouteAccess | undefined>(ACCESS, execution.getHandler());
    const request = execution.switchToHttp().getRequest<FastifyRequest>();
    if (access === 'anonymous') return true;
    if (access === 'public' && request.headers.authorization === undefined) return true;
    await super.canActivate(execution);
    const caller = (request as { user?: Caller }).user;
    request.context.caller = caller;
    if (access === 'public' || access === 'user') return true;
    if (access === 'admin' && caller?.roles.includes('admin')) return true;
    if (caller) this.denials.note(caller, request);
    throw new ApplicationError('FORBIDDEN', 'Only administrators may do this.');
  }

  /** Says what is wrong with the token, in words that help the client and nobody else. */
  override handleRequest<User>(
    error: unknown,
    user: User | false | undefined,
    info: unknown,
  ): User {
    if (error) throw error;
    if (user) return user;
    if (info instanceof ApplicationError) throw info;
    throw new ApplicationError('UNAUTHENTICATED', refusal(info));
  }
}

function refusal(info: unknown): string {
  const { name, message } = info instanceof Error ? info : { name: '', message: '' };
  if (name === 'TokenExpiredError') return 'The access token has expired. Refresh it.';
  if (message === 'No auth token') {
    return 'Sign in first: send `Authorization: Bearer <access token>`.';
  }
  return 'The access token is not valid. Sign in again.';
}
