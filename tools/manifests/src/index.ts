export { findKustomize } from './kustomize.js';
