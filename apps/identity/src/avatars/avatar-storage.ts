/** Where the bytes of pictures rest, by the key that their address has. */
export abstract class AvatarStorage {
  abstract put(key: string, picture: Buffer): Promise<void>;
  /** Undefined when there is no such picture. */
  abstract get(key: string): Promise<Buffer | undefined>;
  /** Does nothing to a picture that is gone. */
  abstract delete(key: string): Promise<void>;
}

/** Names of the kinds of storage, as `AVATAR_STORAGE` and the database have them. */
export const storageKinds = ['disk', 's3', 'database'] as const;
export type StorageKind = (typeof storageKinds)[number];
