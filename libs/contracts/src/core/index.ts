export * from './caller.js';
export * from './errors.js';
export * from './event.js';
export * from './money.js';
export * from './paging.js';
export * from './request-id.js';
export * from './request.js';
export * from './signal.js';
