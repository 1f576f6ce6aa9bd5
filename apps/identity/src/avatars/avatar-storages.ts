import { resolve } from 'node:path';
import { ApplicationError } from '@mentorhub/contracts';
import { CONFIG } from '@mentorhub/service-kit';
import { Inject, Injectable } from '@nestjs/common';
import { DataSource } from 'typeorm';
import type { IdentityConfig } from '../config.js';
import type { AvatarStorage, StorageKind } from './avatar-storage.js';
import { DatabaseStorage } from './database-storage.js';
import { DriveStorage } from './drive-storage.js';

/**
 * The storages that are configured, opened when they are needed. New pictures go to that of `AVATAR_STORAGE`; those that
 * lie elsewhere since before it was changed are read from there as long as that one stays configured.
 */
@Injectable()
export class AvatarStorages {
  private readonly opened = new Map<StorageKind, Promise<AvatarStorage>>();

  constructor(
    @Inject(CONFIG) private readonly config: IdentityConfig,
    private readonly dataSource: DataSource,
  ) {}

  get current(): StorageKind {
    return this.config.AVATAR_STORAGE;
  }

  /** @throws ApplicationError SERVICE_UNAVAILABLE for a storage that is not configured any more */
  of(kind: StorageKind): Promise<AvatarStorage> {
    const opened = this.opened.get(kind);
    if (opened) return opened;
    const storage = this.open(kind);
    this.opened.set(kind, storage);
    storage.catch(() => this.opened.delete(kind));
    return storage;
  }

  private async open(kind: StorageKind): Promise<AvatarStorage> {
    const { config } = this;
    if (kind === 'database') return new DatabaseStorage(this.dataSource);
    if (kind === 'disk') return DriveStorage.inFolder(resolve(config.AVATAR_DIRECTORY));
    const { AVATAR_S3_BUCKET: bucket, AVATAR_S3_REGION: region } = config;
    const { AVATAR_S3_ACCESS_KEY_ID: accessKeyId } = config;
    const { AVATAR_S3_SECRET_ACCESS_KEY: secretAccessKey } = config;
    if (!bucket || !accessKeyId || !secretAccessKey) throw notConfigured(kind);
    const endpoint = config.AVATAR_S3_ENDPOINT;
    return DriveStorage.inBucket({ bucket, region, endpoint, accessKeyId, secretAccessKey });
  }
}

function notConfigured(kind: StorageKind): ApplicationError {
  return new ApplicationError(
    'SERVICE_UNAVAILABLE',
    `The storage “${kind}”, where this picture lies, is not configured.`,
  );
}
