import sharp from 'sharp';
import { describe, expect, it } from 'vitest';
import { AvatarImages } from './avatar-image.js';

describe('making pictures anew', () => {
  it('takes so many at once, and refuses the others with the time to try again', async () => {
    const images = new AvatarImages();
    const picture = await sharp({
      create: { width: 800, height: 800, channels: 3, background: 'teal' },
    })
      .png()
      .toBuffer();
    const outcomes = await Promise.allSettled(
      Array.from({ length: 20 }, () => images.convert(picture)),
    );
    const refused = outcomes.flatMap((one) => (one.status === 'rejected' ? [one.reason] : []));
    expect(refused).toHaveLength(12);
    expect(refused[0]).toMatchObject({ code: 'OVERLOADED', retryAfterSeconds: 2 });
    await expect(images.convert(picture)).resolves.toBeInstanceOf(Buffer);
  });

  it('keeps the worst picture, which does not compress, below 100 KB', async () => {
    const noise = await sharp({
      create: {
        width: 512,
        height: 512,
        channels: 3,
        background: 'white',
        noise: { type: 'gaussian', mean: 128, sigma: 120 },
      },
    })
      .png()
      .toBuffer();
    expect((await new AvatarImages().convert(noise)).length).toBeLessThanOrEqual(100_000);
  });
});
