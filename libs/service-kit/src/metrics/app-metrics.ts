import { Gauge, register } from 'prom-client';
import type { Health } from '../health/health.js';

/** Those of this process; tests run several apps in one. */
const apps = new Set<Health>();

const appServing = () =>
  new Gauge({
    name: 'app_serving',
    help: 'Whether the app has started and does not stop: 0 while it migrates, waits for its servers or drains.',
    registers: [],
    collect() {
      this.set([...apps].every(({ serving }) => serving) ? 1 : 0);
    },
  });

/** Reports whether the app serves, until the returned function is called. */
export function observeApp(health: Health): () => void {
  apps.add(health);
  if (!register.getSingleMetric('app_serving')) register.registerMetric(appServing());
  return () => apps.delete(health);
}
