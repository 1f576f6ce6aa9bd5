import { DataSource } from 'typeorm';
import { AvatarStorage } from './avatar-storage.js';

/** Pictures in the row that names them: every replica has them, and so has every backup. */
export class DatabaseStorage extends AvatarStorage {
  constructor(private readonly dataSource: DataSource) {
    super();
  }

  async put(key: string, picture: Buffer): Promise<void> {
    await this.dataSource.query('UPDATE avatar_files SET content = $2 WHERE key = $1', [
      key,
      picture,
    ]);
  }

  async get(key: string): Promise<Buffer | undefined> {
    const [row] = await this.dataSource.query<{ content: Buffer | null }[]>(
      'SELECT content FROM avatar_files WHERE key = $1',
      [key],
    );
    return row?.content ?? undefined;
  }

  async delete(key: string): Promise<void> {
    await this.dataSource.query('UPDATE avatar_files SET content = NULL WHERE key = $1', [key]);
  }
}
