/** Names that a reader would take for the operator or the software. */
const reserved = [
  'abuse',
  'admin',
  'administration',
  'administrator',
  'anonymous',
  'billing',
  'contact',
  'everyone',
  'help',
  'helpdesk',
  'hostmaster',
  'info',
  'legal',
  'mailer-daemon',
  'mentor-hub',
  'moderation',
  'moderator',
  'noreply',
  'nobody',
  'null',
  'official',
  'operator',
  'payment',
  'payments',
  'postmaster',
  'privacy',
  'root',
  'security',
  'staff',
  'superuser',
  'support',
  'sysadmin',
  'system',
  'team',
  'undefined',
  'webmaster',
] as const;

const lookalikes: Record<string, string> = {
  '0': 'o',
  '1': 'l',
  '2': 'z',
  '3': 'e',
  '4': 'a',
  '5': 's',
  '6': 'b',
  '7': 't',
  '8': 'b',
  '9': 'g',
  i: 'l',
  j: 'l',
  q: 'g',
};

/** The same for all spellings that look alike in a username: `4dm1n`, `ad.min` and `adrnin` read like `admin`. */
function folded(username: string): string {
  return username
    .toLowerCase()
    .replaceAll(/[._-]/g, '')
    .replaceAll(/[0-9ijq]/g, (character) => lookalikes[character] ?? character)
    .replaceAll('rn', 'm')
    .replaceAll('vv', 'w')
    .replaceAll('cl', 'd');
}

const reservedForms = new Set(reserved.map(folded));
const product = folded('mentorhub');

/** Whether a username is reserved for the operator, in any spelling that looks alike and with any number behind it. */
export function isReservedUsername(username: string): boolean {
  const forms = [folded(username), folded(username.replace(/[._\-\d]+$/, ''))];
  return forms.some((form) => reservedForms.has(form) || form.includes(product));
}
