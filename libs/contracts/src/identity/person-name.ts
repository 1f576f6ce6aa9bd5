import { Matches } from 'class-validator';
import { type FieldOptions, Text } from '../core/fields.js';

/** Line breaks, other controls, and marks that turn the direction of the text around the name. */
const controls = /[\p{Cc}\p{Zl}\p{Zp}\u200E\u200F\u202A-\u202E\u2066-\u2069\uFEFF]/u;

/** What mail programs turn into links: addresses, and words joined by a dot such as `example.com`. */
const links = /[/\\@]|[\p{L}\p{N}][.\u3002\uFF0E\uFF61][\p{L}\p{N}]{2,}/u;

/** A person's name: it is shown to others and in mails, so nothing in it may act as a link or as a control. */
export function PersonName(options: FieldOptions = {}): PropertyDecorator {
  const rules = [
    Text({ max: 120, ...options }),
    Matches(new RegExp(`^(?!.*(?:${links.source}))`, 'su'), {
      message:
        '$property must be a name without web or email addresses: leave out / and @, and write a space after a full stop.',
    }),
    Matches(new RegExp(`^(?!.*(?:${controls.source}))`, 'su'), {
      message: '$property must not contain line breaks or other control characters.',
    }),
  ];
  return (target, key) => {
    for (const decorate of rules) decorate(target, key);
  };
}
