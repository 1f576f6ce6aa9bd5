import { randomBytes } from 'node:crypto';
import { Clock } from '@mentorhub/service-kit';
import { Injectable, Logger } from '@nestjs/common';
import { DataSource, type EntityManager } from 'typeorm';
import type { StorageKind } from './avatar-storage.js';
import { AvatarStorages } from './avatar-storages.js';

/** A file that is nobody's for so long belongs to no upload that still goes on. */
const strayAfterMs = 3_600_000;
const straysPerRound = 500;

interface FileRow {
  key: string;
  storage: StorageKind;
}

/**
 * Files of pictures, and the rows that know them. A row comes before its file and goes after it, so that no file is ever
 * forgotten, whenever a process dies: what is nobody's is deleted an hour later. Keys are random and never used again.
 */
@Injectable()
export class AvatarFiles {
  private readonly logger = new Logger(AvatarFiles.name);

  constructor(
    private readonly dataSource: DataSource,
    private readonly storages: AvatarStorages,
    private readonly clock: Clock,
  ) {}

  /** Stores a picture that is nobody's yet; its key. */
  async store(picture: Buffer): Promise<string> {
    const key = randomBytes(16).toString('base64url');
    const storage = this.storages.current;
    await this.dataSource.query(
      'INSERT INTO avatar_files (key, storage, created_at) VALUES ($1, $2, $3)',
      [key, storage, this.clock.now()],
    );
    await (await this.storages.of(storage)).put(key, picture);
    return key;
  }

  /**
   * Makes a stored picture the one of a user, or takes the user's picture away.
   * @returns keys of files that are nobody's now: `discard` them once the transaction has committed
   */
  async assign(tx: EntityManager, userId: number, key: string | null): Promise<string[]> {
    const [rows] = await tx.query<[FileRow[], number]>(
      'UPDATE avatar_files SET user_id = NULL, created_at = $2 WHERE user_id = $1 RETURNING key',
      [userId, this.clock.now()],
    );
    if (key !== null) {
      await tx.query('UPDATE avatar_files SET user_id = $1 WHERE key = $2', [userId, key]);
    }
    return rows.map((row) => row.key);
  }

  /** A picture that is some user's. */
  async read(key: string): Promise<Buffer | undefined> {
    const [row] = await this.dataSource.query<FileRow[]>(
      'SELECT key, storage FROM avatar_files WHERE key = $1 AND user_id IS NOT NULL',
      [key],
    );
    return row && (await this.storages.of(row.storage)).get(key);
  }

  /** Deletes files that are nobody's. What fails is left to the next sweep. */
  async discard(keys: readonly string[]): Promise<void> {
    if (keys.length === 0) return;
    const rows = await this.dataSource.query<FileRow[]>(
      'SELECT key, storage FROM avatar_files WHERE key = ANY ($1) AND user_id IS NULL',
      [keys],
    );
    for (const row of rows) {
      try {
        await (await this.storages.of(row.storage)).delete(row.key);
        await this.dataSource.query('DELETE FROM avatar_files WHERE key = $1 AND user_id IS NULL', [
          row.key,
        ]);
      } catch (error) {
        this.logger.warn('The file of a picture could not be deleted yet.', {
          storage: row.storage,
          err: error,
        });
      }
    }
  }

  /** Deletes what uploads that broke off, and deleted accounts, have left. */
  async sweep(): Promise<void> {
    const strays = await this.dataSource.query<FileRow[]>(
      'SELECT key FROM avatar_files WHERE user_id IS NULL AND created_at < $1 ORDER BY created_at LIMIT $2',
      [new Date(this.clock.now().getTime() - strayAfterMs), straysPerRound],
    );
    await this.discard(strays.map(({ key }) => key));
  }
}
