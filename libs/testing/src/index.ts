export { freePort } from '@mentorhub/local-system';
export { testCertificates, type TestCertificates } from './certificates.js';
export { type TestDatabase, testDatabase, type TestRoles, testRoles } from './database.js';
export { tcpProxy, type TcpProxy } from './tcp-proxy.js';
export { testNats, type TestNatsOptions } from './nats.js';
export {
  Actor,
  ActorSocket,
  eventually,
  type Answer,
  type CallOptions,
  type Credentials,
  type Exchange,
  type Frame,
} from './actor.js';
export { type CapturedMail, mailTo, verificationToken } from './mailbox.js';
