import { ApplicationError, avatarPixels, maxAvatarBytes } from '@mentorhub/contracts';
import { Injectable } from '@nestjs/common';
import type { Metadata, Sharp } from 'sharp';

type SharpModule = typeof import('sharp').default;

/** Most pixels of an uploaded picture: those of a good camera. */
const maxPixels = 50_000_000;
/** What a picture may take in memory where its format does not let it be read line by line. */
const maxDecodedBytes = 96 * 1024 * 1024;
/** Longest a picture may take to be made anew. */
const maxSeconds = 10;
/** Pictures that wait for their turn: one at a time is made anew, which takes a core and up to 100 MB. */
const longestQueue = 8;

/** The first of these with which a picture is small enough. */
const qualities = [82, 60, 30, 1];

/** The beginnings of the formats that are accepted. */
const signatures: readonly { format: string; is: (bytes: Buffer) => boolean }[] = [
  { format: 'png', is: (bytes) => bytes.subarray(0, 8).toString('latin1') === '\x89PNG\r\n\x1a\n' },
  { format: 'jpeg', is: (bytes) => bytes.subarray(0, 3).toString('latin1') === '\xff\xd8\xff' },
  {
    format: 'webp',
    is: (bytes) =>
      bytes.subarray(0, 4).toString('latin1') === 'RIFF' &&
      bytes.subarray(8, 12).toString('latin1') === 'WEBP',
  },
];

/**
 * Makes uploaded pictures anew: 512 pixels square, WebP, without anything but the pixels. What was hidden in the upload,
 * such as where a photo was taken or markup behind the picture, does not get into the result.
 */
@Injectable()
export class AvatarImages {
  private queue = Promise.resolve();
  private waiting = 0;
  private library: Promise<SharpModule> | undefined;

  /**
   * @param bytes a PNG, JPEG or WebP, told by its content; of an animation the first picture counts
   * @returns at most 100 KB of WebP
   * @throws ApplicationError VALIDATION_FAILED, OVERLOADED
   */
  async convert(bytes: Buffer): Promise<Buffer> {
    const format = signatures.find(({ is }) => is(bytes))?.format;
    if (format === undefined) throw invalid('must be a PNG, JPEG or WebP picture');
    if (this.waiting >= longestQueue) throw overloaded();
    this.waiting += 1;
    try {
      return await this.inTurn(() => this.render(bytes, format));
    } finally {
      this.waiting -= 1;
    }
  }

  private inTurn<Result>(work: () => Promise<Result>): Promise<Result> {
    const result = this.queue.then(work);
    this.queue = result.then(
      () => undefined,
      () => undefined,
    );
    return result;
  }

  private async render(bytes: Buffer, format: string): Promise<Buffer> {
    this.library ??= loadLibrary();
    const sharp = await this.library;
    const open = (): Sharp =>
      sharp(bytes, { failOn: 'error', limitInputPixels: maxPixels, pages: 1 }).timeout({
        seconds: maxSeconds,
      });
    try {
      // The header alone: nothing is decoded, so the limit is ours, with words of ours.
      checkSize(await sharp(bytes, { limitInputPixels: false, pages: 1 }).metadata(), format);
      for (const quality of qualities) {
        const picture = await open()
          .autoOrient()
          .resize(avatarPixels, avatarPixels, { fit: 'cover' })
          .webp({ quality })
          .toBuffer();
        if (picture.length <= maxAvatarBytes) return picture;
      }
    } catch (error) {
      if (error instanceof ApplicationError) throw error;
      // libvips says in its own words what is wrong; it is the picture.
      throw invalid('must be a whole and valid picture', error);
    }
    throw invalid('must be a picture that can be made smaller than 100 KB');
  }
}

/** Loaded with the first upload: a gateway that gets none does without its memory. */
async function loadLibrary(): Promise<SharpModule> {
  const { default: sharp } = await import('sharp');
  sharp.cache(false);
  // One thread a picture: requests come first.
  sharp.concurrency(1);
  // The other formats that libvips knows are not even tried.
  sharp.block({ operation: ['VipsForeignLoad'] });
  sharp.unblock({
    operation: [
      'VipsForeignLoadJpegBuffer',
      'VipsForeignLoadPngBuffer',
      'VipsForeignLoadWebpBuffer',
    ],
  });
  return sharp;
}

/** @throws ApplicationError VALIDATION_FAILED for what would take too much memory, or is no picture of its format */
function checkSize(metadata: Metadata, format: string): void {
  const { width, height, channels, depth, isProgressive } = metadata;
  if (metadata.format !== format) throw invalid('must be a PNG, JPEG or WebP picture');
  const pixels = width * height;
  if (pixels > maxPixels) throw tooManyPixels();
  // The others are read line by line.
  if (!isProgressive && format !== 'webp') return;
  // A progressive JPEG is kept as coefficients of two bytes.
  const bytesPerSample = format === 'jpeg' || depth === 'ushort' ? 2 : 1;
  const samples = metadata.chromaSubsampling === '4:2:0' ? 1.5 : channels;
  if (pixels * samples * bytesPerSample > maxDecodedBytes) throw tooManyPixels();
}

function tooManyPixels(): ApplicationError {
  return invalid('has too many pixels: send a smaller picture, such as 2000 × 2000');
}

function invalid(fault: string, cause?: unknown): ApplicationError {
  return new ApplicationError('VALIDATION_FAILED', 'The picture cannot be used.', {
    errors: [{ field: 'file', message: `file ${fault}.` }],
    cause,
  });
}

function overloaded(): ApplicationError {
  return new ApplicationError('OVERLOADED', 'Too many uploads at the moment; try again shortly.', {
    retryAfterSeconds: 2,
  });
}
