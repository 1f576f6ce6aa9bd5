import type { Duplex } from 'node:stream';

const lingerMs = 5_000;

/**
 * Ends a socket and destroys it when the other side has not closed it in time. Until then the client can read what was
 * written: closing at once would reset the connection while it still sends, and the answer would be lost.
 */
export function closeSoon(socket: Duplex, milliseconds = lingerMs): void {
  if (socket.closed) return;
  const timer = setTimeout(() => socket.destroy(), milliseconds);
  socket.once('close', () => clearTimeout(timer));
  if (!socket.writableEnded) socket.end();
}

/** For errors that the `close` that follows them says enough about. */
export function ignoreErrors(): void {}
