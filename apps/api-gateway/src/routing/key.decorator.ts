import { ApplicationError } from '@mentorhub/contracts';
import { createParamDecorator, type ExecutionContext } from '@nestjs/common';
import { documentPathParameter, pathParameter } from './path-parameter.js';

interface KeyOptions {
  name: string;
  /** What a key looks like; any other cannot exist. */
  pattern: RegExp;
  example: string;
}

const KeyParameter = createParamDecorator(
  ({ name, pattern }: KeyOptions, execution: ExecutionContext): string => {
    const key = pathParameter(execution, name);
    if (pattern.test(key)) return key;
    throw ApplicationError.notFound(`“${key.slice(0, 64)}”`);
  },
);

/** A textual key in the path, such as `pm_123abc`. @throws ApplicationError NOT_FOUND for one that cannot exist */
export function Key(options: KeyOptions): ParameterDecorator {
  const { name, pattern, example } = options;
  return (target, key, index) => {
    if (key === undefined) return;
    KeyParameter(options)(target, key, index);
    documentPathParameter(
      { name, example, schema: { type: 'string', pattern: pattern.source } },
      target,
      key,
    );
  };
}
