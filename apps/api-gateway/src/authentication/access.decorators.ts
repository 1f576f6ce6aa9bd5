import type { Access, RequestContract } from '@mentorhub/contracts';
import { applyDecorators, SetMetadata } from '@nestjs/common';
import { ApiBearerAuth, ApiExtension, ApiSecurity } from '@nestjs/swagger';

/** Key of the metadata that says who may use a route. */
export const ACCESS = 'mentorhub:access';

/** Key of the metadata with the subject of the request that a route sends to a service. */
export const SUBJECT = 'mentorhub:subject';

/** Name of the security scheme in the OpenAPI document. */
export const ACCESS_TOKEN = 'access_token';

/** Key of the OpenAPI extension that says who may use a route; taken out before the document is served. */
export const ROUTE_ACCESS = 'x-access';

/**
 * Who may use a route: who may send the request it leads to, or
 * - `anonymous`: anyone; a token is not even looked at, so that a client with an old one can sign in
 */
export type RouteAccess = 'anonymous' | Exclude<Access, 'service'>;

function accessible(access: RouteAccess, subject: string | undefined): MethodDecorator {
  return applyDecorators(
    SetMetadata(ACCESS, access),
    SetMetadata(SUBJECT, subject),
    ApiExtension(ROUTE_ACCESS, access),
  );
}

/** For anyone; a token is ignored. With the request that the route sends, if anyone may send that. */
export const Anonymous = (
  contract?: RequestContract<unknown, unknown, 'public'>,
): MethodDecorator => accessible('anonymous', contract?.subject);

/**
 * The request that the route sends, and so who may use it. A token that comes with a public one must be valid, as its
 * user may see more.
 */
export function Sends({
  access,
  subject,
}: RequestContract<unknown, unknown, Exclude<Access, 'service'>>): MethodDecorator {
  return access === 'public'
    ? applyDecorators(accessible(access, subject), ApiSecurity({}), ApiBearerAuth(ACCESS_TOKEN))
    : applyDecorators(accessible(access, subject), ApiBearerAuth(ACCESS_TOKEN));
}
