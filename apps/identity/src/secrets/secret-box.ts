import { createCipheriv, createDecipheriv, hkdfSync, randomBytes } from 'node:crypto';

const nonceLength = 12;
const tagLength = 16;

/** Keeps secrets in the database unreadable without the service's `SECRET_KEY` (AES-256-GCM). */
export class SecretBox {
  private readonly key: Buffer;

  /** `purpose` separates the keys of different uses of one `SECRET_KEY`. */
  constructor(secretKey: string, purpose: string) {
    this.key = Buffer.from(hkdfSync('sha256', secretKey, '', `mentorhub ${purpose}`, 32));
  }

  /** Encrypts `text`; `label` must be given again to open it, so that sealed values cannot be swapped. */
  seal(text: string, label: string): Buffer {
    const nonce = randomBytes(nonceLength);
    const cipher = createCipheriv('aes-256-gcm', this.key, nonce);
    cipher.setAAD(Buffer.from(label));
    const encrypted = Buffer.concat([cipher.update(text, 'utf8'), cipher.final()]);
    return Buffer.concat([nonce, cipher.getAuthTag(), encrypted]);
  }

  /** @throws when the key or the label is another one, or the box was changed. */
  open(box: Buffer, label: string): string {
    const decipher = createDecipheriv('aes-256-gcm', this.key, box.subarray(0, nonceLength), {
      authTagLength: tagLength,
    });
    decipher.setAAD(Buffer.from(label));
    decipher.setAuthTag(box.subarray(nonceLength, nonceLength + tagLength));
    const encrypted = box.subarray(nonceLength + tagLength);
    return Buffer.concat([decipher.update(encrypted), decipher.final()]).toString('utf8');
  }
}
