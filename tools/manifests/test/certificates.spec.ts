import { checkServerIdentity, type PeerCertificate } from 'node:tls';
import { describe, expect, inject, it } from 'vitest';
import type { KubernetesObject } from '../src/objects.js';
import { readRendering } from '../src/render.js';

interface Certificate extends KubernetesObject {
  spec: { dnsNames?: string[] };
}

interface ExternalSecret extends KubernetesObject {
  spec: { target: { template?: { data: Record<string, string> } } };
}

/** The hosts of the addresses in texts. */
function hostsIn(texts: readonly string[], scheme: RegExp): string[] {
  return [
    ...new Set(texts.flatMap((text) => [...text.matchAll(scheme)].map(([, host = '']) => host))),
  ];
}

describe('the certificates of the production overlay', () => {
  const { objects } = inject('renderings')
    .map(readRendering)
    .find(({ folder }) => folder === 'k8s/overlays/production')!;

  /** What Node says to a host with the certificate of that name; undefined when it takes it. */
  const refusal = (certificate: string, host: string): Error | undefined => {
    const found = objects.find(
      ({ kind, metadata }) => kind === 'Certificate' && metadata.name === certificate,
    ) as Certificate | undefined;
    const names = found?.spec.dnsNames ?? [];
    const peer = { subject: {}, subjectaltname: names.map((name) => `DNS:${name}`).join(', ') };
    return checkServerIdentity(host, peer as PeerCertificate);
  };

  it('have the names by which the apps connect to NATS', () => {
    const settings = objects
      .filter(({ kind }) => kind === 'ConfigMap')
      .map(({ data }) => (data as Record<string, string>)['NATS_URL'] ?? '');
    const hosts = hostsIn(settings, /tls:\/\/([^:,]+):4222/g);
    expect(hosts).toHaveLength(3);
    expect(hosts.map((host) => refusal('nats', host))).toEqual([undefined, undefined, undefined]);
  });

  it('have the names by which each service connects to its database', () => {
    for (const service of ['identity', 'mentorship', 'chat', 'notifications', 'payments']) {
      const templates = objects
        .filter(({ kind, metadata }) => {
          return (
            kind === 'ExternalSecret' && metadata.labels?.['app.kubernetes.io/name'] === service
          );
        })
        .flatMap((object) =>
          Object.values((object as ExternalSecret).spec.target.template?.data ?? {}),
        );
      const hosts = hostsIn(templates, /postgres:\/\/[^@]*@([^:]+):5432/g);
      expect(hosts).toEqual([`${service}-db-rw`]);
      expect(refusal(`${service}-db`, hosts[0]!)).toBeUndefined();
    }
  });
});
