import { join } from 'node:path';
import { workspaceRoot } from '@mentorhub/local-system';

export const monitoringFolder = join(workspaceRoot, 'deploy', 'monitoring');
export const rulesFile = join(monitoringFolder, 'alerts.yml');
/** What CloudNativePG reports, which is no part of the local system. */
export const backupRulesFile = join(monitoringFolder, 'backups.yml');
/** What `deploy/backup` writes for node_exporter. */
export const composeBackupRulesFile = join(monitoringFolder, 'backups-compose.yml');
export const ruleTestsFolder = join(monitoringFolder, 'tests');
export const scrapeFile = join(monitoringFolder, 'prometheus.yml');
export const dashboardsFolder = join(monitoringFolder, 'dashboards');
export const runbooksFolder = join(workspaceRoot, 'docs', 'runbooks');
