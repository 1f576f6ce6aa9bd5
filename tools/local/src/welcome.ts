import type { DemoAccount, System } from '@mentorhub/local-system';

/** Accounts that are shown; the demo data have many more mentors. */
const shownPerRole = 2;

/** What is said when everything is ready: where it is and how to get in. */
export function welcome(system: System, seconds: number): string[] {
  const { edge } = system.urls;
  return [
    `MentorHub is ready (${seconds.toFixed(1)} s).`,
    '',
    `  Start page       ${edge}`,
    `  API              ${edge}/api/v1`,
    `  API docs         ${edge}/docs   ${edge}/redoc`,
    `  Live connection  ${edge.replace(/^http/, 'ws')}/ws/chat`,
    `  Mails it sent    ${edge}/dev/mail`,
    `  Health           ${edge}/health`,
    ...accountLines(system.accounts),
    '',
    'Next: npm run demo in a second terminal. Stop with Ctrl-C.',
  ];
}

function accountLines(accounts: readonly DemoAccount[]): string[] {
  if (accounts.length === 0) return [];
  const seen = new Map<string, number>();
  const shown = accounts.filter(({ role }) => {
    const count = (seen.get(role) ?? 0) + 1;
    seen.set(role, count);
    return count <= shownPerRole;
  });
  const width = Math.max(...shown.map(({ email }) => email.length));
  const lines = shown.map(
    ({ role, email, password }) => `  ${role.padEnd(8)} ${email.padEnd(width)}  ${password}`,
  );
  return ['', 'Demo accounts (role, email address, password):', ...lines];
}
