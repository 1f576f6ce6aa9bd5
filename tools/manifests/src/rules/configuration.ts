import { type App, knownVariables } from '../apps.js';
import { configurationOf, mountedFile, type SetVariable, variablesOf } from '../environment.js';
import { distinctFaults, type Fault, fault } from '../finding.js';
import type { FieldPath, KubernetesObject } from '../objects.js';
import { secretsOf } from '../secrets.js';
import { ofKind, type Workload, workloadsOf } from '../workloads.js';
import type { Rule, Subject } from './rule.js';

/** Variables that the apps do not declare: Node.js and the libraries read them. */
const ofRuntime = new Set(['NODE_OPTIONS', 'NODE_EXTRA_CA_CERTS', 'OTEL_RESOURCE_ATTRIBUTES']);

/** The app that a workload runs, by its label. */
export function appOf({ labels }: Workload, { apps }: Pick<Subject, 'apps'>): App | undefined {
  return apps.get(labels['app.kubernetes.io/name'] ?? '');
}

interface AppContainer {
  workload: Workload;
  app: App;
  container: Workload['containers'][number]['container'];
  path: FieldPath;
  variables: Map<string, SetVariable>;
}

function appContainers(subject: Subject): AppContainer[] {
  return workloadsOf(subject.objects).flatMap((workload) => {
    const app = appOf(workload, subject);
    if (!app) return [];
    return workload.containers.map(({ container, path }) => ({
      workload,
      app,
      container,
      path,
      variables: variablesOf(subject.objects, workload.object, container, path).variables,
    }));
  });
}

/** What the main container of an app is configured with. Undefined where it would not start. */
export function readConfiguration(
  { objects }: Subject,
  { object, containers }: Workload,
  app: App,
): Record<string, unknown> | undefined {
  const main = containers.find(({ initial }) => !initial);
  if (!main) return undefined;
  try {
    return configurationOf(app, variablesOf(objects, object, main.container, main.path).variables);
  } catch {
    return undefined;
  }
}

/** Every app would start with its variables: none missing, none wrong, none that it does not know. */
export const variablesAreRead: Rule = (subject) => {
  const faults = appContainers(subject).flatMap(({ workload, app, container, path, variables }) => {
    const { object } = workload;
    const { missing } = variablesOf(subject.objects, object, container, path);
    const known = knownVariables(app);
    const found = missing.map(({ name, path: place }) =>
      fault(
        object,
        place,
        `There is no ConfigMap ${name} here.`,
        'Correct the name, or add the ConfigMap to this folder.',
      ),
    );
    for (const { name, object: holder, path: place } of variables.values()) {
      if (known.has(name) || ofRuntime.has(name)) continue;
      found.push(
        fault(
          holder,
          place,
          `${app.name} does not read ${name}.`,
          'Correct the name, or remove it; docs/configuration.md has all variables.',
        ),
      );
    }
    return [...found, ...startFaults(app, object, path, variables)];
  });
  return distinctFaults(faults);
};

/** What the app itself would say at its start. */
function startFaults(
  app: App,
  object: KubernetesObject,
  path: FieldPath,
  variables: ReadonlyMap<string, SetVariable>,
): Fault[] {
  try {
    configurationOf(app, variables);
    return [];
  } catch (error) {
    const { problems } = error as Error & { problems?: string[] };
    if (!problems) throw error;
    return problems.map((problem) => {
      const name = /^[A-Z][A-Z0-9_]+/.exec(problem)?.[0] ?? '';
      const set = variables.get(name);
      const [what = problem, ...fixes] = problem.split(/(?<=: )|(?<=\.) /);
      return fault(
        set?.object ?? object,
        set?.path ?? [...path, 'env', name],
        `${app.name} would not start: ${what.replace(/: $/, '.')}`,
        fixes.length > 0 ? upperFirst(fixes.join(' ')) : 'Correct the value.',
      );
    });
  }
}

function upperFirst(text: string): string {
  return text.charAt(0).toUpperCase() + text.slice(1);
}

/** What looks like a secret, wherever it stands. */
const secretTexts: [RegExp, string][] = [
  [/-----BEGIN [A-Z ]*PRIVATE KEY-----/, 'a private key'],
  [/\bS[AUNOC][A-Z2-7]{56}\b/, 'the seed of an NKey'],
  [/\b[a-z][a-z0-9+.-]*:\/\/[^\s:/@{}]*:[^\s/@{}]+@/, 'an address with a password'],
  [/\bSG\.[\w-]{16,}\.[\w-]{16,}\b/, 'a key of SendGrid'],
];

