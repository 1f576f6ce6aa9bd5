export { type Dashboard, readDashboards, withoutVariables } from './dashboards.js';
export { type Exposition, type Labels, readExposition } from './exposition.js';
export { type LabelMatcher, type Selector, selectorsOf } from './promql.js';
export { type Alert, readAlerts } from './rules.js';
export { missingFrom, type Use } from './missing.js';
