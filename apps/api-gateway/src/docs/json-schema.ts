type Json = { [member: string]: unknown };

function isObject(value: unknown): value is Json {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/**
 * Replaces `nullable`, which OpenAPI 3.1 does not have, by JSON Schema's own way to say that a value may be null.
 * @returns a copy
 */
export function toJsonSchema<T>(value: T): T {
  return convert(value) as T;
}

function convert(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(convert);
  if (!isObject(value)) return value;
  const { nullable, ...rest } = Object.fromEntries(
    Object.entries(value).map(([name, member]) => [name, convert(member)]),
  );
  if (nullable === undefined || isObject(nullable)) {
    return nullable === undefined ? rest : { ...rest, nullable };
  }
  return nullable === true ? orNull(rest) : rest;
}

function orNull({ type, enum: values, ...schema }: Json): Json {
  if (typeof type === 'string') {
    return {
      ...schema,
      type: [type, 'null'],
      ...(Array.isArray(values) && { enum: [...(values as unknown[]), null] }),
    };
  }
  const { description, example, ...referred } = schema;
  return {
    ...(description !== undefined && { description }),
    ...(example !== undefined && { example }),
    anyOf: [referred, { type: 'null' }],
  };
}
