import type { Disk } from 'flydrive';
import { AvatarStorage } from './avatar-storage.js';

/** How to reach a bucket of S3 or of a service that speaks its protocol. */
export interface BucketSettings {
  bucket: string;
  region: string;
  /** Default: that of AWS in the region. */
  endpoint?: string;
  accessKeyId: string;
  secretAccessKey: string;
}

/** Longest that a request to S3 may take, retries excluded: a request of a user waits for it. */
const requestTimeoutMs = 2000;

/** Pictures as files of FlyDrive. */
export class DriveStorage extends AvatarStorage {
  constructor(private readonly disk: Disk) {
    super();
  }

  /** Pictures in a folder, which all replicas have to share. */
  static async inFolder(folder: string): Promise<DriveStorage> {
    const [{ Disk }, { FSDriver }] = await Promise.all([
      import('flydrive'),
      import('flydrive/drivers/fs'),
    ]);
    return new DriveStorage(new Disk(new FSDriver({ location: folder, visibility: 'private' })));
  }

  /** Pictures in a bucket, which stays private: identity reads them. */
  static async inBucket(settings: BucketSettings): Promise<DriveStorage> {
    // A client of some megabytes, which a process without a bucket does not load.
    const [{ Disk }, { S3Driver }] = await Promise.all([
      import('flydrive'),
      import('flydrive/drivers/s3'),
    ]);
    const { bucket, region, endpoint, accessKeyId, secretAccessKey } = settings;
    const driver = new S3Driver({
      bucket,
      region,
      endpoint,
      credentials: { accessKeyId, secretAccessKey },
      // Services other than AWS have the bucket in the path, and neither checksums in trailers nor lists of rights.
      forcePathStyle: endpoint !== undefined,
      requestChecksumCalculation: 'WHEN_REQUIRED',
      responseChecksumValidation: 'WHEN_REQUIRED',
      supportsACL: false,
      visibility: 'private',
      maxAttempts: 2,
      requestHandler: { connectionTimeout: requestTimeoutMs, requestTimeout: requestTimeoutMs },
    });
    return new DriveStorage(new Disk(driver));
  }

  async put(key: string, picture: Buffer): Promise<void> {
    await this.disk.put(nameOf(key), picture, { contentType: 'image/webp' });
  }

  async get(key: string): Promise<Buffer | undefined> {
    try {
      return Buffer.from(await this.disk.getBytes(nameOf(key)));
    } catch (error) {
      // Nearly never: the database knows what exists. So the question costs nothing when all is well.
      if (await this.disk.exists(nameOf(key))) throw error;
      return undefined;
    }
  }

  async delete(key: string): Promise<void> {
    await this.disk.delete(nameOf(key));
  }
}

/** In hexadecimal, for file systems that do not tell cases apart; some hundred folders instead of one with all files. */
function nameOf(key: string): string {
  const name = Buffer.from(key, 'base64url').toString('hex');
  return `${name.slice(0, 2)}/${name}.webp`;
}
