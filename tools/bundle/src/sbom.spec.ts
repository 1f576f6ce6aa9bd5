import { describe, expect, it } from 'vitest';
import { type Sbom, sbomOf } from './sbom.js';

const component = (name: string) => ({
  'bom-ref': `${name}@1.0.0`,
  name,
  purl: `pkg:npm/${name}@1.0.0`,
});

const workspace: Sbom = {
  bomFormat: 'CycloneDX',
  metadata: { timestamp: 'now', component: component('source') },
  components: ['one', 'two', 'lib', 'tool'].map(component),
  dependencies: [
    { ref: 'source@1.0.0', dependsOn: ['one@1.0.0', 'two@1.0.0'] },
    { ref: 'one@1.0.0', dependsOn: ['lib@1.0.0', 'tool@1.0.0'] },
    { ref: 'lib@1.0.0' },
    { ref: 'tool@1.0.0', dependsOn: [] },
  ],
};

const named = (name: string) => ({ name, version: '1.0.0' });

describe('the SBOM of an image', () => {
  it('is about the app and lists what is in the image only', () => {
    expect(sbomOf(workspace, named('one'), [named('lib'), named('lib')])).toEqual({
      bomFormat: 'CycloneDX',
      metadata: { timestamp: 'now', component: { ...component('one'), type: 'application' } },
      components: [component('lib')],
      dependencies: [
        { ref: 'one@1.0.0', dependsOn: ['lib@1.0.0'] },
        { ref: 'lib@1.0.0', dependsOn: [] },
      ],
    });
  });

  it('is refused when the workspace does not know a package of the image', () => {
    expect(() => sbomOf(workspace, named('one'), [named('stranger')])).toThrow(
      'stranger@1.0.0 is bundled and not in the SBOM: is package-lock.json old?',
    );
  });
});
