import { workspaceRoot } from '@mentorhub/local-system';
import { beforeAll, describe, expect, inject, it } from 'vitest';
import { findingText } from '../src/finding.js';
import { type FieldPath, fieldName, type KubernetesObject, nameOf } from '../src/objects.js';
import { readRendering } from '../src/render.js';
import { sourceFindings } from '../src/sources.js';
import { typeFindings } from '../src/type-findings.js';
import { typeFaults } from '../src/typed.js';
import { findObject, remove, set } from './mutation.js';

const renders = inject('renderings').map(readRendering);

describe('the manifests', () => {
  it('are for both overlays, and for each app alone in each', () => {
    const folders = renders.map(({ folder }) => folder);
    for (const overlay of ['k8s/overlays/production', 'k8s/overlays/small']) {
      expect(folders).toContain(overlay);
      for (const app of [
        'identity',
        'mentorship',
        'chat',
        'notifications',
        'payments',
        'api-gateway',
        'chat-gateway',
      ]) {
        expect(folders).toContain(`${overlay}/${app}`);
      }
    }
  });

  it('render', () => {
    expect(renders.flatMap(({ findings }) => findings.map(findingText))).toEqual([]);
    for (const { objects } of renders) expect(objects.length).toBeGreaterThan(0);
  });

  it('are written strictly', async () => {
    expect((await sourceFindings(workspaceRoot, renders)).map(findingText)).toEqual([]);
  });

  it('have no field that their kinds do not have, and none missing or of another type', async () => {
    const restored = readRendering(inject('restored'));
    expect((await typeFindings([...renders, restored])).map(findingText)).toEqual([]);
  });
});

/** A mistake in an object of the overlay `production`, and the field in which it has to be found. */
interface Planted {
  in: [kind: string, name: string];
  plant: (object: KubernetesObject) => void;
  path: FieldPath;
  problem: RegExp;
}

const pod = ['spec', 'template', 'spec'] as const;
const app = [...pod, 'containers', 0] as const;

function setting(path: FieldPath, value: unknown, problem: RegExp) {
  return { plant: (object: KubernetesObject) => set(object, path, value), path, problem };
}

function unknown(kind: string, name: string, path: FieldPath, value: unknown): Planted {
  return { in: [kind, name], ...setting(path, value, /is not a field there\.$/) };
}

function wrong(kind: string, name: string, path: FieldPath, value: unknown): Planted {
  return {
    in: [kind, name],
    ...setting(path, value, /^(?:The type is wrong|By its schema it must)/),
  };
}

function missing(kind: string, name: string, path: FieldPath): Planted {
  return {
    in: [kind, name],
    plant: (object) => remove(object, path),
    path,
    problem: /is missing\.$/,
  };
}

