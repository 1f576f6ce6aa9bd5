import type { PasskeyView } from '@mentorhub/contracts';
import type { Passkey } from './passkeys.repository.js';

export function toPasskeyView({ id, name, backedUp, createdAt, lastUsedAt }: Passkey): PasskeyView {
  return {
    id,
    name,
    backed_up: backedUp,
    created_at: createdAt.toISOString(),
    last_used_at: lastUsedAt?.toISOString() ?? null,
  };
}
