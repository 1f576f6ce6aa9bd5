import { findTool, type FindToolOptions } from '@mentorhub/local-system';

/**
 * The path of kustomize: on the PATH, in our own folder, or fetched.
 *
 * @throws {StartProblem} with the command to install it when there is none and none can be fetched.
 */
export function findKustomize(options?: FindToolOptions): Promise<string> {
  return findTool(
    {
      name: 'kustomize',
      package: 'kustomize',
      // Debian 12 and Ubuntu 24.04 do not have it.
      archived: {
        amd64: {
          path: 'pool/main/k/kustomize/kustomize_5.6.0+ds-1+b2_amd64.deb',
          sha256: '552bbe5563b522685b10f75a9a226bfbee9778fc313b205d595fdbb7e9c70e33',
        },
        arm64: {
          path: 'pool/main/k/kustomize/kustomize_5.6.0+ds-1+b2_arm64.deb',
          sha256: '32d0e1959b5fc257101c8d6139da72af38ff7ce777089666f9d1c916810f1800',
        },
      },
      missing: 'kustomize, which renders the manifests of Kubernetes, is not installed.',
      versionArguments: ['version'],
      // Debian's does not know its number. Version 4 took unknown fields.
      isVersion: (output) => /^(?:\(devel\)|v5\.)/.test(output.trim()),
      howToInstall: [
        'macOS          brew install kustomize',
        'Debian 13      sudo apt-get install kustomize',
        'Windows        winget install Kubernetes.kustomize',
        'others         https://kubectl.docs.kubernetes.io/installation/kustomize',
      ],
    },
    options,
  );
}
