import { applyDecorators, SetMetadata } from '@nestjs/common';
import { ApiBearerAuth, ApiSecurity } from '@nestjs/swagger';

/** Key of the metadata that says who may use a route. */
export const ACCESS = 'mentorhub:access';

/** Name of the security scheme in the OpenAPI document. */
export const ACCESS_TOKEN = 'access_token';

/**
 * Who may use a route.
 * - `anonymous`: anyone; a token is not even looked at, so that a client with an old one can sign in
 * - `public`: anyone; a token that is sent must be valid, and its user is the actor
 * - `user`: any signed-in user
 * - `admin`: administrators
 */
export type RouteAccess = 'anonymous' | 'public' | 'user' | 'admin';

/** For anyone; a token is ignored. */
export const Anonymous = (): MethodDecorator => SetMetadata(ACCESS, 'anonymous');

/** For anyone; a signed-in caller may see more. A token that is sent must be valid. */
export const Public = (): MethodDecorator =>
  applyDecorators(SetMetadata(ACCESS, 'public'), ApiSecurity({}), ApiBearerAuth(ACCESS_TOKEN));

/** For any signed-in user. */
export const Authenticated = (): MethodDecorator =>
  applyDecorators(SetMetadata(ACCESS, 'user'), ApiBearerAuth(ACCESS_TOKEN));

/** For administrators. */
export const AdminOnly = (): MethodDecorator =>
  applyDecorators(SetMetadata(ACCESS, 'admin'), ApiBearerAuth(ACCESS_TOKEN));
