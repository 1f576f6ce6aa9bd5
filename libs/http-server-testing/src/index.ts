export { attack, holdHalfOpen, rawAnswer, rawHandshake, rawRequest } from './hostile-clients.js';
