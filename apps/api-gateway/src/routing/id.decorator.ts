import { ApplicationError } from '@mentorhub/contracts';
import { createParamDecorator, type ExecutionContext } from '@nestjs/common';
import { documentPathParameter, pathParameter } from './path-parameter.js';

const maxId = 2_147_483_647;

const IdParameter = createParamDecorator((name: string, execution: ExecutionContext): number => {
  const text = pathParameter(execution, name);
  const id = Number(text);
  if (/^[1-9]\d{0,9}$/.test(text) && id <= maxId) return id;
  throw ApplicationError.invalid(name, `${name} must be a whole number from 1 to ${maxId}.`);
});

/** An id in the path, checked without the cost of a DTO. @throws ApplicationError VALIDATION_FAILED */
export function Id(name = 'id'): ParameterDecorator {
  const schema = { type: 'integer', minimum: 1, maximum: maxId };
  return (target, key, index) => {
    if (key === undefined) return;
    IdParameter(name)(target, key, index);
    documentPathParameter({ name, schema }, target, key);
  };
}
