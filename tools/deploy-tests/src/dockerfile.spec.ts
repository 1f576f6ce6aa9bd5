import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { workspaceRoot } from '@mentorhub/local-system';
import { describe, expect, it } from 'vitest';

const read = (...path: string[]): string => readFileSync(join(workspaceRoot, ...path), 'utf8');
const dockerfile = read('deploy', 'Dockerfile');
const argument = (name: string): string | undefined =>
  new RegExp(`^ARG ${name}=(\\S*)$`, 'm').exec(dockerfile)?.[1];

describe('deploy/Dockerfile', () => {
  it('builds with the version of Node.js that it ships, that of the package "node"', () => {
    const { devDependencies } = JSON.parse(read('package.json')) as {
      devDependencies: { node: string };
    };
    expect(devDependencies.node).toMatch(/^\d+\.\d+\.\d+$/);
    expect(argument('BUILD_IMAGE')).toBe(`docker.io/library/node:${devDependencies.node}-trixie`);
    const installed = JSON.parse(read('node_modules', 'node', 'package.json')) as {
      version: string;
    };
    expect(installed.version).toBe(devDependencies.node);
  });

  it('runs on the Debian release that it is built on, without a shell and not as root', () => {
    expect(argument('RUNTIME_IMAGE')).toBe('gcr.io/distroless/cc-debian13:nonroot');
    expect(argument('BUILD_IMAGE')).toMatch(/-trixie$/);
    const [, runtime = ''] = dockerfile.split('FROM ${RUNTIME_IMAGE}');
    expect(runtime).toMatch(/^USER 65532:65532$/m);
    expect(runtime).not.toMatch(/^RUN /m);
  });

  it('labels images with the version of the project unless another is given', () => {
    const { version } = JSON.parse(read('package.json')) as { version: string };
    expect(argument('VERSION')).toBe(version);
  });

  it('needs no front end from a registry', () => {
    expect(dockerfile).not.toMatch(/^#\s*syntax\s*=/m);
  });

  it('takes both base images as arguments', () => {
    const bases = [...dockerfile.matchAll(/^FROM (\S+)/gm)].map((match) => match[1]);
    const stages = [...dockerfile.matchAll(/ AS (\w+)$/gm)].map((match) => match[1]);
    expect(
      bases.filter(
        (base) => !stages.includes(base) && !/^\$\{(?:BUILD|RUNTIME)_IMAGE\}$/.test(base ?? ''),
      ),
    ).toEqual([]);
  });
});
