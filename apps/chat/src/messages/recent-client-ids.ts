import type { NewMessage } from './stored-message.js';

/** Client ids kept, in two generations of half as many each; some 5 MB. */
const capacity = 40_000;

/**
 * The client ids that this process stored last. A client sends again what was not acknowledged within moments, so most
 * repeated ids are found here, before a statement fails because of them. What is not here may be stored all the same:
 * the unique index decides. By the id alone, whose hash is known, so that it costs next to nothing; of two senders with
 * the same id the last one is remembered.
 */
export class RecentClientIds {
  private young = new Map<string, number>();
  private old = new Map<string, number>();

  has({ senderId, clientId }: NewMessage): boolean {
    if (clientId === undefined) return false;
    return (this.young.get(clientId) ?? this.old.get(clientId)) === senderId;
  }

  add({ senderId, clientId }: NewMessage): void {
    if (clientId === undefined) return;
    this.young.set(clientId, senderId);
    if (this.young.size < capacity / 2) return;
    this.old = this.young;
    this.young = new Map();
  }
}
