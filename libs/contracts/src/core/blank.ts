/** Something to see: no blank and no invisible character. */
const visible = /[^\s\p{Cc}\p{Cf}]/u;

/** Whether a text shows nothing to its reader. */
export function isBlank(text: string): boolean {
  return !visible.test(text);
}
