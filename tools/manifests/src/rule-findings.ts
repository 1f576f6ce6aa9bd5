import type { App } from './apps.js';
import { distinct, type Finding } from './finding.js';
import type { Render } from './render.js';
import { rules } from './rules/index.js';
import { type AppliedSecrets, appliedBeside } from './secrets.js';

/** What breaks a rule in the folders, each of which is looked at within its overlay. */
export function ruleFindings(
  renders: readonly Render[],
  apps: ReadonlyMap<string, App>,
  secrets: AppliedSecrets,
): Finding[] {
  return distinct(
    renders.flatMap(({ folder, objects }) => {
      const whole = renders.find((each) => each.folder === overlayOf(folder));
      const overlay = whole?.objects ?? objects;
      const subject = { objects, overlay, beside: appliedBeside(overlay, secrets), apps };
      return Object.values(rules)
        .flatMap((rule) => rule(subject))
        .map((each) => ({ where: folder, ...each }));
    }),
  );
}

/** `k8s/overlays/production` of `k8s/overlays/production/chat`. */
function overlayOf(folder: string): string {
  return folder.split('/').slice(0, 3).join('/');
}
