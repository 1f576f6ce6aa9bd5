/** The columns of a file of members; it may have others, which are ignored. */
export const memberColumns = ['email', 'first_name', 'last_name', 'membershiptype'] as const;

/** Most characters of a member's first and last name together, with the space between them. */
export const longestMemberName = 120;

/** Most characters of `membershiptype`. */
export const longestMembershipType = 100;

/** Most errors that the answer to an import lists. */
export const mostImportErrors = 1000;

/** Most rows of an import that travel in one request. */
export const mostMemberRows = 1000;
