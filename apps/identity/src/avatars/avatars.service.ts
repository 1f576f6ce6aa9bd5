import {
  ApplicationError,
  avatarKey,
  type Caller,
  type Device,
  maxAvatarBytes,
  type UploadedAvatar,
} from '@mentorhub/contracts';
import { Transactions } from '@mentorhub/persistence';
import { CONFIG } from '@mentorhub/service-kit';
import { Inject, Injectable } from '@nestjs/common';
import { AuditTrail } from '../audit/audit-trail.js';
import type { IdentityConfig } from '../config.js';
import { UserCounters } from '../limits/user-counters.js';
import { UsersRepository } from '../users/users.repository.js';
import { UsersService } from '../users/users.service.js';
import { AvatarFiles } from './avatar-files.js';

/** The pictures that users upload of themselves. */
@Injectable()
export class AvatarsService {
  constructor(
    @Inject(CONFIG) private readonly config: IdentityConfig,
    private readonly counters: UserCounters,
    private readonly files: AvatarFiles,
    private readonly users: UsersService,
    private readonly repository: UsersRepository,
    private readonly transactions: Transactions,
    private readonly audit: AuditTrail,
  ) {}

  /** Counts an upload, also one that turns out to be no picture. @throws ApplicationError RATE_LIMITED */
  admit(userId: number): Promise<void> {
    return this.counters.count(userId, {
      kind: 'avatar_upload',
      most: this.config.AVATAR_UPLOADS_PER_HOUR,
      windowMs: 3_600_000,
      what: 'uploads',
    });
  }

  /**
   * Gives the actor a new picture at a new address; the one before is deleted.
   * @param image WebP as base64
   */
  async replace(
    actor: Caller,
    { image, device }: { image: string; device: Device },
  ): Promise<UploadedAvatar> {
    const picture = Buffer.from(image, 'base64');
    requirePicture(picture);
    const key = await this.files.store(picture);
    const avatar_url = `${this.config.PUBLIC_URL}/avatars/${key}.webp`;
    try {
      await this.change(actor, { key, avatarUrl: avatar_url }, device);
    } catch (error) {
      await this.files.discard([key]);
      throw error;
    }
    return { avatar_url };
  }

  /** Takes the actor's picture away, wherever it came from. */
  async remove(actor: Caller, device: Device): Promise<void> {
    await this.change(actor, { key: null, avatarUrl: null }, device);
  }

  /** @throws ApplicationError NOT_FOUND for one that is nobody's at present */
  async read(key: string): Promise<{ image: string }> {
    const picture = avatarKey.test(key) ? await this.files.read(key) : undefined;
    if (!picture) throw ApplicationError.notFound('The picture');
    return { image: picture.toString('base64') };
  }

  private async change(
    actor: Caller,
    { key, avatarUrl }: { key: string | null; avatarUrl: string | null },
    device: Device,
  ): Promise<void> {
    const discarded = await this.transactions.run(async (tx) => {
      // The lock of the user's row, so that of two uploads at once the later one stays.
      const user = await this.repository.lock(tx, actor.user_id);
      const files = await this.files.assign(tx, user.id, key);
      user.avatarUrl = avatarUrl;
      await this.users.saveChanges(tx, user);
      await this.audit.record(tx, {
        action: key === null ? 'avatar.remove' : 'avatar.replace',
        actorId: user.id,
        sessionId: actor.session_id,
        device,
      });
      return files;
    });
    await this.files.discard(discarded);
  }
}

/** The gateway made it; a fault there must not be served to everybody. @throws ApplicationError VALIDATION_FAILED */
function requirePicture(picture: Buffer): void {
  const isWebp =
    picture.subarray(0, 4).toString('latin1') === 'RIFF' &&
    picture.subarray(8, 12).toString('latin1') === 'WEBP';
  if (isWebp && picture.length <= maxAvatarBytes) return;
  throw ApplicationError.invalid('image', `image must be WebP of at most ${maxAvatarBytes} bytes.`);
}
