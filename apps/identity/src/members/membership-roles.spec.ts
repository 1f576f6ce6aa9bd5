import { assert, property, string } from 'fast-check';
import { describe, expect, it } from 'vitest';
import { membershipRoles } from './membership-roles.js';

const mentor = { isMentor: true, isMentee: false };
const mentee = { isMentor: false, isMentee: true };
const both = { isMentor: true, isMentee: true };

describe('a membershiptype', () => {
  it.each([
    ['Mentor', mentor],
    ['mentor', mentor],
    ['MENTOR', mentor],
    ['mentors', mentor],
    ['Lead Mentor (2026)', mentor],
    ['  mentor\u00A0', mentor],
    ['mentorship', mentor],
    ['mentee', mentee],
    ['Mentee', mentee],
    ['menteeship', mentee],
    ['Student', mentee],
    [' STUDENT\t', mentee],
    ['\uFEFFstudent', mentee],
    ['mentor, mentee', both],
    ['MENTOR/MENTEE', both],
    ['mentee;mentor', both],
    ['mentormentee', both],
    ['mentor, student', mentor],
    ['', mentee],
    ['   ', mentee],
    ['Gold', mentee],
    ['men tor', mentee],
    ['ment\u200Bor', mentee],
    ['mеntor', mentee], // With a Cyrillic “е”.
    ['ментор', mentee],
    ['students', mentee],
    ['MENTÖR', mentee],
  ])('%j is read as %o', (membershiptype, roles) => {
    expect(membershipRoles(membershiptype)).toEqual(roles);
  });

  it('makes everybody at least one of the two', () => {
    assert(
      property(string({ unit: 'grapheme' }), (membershiptype) => {
        const { isMentor, isMentee } = membershipRoles(membershiptype);
        expect(isMentor || isMentee).toBe(true);
      }),
    );
  });
});
