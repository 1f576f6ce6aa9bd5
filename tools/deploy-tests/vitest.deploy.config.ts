import { fileURLToPath } from 'node:url';
import { defineConfig } from 'vitest/config';
import { BaseSequencer, type TestSpecification } from 'vitest/node';

const isImages = ({ moduleId }: TestSpecification): number =>
  Number(moduleId.endsWith('/images.deploy.ts'));

/** How long building takes is measured before anything else has built. */
class ImagesFirst extends BaseSequencer {
  override sort(files: TestSpecification[]): Promise<TestSpecification[]> {
    const sorted = files.toSorted(
      (a, b) => isImages(b) - isImages(a) || a.moduleId.localeCompare(b.moduleId),
    );
    return Promise.resolve(sorted);
  }
}

/** Files that run processes alone; the others need the container engine, which is started for those. */
const withoutEngine = ['test/{cluster,rolling,settings,spans,weight}.deploy.ts'];
const postgres = '../../libs/testing/src/global-setup.ts';

const shared = {
  // A first build installs all packages.
  hookTimeout: 1_200_000,
  testTimeout: 180_000,
  // Engine and processors are shared; times are measured.
  fileParallelism: false,
};
const ssr = { resolve: { conditions: ['@mentorhub/source'] } };

// npm run test:deploy
export default defineConfig({
  root: fileURLToPath(new URL('.', import.meta.url)),
  test: {
    fileParallelism: false,
    sequence: { sequencer: ImagesFirst },
    projects: [
      {
        ssr,
        test: { ...shared, name: 'processes', include: withoutEngine, globalSetup: [postgres] },
      },
      {
        ssr,
        test: {
          ...shared,
          name: 'containers',
          include: ['test/**/*.deploy.ts'],
          exclude: withoutEngine,
          globalSetup: [postgres, './src/setup.ts'],
        },
      },
    ],
  },
});
