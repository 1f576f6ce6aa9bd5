import { ApplicationError } from '@mentorhub/contracts';
import { describe, expect, it } from 'vitest';
import { decided, mentorTransitions } from './mentor.state-machine.js';

describe('an application', () => {
  it('is approved or rejected', () => {
    expect([decided('pending', 'approve'), decided('pending', 'reject')]).toEqual([
      'approved',
      'rejected',
    ]);
  });

  it.for(['approved', 'rejected'] as const)('is not decided again once it is %s', (status) => {
    expect(() => decided(status, 'approve')).toThrow(ApplicationError);
    expect(() => decided(status, 'reject')).toThrow(ApplicationError);
  });

  it('may be made again after a rejection only', () => {
    expect(Object.entries(mentorTransitions).filter(([, to]) => 'apply' in to)).toEqual([
      ['rejected', { apply: 'pending' }],
    ]);
  });
});
