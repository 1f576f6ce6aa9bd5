import type { DynamicModule, Type } from '@nestjs/common';
import { PATTERN_EXTRAS_METADATA, PATTERN_METADATA } from '@nestjs/microservices/constants.js';

/** What others know an app by: names that are stored, sent or logged, and that a bundler might change. */
export interface Names {
  /** `subject handler`, as the receipts in the database have them. */
  handlers: string[];
  /** As the list of migrations in the database has them. */
  migrations: string[];
  /** Of everything that is injected; logs have them as their context. */
  classes: string[];
}

type Imported = Type | DynamicModule | { forwardRef: () => Imported };

function listOf<T>(key: string, target: Type): T[] {
  return (Reflect.getMetadata(key, target) as T[] | undefined) ?? [];
}

function isClass(value: unknown): value is Type {
  return typeof value === 'function';
}

/** The subjects and keys of a controller's event handlers. */
function handlersOf({ prototype }: Type): string[] {
  return Object.getOwnPropertyNames(prototype).flatMap((name) => {
    const method = (prototype as Record<string, unknown>)[name];
    if (typeof method !== 'function' || name === 'constructor') return [];
    const extras = Reflect.getMetadata(PATTERN_EXTRAS_METADATA, method) as
      { handler?: string } | undefined;
    const patterns = Reflect.getMetadata(PATTERN_METADATA, method) as unknown[] | undefined;
    return extras?.handler === undefined
      ? []
      : (patterns ?? []).flat().map((subject) => `${String(subject)} ${extras.handler}`);
  });
}

/** Reads the names out of an app's modules, without starting it. */
export async function namesOf(
  root: DynamicModule,
  migrations: readonly { name: string }[],
): Promise<Names> {
  const classes = new Set<string>();
  const handlers = new Set<string>();
  const seen = new Set<unknown>();
  const visit = async (promised: unknown): Promise<void> => {
    const imported = (await promised) as Imported;
    const one = 'forwardRef' in imported ? imported.forwardRef() : imported;
    if (seen.has(one)) return;
    seen.add(one);
    const dynamic = isClass(one) ? undefined : (one as DynamicModule);
    const module = dynamic?.module ?? (one as Type);
    classes.add(module.name);
    const controllers = [...listOf<Type>('controllers', module), ...(dynamic?.controllers ?? [])];
    const providers = [...listOf<unknown>('providers', module), ...(dynamic?.providers ?? [])];
    for (const target of [...controllers, ...providers.filter(isClass)]) classes.add(target.name);
    for (const controller of controllers)
      for (const key of handlersOf(controller)) handlers.add(key);
    for (const next of [...listOf<unknown>('imports', module), ...(dynamic?.imports ?? [])]) {
      await visit(next);
    }
  };
  await visit(root);
  return {
    handlers: [...handlers].toSorted(),
    migrations: migrations.map(({ name }) => name),
    classes: [...classes].toSorted(),
  };
}
