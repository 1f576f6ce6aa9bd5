import { oneAutoscaler, socketsGoSlowly, triggersAreMeasured } from './autoscaling.js';
import {
  graceCoversShutdown,
  migrationsByOwnImage,
  noPlainSecrets,
  secretFilesAreMounted,
  variablesAreRead,
} from './configuration.js';
import { connectionBudget } from './connections.js';
import { certificatesNameHosts, databasesAreThere } from './databases.js';
import { clientsReachTheirPaths } from './edge.js';
import { natsServersAgree } from './nats.js';
import { destinationsAreKnown, networkPolicies } from './network.js';
import {
  disruptionBudget,
  noCapabilities,
  noHostAccess,
  nonRoot,
  noServiceAccountToken,
  pinnedImages,
  probes,
  readOnlyRoot,
  resources,
  rolloutKeepsPods,
  seccomp,
  spread,
} from './pods.js';
import { referencesExist, selectorsSelect, uniqueItems } from './references.js';
import type { Rule } from './rule.js';

/** All rules, by what they are about. */
export const rules: Readonly<Record<string, Rule>> = {
  uniqueItems,
  referencesExist,
  selectorsSelect,
  pinnedImages,
  nonRoot,
  readOnlyRoot,
  seccomp,
  noCapabilities,
  noHostAccess,
  noServiceAccountToken,
  resources,
  probes,
  disruptionBudget,
  spread,
  rolloutKeepsPods,
  networkPolicies,
  destinationsAreKnown,
  clientsReachTheirPaths,
  databasesAreThere,
  certificatesNameHosts,
  natsServersAgree,
  oneAutoscaler,
  socketsGoSlowly,
  triggersAreMeasured,
  graceCoversShutdown,
  connectionBudget,
  variablesAreRead,
  secretFilesAreMounted,
  migrationsByOwnImage,
  noPlainSecrets,
};
