import { describe, expect, it } from 'vitest';
import { SecretBox } from './secret-box.js';

const refusal = /unable to authenticate/;
const box = new SecretBox('a secret key of at least 32 characters', 'tests');

describe('a sealed secret', () => {
  it('opens with the same key and label', () => {
    expect(box.open(box.seal('the private key', 'k1'), 'k1')).toBe('the private key');
  });

  it('does not show its content', () => {
    expect(box.seal('the private key', 'k1').toString('latin1')).not.toContain('private');
  });

  it('does not open under another label', () => {
    const sealed = box.seal('the private key', 'k1');
    expect(() => box.open(sealed, 'k2')).toThrow(refusal);
  });

  it('does not open with another key or for another purpose', () => {
    const sealed = box.seal('the private key', 'k1');
    const otherKey = new SecretBox('another secret key of 32 characters or so', 'tests');
    const otherUse = new SecretBox('a secret key of at least 32 characters', 'other');
    expect(() => otherKey.open(sealed, 'k1')).toThrow(refusal);
    expect(() => otherUse.open(sealed, 'k1')).toThrow(refusal);
  });

  it('does not open once a bit was changed', () => {
    const sealed = box.seal('the private key', 'k1');
    sealed[sealed.length - 1]! ^= 1;
    expect(() => box.open(sealed, 'k1')).toThrow(refusal);
  });
});
