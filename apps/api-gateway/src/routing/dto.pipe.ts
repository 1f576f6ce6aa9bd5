import { ApplicationError, type FieldError } from '@mentorhub/contracts';
import { type ArgumentMetadata, Injectable, type PipeTransform, type Type } from '@nestjs/common';
import { plainToInstance } from 'class-transformer';
import { type ValidationError, validateSync } from 'class-validator';

const rules = {
  whitelist: true,
  forbidNonWhitelisted: true,
  forbidUnknownValues: true,
  stopAtFirstError: true,
  validationError: { target: false, value: false },
} as const;

/** Most invalid fields named at once. */
const maxErrors = 50;

/**
 * Turns bodies and queries into their DTOs, and refuses what does not fit or is not known. Unlike Nest's own pipe it
 * works synchronously (no rule of ours waits) and names every field by its path.
 */
@Injectable()
export class DtoPipe implements PipeTransform {
  /** @throws ApplicationError VALIDATION_FAILED with one entry per field */
  transform(value: unknown, { type, metatype }: ArgumentMetadata): unknown {
    if (!metatype || (type !== 'body' && type !== 'query')) return value;
    const plain = value ?? {};
    if (typeof plain !== 'object' || Array.isArray(plain)) {
      throw ApplicationError.invalid('body', 'The body must be a JSON object.');
    }
    const dto = plainToInstance(metatype as Type<object>, plain);
    const errors = validateSync(dto, rules);
    if (errors.length === 0) return dto;
    throw new ApplicationError('VALIDATION_FAILED', 'Some fields are invalid.', {
      errors: errors.flatMap((error) => fieldErrors(error, '')).slice(0, maxErrors),
    });
  }
}

/** One entry per invalid field, children before nothing: `availability.monday[0]`. */
function fieldErrors(
  { property, constraints = {}, children = [] }: ValidationError,
  parent: string,
): FieldError[] {
  const field = /^\d+$/.test(property) ? `${parent}[${property}]` : joined(parent, property);
  const [[rule, message] = []] = Object.entries(constraints);
  const own =
    rule === undefined
      ? []
      : [
          {
            field,
            message: rule === 'whitelistValidation' ? `${field} is not a known field.` : message!,
          },
        ];
  return [...own, ...children.flatMap((child) => fieldErrors(child, field))];
}

function joined(parent: string, property: string): string {
  return parent === '' ? property : `${parent}.${property}`;
}
