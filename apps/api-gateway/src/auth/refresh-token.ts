import { ApplicationError, type RefreshTokens } from '@mentorhub/contracts';
import { createParamDecorator, type ExecutionContext } from '@nestjs/common';
import type { FastifyRequest } from 'fastify';

/** The bearer token as it was sent, not verified. */
export const Bearer = createParamDecorator(
  (_: unknown, execution: ExecutionContext): string | undefined => {
    const { authorization } = execution.switchToHttp().getRequest<FastifyRequest>().headers;
    return /^Bearer (\S{1,512})$/i.exec(authorization ?? '')?.[1];
  },
);

/** The refresh token, wherever it was sent. @throws ApplicationError INVALID_REFRESH_TOKEN without one */
export function refreshTokenOf(request: RefreshTokens, bearer: string | undefined): string {
  const token = request.refresh_token ?? bearer;
  if (token !== undefined) return token;
  throw new ApplicationError(
    'INVALID_REFRESH_TOKEN',
    'Send the refresh token as the bearer token or as `refresh_token` in the body.',
  );
}
