export {
  endWithFailure,
  failureHeaders,
  type HttpFailure,
  renderFailure,
  sendFailure,
} from './failure.js';
export { createHttpServer, type HttpServerOptions } from './http-server.js';
export { securityHeaders } from './security-headers.js';
export { closeSoon } from './sockets.js';
