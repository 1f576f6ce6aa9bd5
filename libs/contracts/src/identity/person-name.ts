import { Matches } from 'class-validator';
import { type FieldOptions, Text } from '../core/fields.js';
import { nameControls, nameLinks } from './name-rules.js';

/** A person's name: it is shown to others and in mails, so nothing in it may act as a link or as a control. */
export function PersonName(options: FieldOptions = {}): PropertyDecorator {
  const rules = [
    Text({ max: 120, ...options }),
    Matches(new RegExp(`^(?!.*(?:${nameLinks.source}))`, 'su'), {
      message:
        '$property must be a name without web or email addresses: leave out / and @, and write a space after a full stop.',
    }),
    Matches(new RegExp(`^(?!.*(?:${nameControls.source}))`, 'su'), {
      message: '$property must not contain line breaks or other control characters.',
    }),
  ];
  return (target, key) => {
    for (const decorate of rules) decorate(target, key);
  };
}
