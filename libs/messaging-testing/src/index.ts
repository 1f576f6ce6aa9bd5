export { Neighbours } from './neighbours.js';
