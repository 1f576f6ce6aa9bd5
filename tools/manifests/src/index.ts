export { findKustomize } from './kustomize.js';
export { readYaml } from './yaml.js';
