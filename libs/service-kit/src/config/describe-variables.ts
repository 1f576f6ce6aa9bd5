import { fileVariable, namesOf } from './secret-files.js';
import type { Variables } from './variables.js';

function escapeCell(text: string): string {
  return text.replaceAll('|', '\\|');
}

/** A Markdown table of an app's variables, for `docs/configuration.md`; a test compares it with what is there. */
export function describeVariables(variables: Variables): string {
  const rows = Object.entries(variables).map(([name, variable]) => {
    const own = namesOf(name, variable);
    const names = [...own, ...(variable.secret ? own.map(fileVariable) : [])]
      .map((each) => `\`${each}\``)
      .join(' or ');
    const fallback = variable.required
      ? '**required**'
      : variable.defaultText === undefined
        ? '—'
        : `\`${variable.defaultText}\``;
    return `| ${names} | ${escapeCell(variable.desc)}; ${escapeCell(variable.kind)} | ${fallback} |`;
  });
  return ['| Variable | Meaning | Default |', '| --- | --- | --- |', ...rows, ''].join('\n');
}
