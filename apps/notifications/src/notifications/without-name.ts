/** The parameters of notifications that are names of other users. */
export const nameParams = [
  'mentee_name',
  'mentor_name',
  'other_name',
  'sender_name',
  'author_name',
];

/** Whether a parameter is the name of another user. */
export function isNameParam(key: string): boolean {
  return nameParams.includes(key);
}

/** Parameters without the name of the other user, and without what that one gave as a reason. */
export function withoutName<Params extends object>(params: Params): Params {
  const entries = Object.entries(params).map(([key, value]: [string, unknown]) => [
    key,
    isNameParam(key) ? '' : key === 'reason' ? null : value,
  ]);
  return Object.fromEntries(entries) as Params;
}
