import 'reflect-metadata';
import { ApplicationError } from '@mentorhub/contracts';
import { ApplyAsMentor } from '@mentorhub/contracts/dto';
import { expect, it } from 'vitest';
import { DtoPipe } from './dto.pipe.js';

const application = { title: 'Dev', description: 'Go', price_per_hour: 10.5 };

function errorsOf(body: object): ApplicationError['errors'] {
  try {
    new DtoPipe().transform(body, { type: 'body', metatype: ApplyAsMentor });
  } catch (error) {
    if (error instanceof ApplicationError) return error.errors;
    throw error;
  }
  return [];
}

it('refuses unknown fields and entries over the maximum without a look into them', () => {
  const looks: string[] = [];
  const watched = (place: string): object => ({
    get inside(): number {
      looks.push(place);
      return 1;
    },
  });
  const skills = [...Array.from({ length: 1000 }, () => 'Go'), watched('entry')];
  expect(errorsOf({ ...application, skills, extra: watched('field') })).toEqual([
    { field: 'skills', message: expect.stringContaining('at most') },
    { field: 'extra', message: 'extra is not a known field.' },
  ]);
  expect(looks).toEqual([]);
});
