export { AccessTokenModule } from './access-token.module.js';
export { AccessTokens } from './access-tokens.js';
export { bearerToken, jwtOptions, type JwtOptions } from './jwt-options.js';
export { RevokedSessions, type RevocationListener } from './revoked-sessions.js';
