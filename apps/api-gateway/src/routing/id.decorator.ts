import { ApplicationError } from '@mentorhub/contracts';
import { createParamDecorator, type ExecutionContext } from '@nestjs/common';
import { documentPathParameter, pathParameter } from './path-parameter.js';

interface IdOptions {
  name: string;
  max: number;
}

const IdParameter = createParamDecorator(
  ({ name, max }: IdOptions, execution: ExecutionContext): number => {
    const text = pathParameter(execution, name);
    const id = Number(text);
    if (/^[1-9]\d{0,15}$/.test(text) && id <= max) return id;
    throw ApplicationError.invalid(name, `${name} must be a whole number from 1 to ${max}.`);
  },
);

function idIn(options: IdOptions, format: 'int32' | 'int64'): ParameterDecorator {
  const { name, max } = options;
  const schema = { type: 'integer', format, minimum: 1, maximum: max };
  return (target, key, index) => {
    if (key === undefined) return;
    IdParameter(options)(target, key, index);
    documentPathParameter({ name, schema }, target, key);
  };
}

/** An id in the path, checked without the cost of a DTO. @throws ApplicationError VALIDATION_FAILED */
export function Id(name = 'id'): ParameterDecorator {
  return idIn({ name, max: 2_147_483_647 }, 'int32');
}

/** An id of what there may be billions of, such as messages. @throws ApplicationError VALIDATION_FAILED */
export function LongId(name = 'id'): ParameterDecorator {
  return idIn({ name, max: Number.MAX_SAFE_INTEGER }, 'int64');
}
