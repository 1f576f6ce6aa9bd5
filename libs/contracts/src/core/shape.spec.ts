import 'reflect-metadata';
import { describe, expect, it } from 'vitest';
import { ApplyAsMentor, RegisterUser, ReplaceAvailability, UpdateProfile } from '../dto.js';
import { fit } from './shape.js';

const rule = { start_time: '09:00', end_time: '17:00', day_of_week: 1 };

describe('fit', () => {
  it('keeps what a class describes, nested objects and inherited fields too', () => {
    const body = { rules: [rule], timezone: 'UTC' };
    expect(fit(ReplaceAvailability, body)).toEqual({ value: body, errors: [] });
  });

  it.each(['toString', 'constructor', 'hasOwnProperty', '__proto__', 'prototype', 'x'])(
    'reports a field that is called %s as unknown, wherever it stands',
    (name) => {
      const body = JSON.parse(`{"rules":[{"${name}":{}}],"${name}":1}`) as object;
      const { value, errors } = fit(ReplaceAvailability, body);
      expect(errors).toEqual([
        { field: `rules[0].${name}`, message: `rules[0].${name} is not a known field.` },
        { field: name, message: `${name} is not a known field.` },
      ]);
      expect(value).toEqual({ rules: [{}] });
      expect(Object.getPrototypeOf(value)).toBe(Object.prototype);
    },
  );

  it('cuts lists to what they may hold', () => {
    const { value, errors } = fit(ReplaceAvailability, {
      rules: Array.from({ length: 201 }, () => rule),
    });
    expect(value.rules).toHaveLength(200);
    expect(errors).toEqual([{ field: 'rules', message: 'rules must have at most 200 entries.' }]);
  });

  it('lets no structure through where the class has none', () => {
    const deep = { a: { b: [1, 2, 3] } };
    expect(
      fit(ApplyAsMentor, { title: deep, skills: [deep, [deep]], availability: [deep] }),
    ).toEqual({ value: { title: {}, skills: [{}, []], availability: [] }, errors: [] });
  });

  it('refuses null for a field that may be left out', () => {
    expect(fit(UpdateProfile, { bio: null })).toEqual({
      value: {},
      errors: [{ field: 'bio', message: 'bio must not be null: leave it out instead.' }],
    });
  });

  it('reports at most fifty errors, with short names', () => {
    const body = Object.fromEntries(
      Array.from({ length: 100_000 }, (_, index) => [`${'x'.repeat(200)}\ud800${index}`, index]),
    );
    const { errors } = fit(RegisterUser, body);
    expect(errors).toHaveLength(50);
    expect(errors[0]!.field).toHaveLength(100);
  });
});