/** Secrets are in Secrets, which are not in these files, and reach apps as files. */
export const noPlainSecrets: Rule = (subject) => {
  const { objects } = subject;
  const inVariables = appContainers(subject).flatMap(
    ({ app, workload, container, path, variables }) => {
      const known = knownVariables(app);
      return [
        ...[...variables.values()].flatMap(({ name, value, object, path: place }) => {
          const variable = known.get(name);
          if (!variable?.secret || variable.file || isOpenAddress(value)) return [];
          return [
            fault(
              object,
              place,
              `${name} is a secret, and everybody who may read this object or the pod's environment sees it.`,
              `Mount the Secret as a file and set ${name}_FILE to its path.`,
            ),
          ];
        }),
        ...(container.envFrom ?? []).flatMap(({ secretRef }, index) =>
          secretRef
            ? [
                fault(
                  workload.object,
                  [...path, 'envFrom', index, 'secretRef'],
                  'Secrets are in the environment, which child processes and debuggers see.',
                  'Mount the Secret as files and set the variables that end with _FILE.',
                ),
              ]
            : [],
        ),
      ];
    },
  );
  const secrets = ofKind(objects, 'Secret').flatMap((object) =>
    ['data', 'stringData'].flatMap((field) =>
      Object.keys(object[field] ?? {}).map((key) =>
        fault(
          object,
          [field, key],
          'The value of a Secret is in these files.',
          'Have it made in the cluster: by an ExternalSecret, or by hand.',
        ),
      ),
    ),
  );
  const texts = objects.flatMap((object) =>
    textsOf(object).flatMap(([path, text]) =>
      secretTexts
        .filter(([pattern]) => pattern.test(text))
        .map(([, what]) =>
          fault(
            object,
            path,
            `It has ${what}.`,
            'Put it into a Secret that is not in these files.',
          ),
        ),
    ),
  );
  return distinctFaults([...inVariables, ...secrets, ...texts]);
};

/** NATS_URL may hold a password, so it counts as a secret; one without says nothing that is secret. */
function isOpenAddress(value: string | undefined): boolean {
  return (value ?? '').split(',').every((each) => {
    const url = URL.parse(each.trim());
    return url !== null && /^(?:nats|tls):$/.test(url.protocol) && url.username === '';
  });
}

function textsOf(value: unknown, path: FieldPath = []): [FieldPath, string][] {
  if (typeof value === 'string') return [[path, value]];
  if (Array.isArray(value)) return value.flatMap((item, index) => textsOf(item, [...path, index]));
  if (typeof value !== 'object' || value === null) return [];
  return Object.entries(value).flatMap(([key, item]) => textsOf(item, [...path, key]));
}

/** Every file that a variable names is mounted from a Secret that the overlay has, with that key. */
export const secretFilesAreMounted: Rule = (subject) => {
  const secrets = secretsOf(subject.overlay, subject.beside);
  const faults = appContainers(subject).flatMap(({ app, workload, container, variables }) => {
    const known = knownVariables(app);
    return [...variables.values()].flatMap(({ name, value, object, path }) => {
      const variable = known.get(name);
      if (value === undefined || !(variable?.file === true || name === 'NATS_CA_FILE')) return [];
      const mounted = mountedFile(workload.pod, container, value);
      if (!mounted) {
        return [
          fault(
            object,
            path,
            `No Secret is mounted in the container ${container.name} of ${app.name} where ${value} is.`,
            'Correct the path, or mount the Secret.',
          ),
        ];
      }
      const has = mounted.secrets.some((secret) => secrets.get(secret)?.has(mounted.key));
      return has
        ? []
        : [
            fault(
              object,
              path,
              `No Secret ${mounted.secrets.join(' or ')} with the key ${mounted.key} is made for this overlay.`,
              'Correct the path, or add the key to the ExternalSecret; in small, to k8s/secrets.',
            ),
          ];
    });
  });
  return distinctFaults(faults);
};

/** Migrations are those of the version that is about to serve. */
export const migrationsByOwnImage: Rule = (subject) =>
  workloadsOf(subject.objects).flatMap((workload) => {
    const app = appOf(workload, subject);
    if (!app || !('DATABASE_URL' in app.variables)) return [];
    const { object, containers, path } = workload;
    const main = containers.find(({ initial }) => !initial);
    const migrating = containers.find(
      ({ container, initial }) => initial && container.args?.includes('migrate.js'),
    );
    if (!migrating) {
      return [
        fault(
          object,
          [...path, 'initContainers'],
          'Nothing brings the database up to date before the app serves.',
          `Add an initContainer with the image of the app and args: [migrate.js].`,
        ),
      ];
    }
    return migrating.container.image === main?.container.image
      ? []
      : [
          fault(
            object,
            [...migrating.path, 'image'],
            `Migrations are those of ${migrating.container.image}, the app is ${main?.container.image}.`,
            'Use the same image for both.',
          ),
        ];
  });

/** Kubernetes does not kill an app that is still stopping. */
export const graceCoversShutdown: Rule = (subject) =>
  workloadsOf(subject.objects).flatMap((workload) => {
    const { object, pod, path, containers } = workload;
    const app = appOf(workload, subject);
    const config = app && readConfiguration(subject, workload, app);
    const grace = pod.terminationGracePeriodSeconds;
    const field = [...path, 'terminationGracePeriodSeconds'];
    if (grace === undefined) {
      return [
        fault(
          object,
          field,
          'How long its pods may take to stop is not said.',
          'Set it to more seconds than they need.',
        ),
      ];
    }
    if (!config) return [];
    const sleep = Math.max(
      0,
      ...containers.map(({ container }) => container.lifecycle?.preStop?.sleep?.seconds ?? 0),
    );
    // Delay and drain are within it: the app does not start otherwise.
    const needed = sleep + Number(config['SHUTDOWN_TIMEOUT_MS']) / 1000;
    return grace > needed
      ? []
      : [
          fault(
            object,
            field,
            `${app.name} may take ${needed} s to stop, and is killed after ${grace} s.`,
            `Set it to more than ${needed}, for example ${needed + 10}.`,
          ),
        ];
  });
