import { type Fault, fault } from '../finding.js';
import type { FieldPath, KubernetesObject } from '../objects.js';
import { workloadsOf } from '../workloads.js';
import { appOf, readConfiguration } from './configuration.js';
import type { Rule, Subject } from './rule.js';

/** What clients reach, and which app answers: all paths below one, or that path alone. */
const clientPaths: readonly { path: string; exact: boolean; app: string }[] = [
  { path: '/ws', exact: false, app: 'chat-gateway' },
  { path: '/api/v1', exact: false, app: 'api-gateway' },
  { path: '/avatars', exact: false, app: 'api-gateway' },
  { path: '/checkout', exact: false, app: 'api-gateway' },
  { path: '/docs', exact: false, app: 'api-gateway' },
  { path: '/redoc', exact: false, app: 'api-gateway' },
  { path: '/openapi.json', exact: true, app: 'api-gateway' },
  { path: '/.well-known', exact: false, app: 'api-gateway' },
  { path: '/health/ready', exact: true, app: 'api-gateway' },
];

/** What apps answer for operators. */
const insidePaths = [
  '/metrics',
  '/health',
  '/health/live',
  '/health/detailed',
  '/ready',
  '/dev/mail',
];

/** A path that the edge leads somewhere. */
interface EdgePath {
  /** Undefined where it is not a path but a pattern. */
  path: string | undefined;
  exact: boolean;
  service: string;
  object: KubernetesObject;
  field: FieldPath;
}

interface RouteRule {
  matches?: { path?: { type?: string; value?: string } }[];
  backendRefs?: { name: string }[];
}

interface IngressRule {
  host?: string;
  http?: {
    paths: { path?: string; pathType: string; backend: { service?: { name: string } } }[];
  };
}

function routePaths(object: KubernetesObject): EdgePath[] {
  const { rules = [] } = object['spec'] as { rules?: RouteRule[] };
  return rules.flatMap(({ matches, backendRefs = [] }, index) =>
    backendRefs.flatMap(({ name: service }) =>
      // Without a match, all is matched.
      (matches ?? [{}]).map(({ path: { type = 'PathPrefix', value = '/' } = {} }, place) => ({
        path: type === 'RegularExpression' ? undefined : value,
        exact: type === 'Exact',
        service,
        object,
        field: ['spec', 'rules', index, ...(matches ? ['matches', place, 'path'] : [])],
      })),
    ),
  );
}

function ingressPaths(object: KubernetesObject): EdgePath[] {
  const { rules = [], defaultBackend } = object['spec'] as {
    rules?: IngressRule[];
    defaultBackend?: { service?: { name: string } };
  };
  const others = defaultBackend
    ? [
        {
          path: '/',
          exact: false,
          service: defaultBackend.service?.name ?? '',
          object,
          field: ['spec', 'defaultBackend'],
        },
      ]
    : [];
  const paths = rules.flatMap(({ http }, index) =>
    (http?.paths ?? []).map(({ path = '/', pathType, backend }, place) => ({
      // What it means otherwise is up to the controller.
      path: ['Prefix', 'Exact'].includes(pathType) ? path : undefined,
      exact: pathType === 'Exact',
      service: backend.service?.name ?? '',
      object,
      field: ['spec', 'rules', index, 'http', 'paths', place],
    })),
  );
  return [...others, ...paths];
}

/** Whether a request for a path goes there: prefixes match whole parts of paths. */
function leads({ path, exact }: Pick<EdgePath, 'path' | 'exact'>, requested: string): boolean {
  if (path === undefined) return true;
  const base = path.replace(/\/$/, '');
  return requested === path || (!exact && `${requested}/`.startsWith(`${base}/`));
}

/** Clients reach their paths in every overlay, and nothing that is for operators. */
export const clientsReachTheirPaths: Rule = (subject) => {
  const edge = subject.objects.filter(({ kind }) => kind === 'HTTPRoute' || kind === 'Ingress');
  const paths = edge.flatMap((object) =>
    object.kind === 'Ingress' ? ingressPaths(object) : routePaths(object),
  );
  const [first] = paths;
  if (!first) return [];
  const tooMany = paths.flatMap((each) => {
    const { path, exact, service, object, field } = each;
    const wanted = clientPaths.find((known) => known.path === path && known.exact === exact);
    if (wanted?.app === service) return [];
    const inside = insidePaths.filter((operators) => leads(each, operators));
    if (inside.length > 0) {
      return [
        fault(
          object,
          field,
          `Clients reach ${inside.join(', ')} of ${service}, which is for operators.`,
          'Remove it, or name the paths that clients use.',
        ),
      ];
    }
    return [
      wanted
        ? fault(object, field, `${path} leads to ${service}.`, `Lead it to ${wanted.app}.`)
        : fault(
            object,
            field,
            `${path}${exact ? '' : ' and all below it'} is no path of clients.`,
            'Remove it, or add it to clientPaths in tools/manifests/src/rules/edge.ts.',
          ),
    ];
  });
  const tooFew = clientPaths
    .filter(({ path, exact }) => !paths.some((each) => each.path === path && each.exact === exact))
    .map(({ path, exact, app }) =>
      fault(
        first.object,
        ['spec', 'rules'],
        `No client reaches ${path}${exact ? '' : ' and what is below it'}.`,
        `Lead it to ${app}.`,
      ),
    );
  return [...tooMany, ...tooFew, ...hostFaults(subject)];
};

/** The host of the edge is the one that apps write into links. */
function hostFaults(subject: Subject): Fault[] {
  const whole = { ...subject, objects: subject.overlay };
  const addresses = workloadsOf(subject.overlay).flatMap((workload) => {
    const app = appOf(workload, subject);
    const { PUBLIC_URL } = (app && readConfiguration(whole, workload, app)) ?? {};
    return typeof PUBLIC_URL === 'string' ? [PUBLIC_URL] : [];
  });
  const hosts = new Set(addresses.map((address) => new URL(address).hostname));
  return subject.objects.flatMap((object) =>
    hostsOf(object)
      .filter(({ host }) => host === undefined || !hosts.has(host))
      .map(({ host, field }) =>
        fault(
          object,
          field,
          `It is for ${host ?? 'every host'}, and PUBLIC_URL is for ${[...hosts].join(', ')}.`,
          'Set the host of PUBLIC_URL.',
        ),
      ),
  );
}

function hostsOf(object: KubernetesObject): { host: string | undefined; field: FieldPath }[] {
  const spec = (object['spec'] ?? {}) as {
    hostnames?: string[];
    listeners?: { hostname?: string }[];
    tls?: { hosts?: string[] }[];
    rules?: IngressRule[];
  };
  switch (object.kind) {
    case 'HTTPRoute':
      return (spec.hostnames ?? [undefined]).map((host, index) => ({
        host,
        field: ['spec', 'hostnames', ...(host === undefined ? [] : [index])],
      }));
    case 'Gateway':
      return (spec.listeners ?? []).map(({ hostname }, index) => ({
        host: hostname,
        field: ['spec', 'listeners', index, 'hostname'],
      }));
    case 'Ingress':
      return [
        ...(spec.rules ?? []).map(({ host }, index) => ({
          host,
          field: ['spec', 'rules', index, 'host'],
        })),
        ...(spec.tls ?? []).flatMap(({ hosts = [] }, index) =>
          hosts.map((host, place) => ({ host, field: ['spec', 'tls', index, 'hosts', place] })),
        ),
      ];
    default:
      return [];
  }
}
