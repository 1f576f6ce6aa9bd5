import { describe, expect, it } from 'vitest';
import { preferredLocale } from './preferred-locale.js';

describe('preferredLocale', () => {
  it.each([
    ['en', 'en'],
    ['ru-RU', 'ru'],
    ['RU', 'ru'],
    ['de, ru;q=0.5, en;q=0.7', 'en'],
    ['en;q=0.1, ru;q=0.2', 'ru'],
    ['en, ru', 'en'],
    ['ru;q=x.y', 'ru'],
  ])('takes the best of %j', (header, locale) => {
    expect(preferredLocale(header)).toBe(locale);
  });

  it.each([undefined, '', 'de', '*', 'en;q=0', ';;;,,,'])('finds none in %j', (header) => {
    expect(preferredLocale(header)).toBeUndefined();
  });
});
