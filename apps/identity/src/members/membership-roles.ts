/** What somebody is by the members directory. */
export interface MembershipRoles {
  isMentor: boolean;
  isMentee: boolean;
}

/**
 * Reads `membershiptype` as the directory means it, whatever its case: with “mentor” in it a mentor, with “mentee” in it
 * or being “student” a mentee, possibly both; a mentee when it is none of these.
 */
export function membershipRoles(membershiptype: string): MembershipRoles {
  const type = membershiptype.trim().toLowerCase();
  const isMentor = type.includes('mentor');
  const isMentee = type.includes('mentee') || type === 'student';
  return { isMentor, isMentee: isMentee || !isMentor };
}