const planted: Record<string, Planted> = {
  'a field of a container that belongs into its securityContext': unknown(
    'Deployment',
    'chat',
    [...app, 'readOnlyRootFilesystem'],
    true,
  ),
  'a field of a Service that Kubernetes never had': unknown(
    'Service',
    'api-gateway',
    ['spec', 'loadBalancer'],
    true,
  ),
  'a direction of an ingress rule in an egress rule': unknown(
    'NetworkPolicy',
    'chat',
    ['spec', 'egress', 0, 'from'],
    [],
  ),
  'a setting of PostgreSQL beside its parameters': unknown(
    'Cluster',
    'chat-db',
    ['spec', 'postgresql', 'max_connections'],
    '100',
  ),
  'a server name where the Barman Cloud plugin takes none': unknown(
    'ObjectStore',
    'chat-db',
    ['spec', 'configuration', 'serverName'],
    'chat',
  ),
  'a misspelt field of a container': unknown(
    'Deployment',
    'identity',
    [...app, 'imagePullPolice'],
    'Always',
  ),
  'a misspelt field of the rollout': unknown(
    'Deployment',
    'payments',
    ['spec', 'strategy', 'rollingUpdate', 'maxUnavailible'],
    0,
  ),
  'a misspelt field of an ExternalSecret': unknown(
    'ExternalSecret',
    'chat',
    ['spec', 'refreshIntervall'],
    '1h0m0s',
  ),
  'a misspelt field of a route': unknown(
    'HTTPRoute',
    'mentorhub',
    ['spec', 'rules', 0, 'backendRef'],
    [],
  ),
  'a misspelt field of a PodMonitor': unknown(
    'PodMonitor',
    'mentorhub',
    ['spec', 'podMetricsEndpoints', 0, 'intervall'],
    '15s',
  ),
  'a misspelt field of metadata': unknown('StatefulSet', 'nats', ['metadata', 'lables'], {}),
  'a misspelt kind': {
    in: ['PodDisruptionBudget', 'chat'],
    plant: (object) => set(object, ['kind'], 'PodDisruptionBudgett'),
    path: ['kind'],
    problem: /There is no model of PodDisruptionBudgett/,
  },
  'a kind of a version that Kubernetes no longer serves': {
    in: ['PodDisruptionBudget', 'chat'],
    plant: (object) => set(object, ['apiVersion'], 'policy/v1beta9'),
    path: ['kind'],
    problem: /There is no model of PodDisruptionBudget in policy\/v1beta9/,
  },
  'a number in words': wrong('StatefulSet', 'nats', ['spec', 'replicas'], 'three'),
  'a time with its unit where seconds are a number': wrong(
    'Deployment',
    'chat',
    [...app, 'livenessProbe', 'periodSeconds'],
    '5s',
  ),
  'a fraction where a whole number is asked for': wrong(
    'Deployment',
    'mentorship',
    ['spec', 'minReadySeconds'],
    2.5,
  ),
  'an amount of memory with a unit that is none': wrong(
    'Deployment',
    'mentorship',
    [...app, 'resources', 'limits', 'memory'],
    '256 MB',
  ),
  'a number as the value of a variable': wrong(
    'ConfigMap',
    'chat',
    ['data', 'DATABASE_POOL_SIZE'],
    10,
  ),
  'a text where a list is asked for': wrong(
    'NetworkPolicy',
    'nats',
    ['spec', 'policyTypes'],
    'Ingress',
  ),
  'nothing where a list is asked for': wrong(
    'Deployment',
    'api-gateway',
    [...pod, 'containers'],
    null,
  ),
  'a word that is none of those there are': wrong(
    'HTTPRoute',
    'mentorhub',
    ['spec', 'rules', 0, 'matches', 0, 'path', 'type'],
    'Prefix',
  ),
  'a time that the Gateway API does not know': wrong(
    'HTTPRoute',
    'mentorhub',
    ['spec', 'rules', 0, 'timeouts', 'request'],
    'never',
  ),
  'a retention that the Barman Cloud plugin does not know': {
    in: ['ObjectStore', 'chat-db'],
    plant: (object) => set(object, ['spec', 'retentionPolicy'], 'a month'),
    path: ['spec', 'retentionPolicy'],
    problem: /days, weeks or months/,
  },
  'a container without a name': missing('Deployment', 'chat', [...app, 'name']),
  'a Deployment without a selector': missing('Deployment', 'payments', ['spec', 'selector']),
  'an autoscaler without an end': missing('HorizontalPodAutoscaler', 'chat', [
    'spec',
    'maxReplicas',
  ]),
  'a certificate without a Secret': missing('Certificate', 'nats', ['spec', 'secretName']),
  'backups without a time': missing('ScheduledBackup', 'chat-db', ['spec', 'schedule']),
  'backups without a place': missing('ObjectStore', 'chat-db', [
    'spec',
    'configuration',
    'destinationPath',
  ]),
  'a scaled object without a target': missing('ScaledObject', 'chat-gateway', [
    'spec',
    'scaleTargetRef',
  ]),
};

describe('a mistake in an object', () => {
  const spoilt = new Map<string, KubernetesObject>();
  let faults: Awaited<ReturnType<typeof typeFaults>>;

  beforeAll(async () => {
    const { objects } = renders.find(({ folder }) => folder === 'k8s/overlays/production')!;
    for (const [title, { in: place, plant }] of Object.entries(planted)) {
      const object = structuredClone(findObject(objects, ...place));
      plant(object);
      spoilt.set(title, object);
    }
    faults = await typeFaults([...spoilt.values()]);
  }, 60_000);

  it.each(Object.entries(planted))('is found: %s', (title, { path, problem }) => {
    const object = spoilt.get(title)!;
    const found = faults.get(object)!;
    const field = fieldName(object, path);
    expect(found).toContainEqual({
      object: nameOf(object),
      field,
      problem: expect.stringMatching(problem) as string,
      fix: expect.stringMatching(/\.$/) as string,
    });
    expect(found.filter((each) => each.field === field)).toHaveLength(1);
  });
});
