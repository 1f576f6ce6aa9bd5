/** Client ids that stand for an `Idempotency-Key`; clients never see them. */
const keyPrefix = 'idempotency-key:';

/** The client id under which a message with an `Idempotency-Key` is stored. */
export function clientIdOfKey(idempotencyKey: string): string {
  return keyPrefix + idempotencyKey;
}

/** The client id as the sender's devices know it. */
export function visibleClientId(clientId: string | null | undefined): string | undefined {
  return clientId?.startsWith(keyPrefix) ? undefined : (clientId ?? undefined);
}
