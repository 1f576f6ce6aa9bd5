/** Line breaks, other controls, and marks that turn the direction of the text around the name. */
export const nameControls = /[\p{Cc}\p{Zl}\p{Zp}\u200E\u200F\u202A-\u202E\u2066-\u2069\uFEFF]/u;

/** What mail programs turn into links: addresses, and words joined by a dot such as `example.com`. */
export const nameLinks = /[/\\@]|[\p{L}\p{N}][.\u3002\uFF0E\uFF61][\p{L}\p{N}]{2,}/u;

/** What is wrong with a person's name, as the end of “… must …”; undefined when nothing is. */
export function nameFault(name: string): string | undefined {
  if (nameControls.test(name)) return 'not contain line breaks or other control characters';
  if (nameLinks.test(name)) {
    return 'be a name without web or email addresses: leave out / and @, and write a space after a full stop';
  }
  return undefined;
}
