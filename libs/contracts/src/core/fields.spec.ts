import 'reflect-metadata';
import { plainToInstance } from 'class-transformer';
import { validateSync } from 'class-validator';
import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  AddMeetingLink,
  ApplyAsMentor,
  BookSession,
  CancelSession,
  CreateBooking,
  CreatePayment,
  FindSlots,
  ListMentorProfiles,
  ListMentors,
  Login,
  ReadHistory,
  RegisterUser,
  RepublishEvents,
  RetryDeadLetters,
  SendMessage,
  UpdateProfile,
} from '../dto.js';
import { AvailabilityRule } from '../mentorship/availability.dto.js';
import { maxPricePerHour, mentorCurrency } from '../mentorship/mentor-currency.js';
import { Currency, maxInteger, Money } from './fields.js';
import { maxAmount, toMajor, toMinor } from './money.js';

/** The invalid properties of a body, with their first message each. */
function problems(shape: new () => object, body: object): Record<string, string> {
  const failures = validateSync(plainToInstance(shape, body), {
    whitelist: true,
    forbidNonWhitelisted: true,
    stopAtFirstError: true,
  });
  return Object.fromEntries(
    failures.map(({ property, constraints }) => [
      property,
      Object.values(constraints ?? {})[0] ?? '',
    ]),
  );
}

/** The names of the invalid properties. */
const refused = (shape: new () => object, body: object): string[] =>
  Object.keys(problems(shape, body));

const registration = {
  email: ' Ada@Example.COM ',
  password: 'correct horse',
  full_name: 'Ada Lovelace',
  role: 'student',
};
const session = {
  mentor_id: 1,
  duration_minutes: 60,
  topic: 'Rust',
  scheduled_at: '2026-11-25T15:00:00Z',
};
const application = { title: 'Dev', description: 'Go', skills: ['Go'], price_per_hour: 10.5 };
const booking = {
  mentor_id: 1,
  session_date: '2026-11-25',
  start_time: '09:00',
  end_time: '10:00',
  topic: 'Rust',
};

describe('fields', () => {
  it('accepts a complete registration and folds the email address', () => {
    expect(problems(RegisterUser, registration)).toEqual({});
    expect(plainToInstance(RegisterUser, registration).email).toBe('ada@example.com');
  });

  it('names the fix for every wrong field', () => {
    expect(
      problems(RegisterUser, {
        email: 'nobody',
        password: 'short',
        full_name: 7,
        role: 'admin',
        timezone: 'Mars/Olympus',
      }),
    ).toEqual({
      email: 'email must be an email address such as user@example.com, of at most 254 characters.',
      password: 'password must have 8 to 128 characters.',
      full_name: 'full_name must be a text.',
      role: 'role must be one of: student, mentor.',
      timezone: 'timezone must be an IANA time zone such as Europe/Berlin.',
    });
  });

  it('refuses fields that the server decides', () => {
    expect(refused(BookSession, { ...session, price: 1, status: 'confirmed' })).toEqual([
      'price',
      'status',
    ]);
  });

  it('checks what lies within nested objects and lists', () => {
    expect(
      refused(ApplyAsMentor, {
        ...application,
        skills: [''],
        price_per_hour: 10.001,
        availability: { monday: 'all day' },
      }),
    ).toEqual(['skills', 'price_per_hour', 'availability']);
  });
});

describe('an instant', () => {
  it.each([
    ['a zone is missing', '2026-11-25T15:00:00'],
    ['the day does not exist', '2026-02-30T15:00:00Z'],
    ['it is a date', '2026-11-25'],
    ['it is a word', 'soon'],
    ['it is a week', '2026-W48-3T15:00:00Z'],
    ['it is an ordinal date', '2026-329T15:00:00Z'],
    ['it is in basic form', '20261125T150000Z'],
    ['seconds are missing', '2026-11-25T15:00Z'],
    ['minutes are missing', '2026-11-25T15Z'],
    ['the offset has no colon', '2026-11-25T15:00:00+0100'],
    ['the offset is none', '2026-11-25T15:00:00+24:00'],
    ['there is a space', '2026-11-25 15:00:00Z'],
    ['the hour does not exist', '2026-11-25T24:00:00Z'],
    ['it is a leap second', '2026-12-31T23:59:60Z'],
    ['it has a calendar', '2026-11-25T15:00:00Z[u-ca=hebrew]'],
    ['its year is too early', '0001-01-01T00:00:00Z'],
    ['its year is too late', '9999-12-31T23:59:59Z'],
    ['it is in 3000 in UTC', '2999-12-31T23:59:59-01:00'],
  ])('is refused when %s', (_why, scheduled_at) => {
    expect(problems(BookSession, { ...session, scheduled_at })).toEqual({
      scheduled_at:
        'scheduled_at must be an instant with a zone such as 2026-11-25T15:00:00Z, from 1970 to 2999.',
    });
  });

  it.each([
    ['2026-11-25T15:00:00+01:00', '2026-11-25T14:00:00Z'],
    ['2026-11-25T15:00:00.123456789Z', '2026-11-25T15:00:00.123Z'],
    ['2026-11-25t15:00:00z', '2026-11-25T15:00:00Z'],
    ['2026-11-25T15:00:00+23:59', '2026-11-24T15:01:00Z'],
  ])('is handed on in UTC: %s', (sent, read) => {
    expect(problems(BookSession, { ...session, scheduled_at: sent })).toEqual({});
    expect(plainToInstance(BookSession, { ...session, scheduled_at: sent }).scheduled_at).toBe(
      read,
    );
  });

  it('stays the same instant whatever zone it is written in', () => {
    const moment = fc.date({
      min: new Date('1971-01-01'),
      max: new Date('2998-12-31'),
      noInvalidDate: true,
    });
    fc.assert(
      fc.property(moment, fc.integer({ min: -1439, max: 1439 }), (date, minutes) => {
        const shifted = new Date(date.getTime() + minutes * 60_000).toISOString().slice(0, -1);
        const at = Math.abs(minutes);
        const offset = [Math.floor(at / 60), at % 60].map((n) => String(n).padStart(2, '0'));
        const from = `${shifted}${minutes < 0 ? '-' : '+'}${offset.join(':')}`;
        const read = plainToInstance(RepublishEvents, { from, to: from });
        expect(Date.parse(read.from)).toBe(date.getTime());
      }),
    );
  });
});

describe('a date', () => {
  it.each(['2026-02-30', '2026-1-1', '0000-01-01', '9999-12-31', '2026-W48', '20261125'])(
    'is refused when it is none: %s',
    (session_date) => {
      expect(refused(CreateBooking, { ...booking, session_date })).toEqual(['session_date']);
    },
  );
});

describe('text', () => {
  const hostile = ['\0', 'a\0b', '\ud800', 'x\udfff'];

  it.each(hostile)('that PostgreSQL cannot store is refused everywhere: %j', (text) => {
    const name = `${text} and more`;
    expect(refused(RegisterUser, { ...registration, full_name: name })).toEqual(['full_name']);
    expect(refused(RegisterUser, { ...registration, password: name })).toEqual(['password']);
    expect(refused(RegisterUser, { ...registration, email: `${text}@example.com` })).toEqual([
      'email',
    ]);
    expect(refused(RegisterUser, { ...registration, timezone: text })).toEqual(['timezone']);
    expect(refused(ApplyAsMentor, { ...application, skills: [text] })).toEqual(['skills']);
    expect(refused(AddMeetingLink, { meeting_link: `https://example.com/${text}` })).toEqual([
      'meeting_link',
    ]);
    expect(
      refused(RepublishEvents, {
        from: '2026-11-25T15:00:00Z',
        to: '2026-11-25T15:00:00Z',
        types: [text],
      }),
    ).toEqual(['types']);
    expect(refused(ListMentors, { q: text })).toEqual(['q']);
  });

  it.each(['❤️', '😀️', '👩‍💻', 'é'])('is as long as PostgreSQL says: %s', (character) => {
    const title = (count: number) => ({ ...application, title: character.repeat(count) });
    const codePoints = Array.from(character).length;
    expect(refused(ApplyAsMentor, title(120 / codePoints))).toEqual([]);
    expect(refused(ApplyAsMentor, title(120 / codePoints + 1))).toEqual(['title']);
  });

  it.each(['   ', ' \n\t', '\u200B', '\u3000\u00A0'])('says something: %j does not', (blank) => {
    expect(problems(SendMessage, { recipient_id: 1, text: blank })).toEqual({
      text: 'text must not be blank.',
    });
    expect(refused(UpdateProfile, { full_name: blank })).toEqual(['full_name']);
    expect(problems(ApplyAsMentor, { ...application, skills: ['Go', blank] })).toEqual({
      skills: 'each entry of skills must not be blank.',
    });
    expect(problems(UpdateProfile, { bio: '' })).toEqual({});
  });

  it('may be any password when somebody signs in: a wrong one is answered as such', () => {
    for (const password of hostile) {
      expect(problems(Login, { email: 'ada@example.com', password })).toEqual({});
    }
  });
});

describe('a number', () => {
  it.each([2 ** 31, 1e300, -1, 0, 1.5, '1', Number.NaN])('is refused as an id: %s', (id) => {
    expect(refused(BookSession, { ...session, mentor_id: id })).toEqual(['mentor_id']);
    expect(refused(SendMessage, { recipient_id: id, text: 'Hi' })).toEqual(['recipient_id']);
  });

  it.each([2 ** 31, 1e300])('is refused as a version: %s', (version) => {
    expect(refused(CancelSession, { version })).toEqual(['version']);
  });

  it.each(['9223372036854775808', '1e3', '0x10', ' 5', '', '9007199254740993', '-1'])(
    'is refused as a place in a list: %j',
    (text) => {
      expect(refused(ReadHistory, { before: text, after: text })).toEqual(['before', 'after']);
    },
  );

  it('is read from the text of a query', () => {
    const query = { before: String(Number.MAX_SAFE_INTEGER), limit: '7' };
    expect(problems(ReadHistory, query)).toEqual({});
    expect(plainToInstance(ReadHistory, query)).toEqual({
      before: Number.MAX_SAFE_INTEGER,
      limit: 7,
    });
  });

  it('of a parked event may be larger than those of users', () => {
    expect(problems(RetryDeadLetters, { ids: [2 ** 40] })).toEqual({});
    expect(refused(RetryDeadLetters, { ids: [2 ** 53] })).toEqual(['ids']);
    expect(refused(RetryDeadLetters, { ids: [0] })).toEqual(['ids']);
  });
});

describe('an amount', () => {
  class Price {
    @Currency()
    currency: string;

    @Money({ currencyField: 'currency' })
    amount: number;
  }

  it.each([
    ['BHD', 1.125],
    ['KWD', 0.001],
    ['JPY', 3000],
    ['RUB', 0.29],
    ['RUB', 1_000_000.01],
  ])('may have the decimals of %s: %s', (currency, amount) => {
    expect(problems(Price, { currency, amount })).toEqual({});
  });

  it.each([
    ['BHD', 1.1255],
    ['KWD', 1e-9],
    ['JPY', 0.5],
    ['RUB', 0.295],
    ['RUB', 1e-9],
  ])('may not have more decimals than %s: %s', (currency, amount) => {
    expect(problems(Price, { currency, amount })).toEqual({
      amount: 'amount must have no more decimals than its currency, which currency names.',
    });
  });

  it('of a mentor has the decimals of the currency that mentors are paid in', () => {
    expect(refused(ApplyAsMentor, { ...application, price_per_hour: 10.125 })).toEqual([
      'price_per_hour',
    ]);
    expect(refused(ListMentors, { min_price: '0.001', max_price: '1e9' })).toEqual([
      'min_price',
      'max_price',
    ]);
  });

  it('of a payment may be the price of any session that a mentor may offer', () => {
    const highest = toMinor(maxPricePerHour, mentorCurrency);
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: highest }),
        // The lengths that mentorship's database accepts beside such a price.
        fc.integer({ min: 15, max: 480 }),
        (pricePerHour, minutes) => {
          const price = Math.round((pricePerHour * minutes) / 60);
          fc.pre(price > 0 && price <= toMinor(maxAmount, mentorCurrency));
          const amount = toMajor(price, mentorCurrency);
          const payment = { session_id: 1, payment_method: 'card', amount };
          expect(problems(CreatePayment, payment)).toEqual({});
          expect(price).toBeLessThanOrEqual(maxInteger);
        },
      ),
      { examples: [[highest, 90]] },
    );
    expect(refused(ApplyAsMentor, { ...application, price_per_hour: maxPricePerHour })).toEqual([]);
    expect(
      refused(ApplyAsMentor, { ...application, price_per_hour: maxPricePerHour + 0.01 }),
    ).toEqual(['price_per_hour']);
  });

  it('of any currency is a number of at most three decimals', () => {
    const payment = { session_id: 1, payment_method: 'card' };
    expect(problems(CreatePayment, { ...payment, amount: 1.125 })).toEqual({});
    for (const amount of [1e-9, 1.0001, Infinity, -1, '3000']) {
      expect(refused(CreatePayment, { ...payment, amount })).toEqual(['amount']);
    }
  });

  it('names a currency that there is', () => {
    for (const currency of ['rub', 'XXX', 'toString', 3]) {
      expect(refused(Price, { currency, amount: 1 })).toEqual(['currency']);
    }
  });
});

describe('null', () => {
  it('does not stand for a field that may be left out', () => {
    expect(refused(UpdateProfile, { bio: null, timezone: null, locale: null })).toEqual([
      'bio',
      'timezone',
      'locale',
    ]);
    expect(refused(ApplyAsMentor, { ...application, availability: null })).toEqual([
      'availability',
    ]);
  });

  it('is a value where the contract allows it', () => {
    const rule = { start_time: '09:00', end_time: '10:00', specific_date: '2026-11-25' };
    expect(problems(AvailabilityRule, { ...rule, day_of_week: null })).toEqual({});
  });
});

describe('a search', () => {
  it.each([
    ['of mentors', (text: string) => refused(ListMentors, { q: text })],
    ['of mentor profiles', (text: string) => refused(ListMentorProfiles, { search: text })],
  ])('%s has at most five words', (_what, search) => {
    expect(search(' Go  C#\tRust на русском ')).toEqual([]);
    expect(search('a b c d e f')).toHaveLength(1);
  });
});

describe('a time zone', () => {
  it.each([
    'PST',
    'JST',
    'BET',
    '+02:00',
    'Europe',
    '2026-01-01T00:00[Europe/Berlin]',
    'x'.repeat(99),
  ])('is refused when nothing computes with it: %s', (timezone) => {
    expect(refused(FindSlots, { timezone })).toEqual(['timezone']);
  });

  it('is taken however it is spelt', () => {
    expect(problems(FindSlots, { timezone: 'europe/berlin' })).toEqual({});
    expect(plainToInstance(FindSlots, { timezone: 'europe/berlin' }).timezone).toBe(
      'Europe/Berlin',
    );
  });
});

const link = (meeting_link: string): string =>
  plainToInstance(AddMeetingLink, { meeting_link }).meeting_link;

describe('a link', () => {
  it.each([
    ['HTTPS://Meet.Example.COM/42', 'https://meet.example.com/42'],
    ['https://zoom.us/j/1?pwd=Aa', 'https://zoom.us/j/1?pwd=Aa'],
    ['https://[2001:db8::1]/room', 'https://[2001:db8::1]/room'],
    ['https://bücher.example/', 'https://xn--bcher-kva.example/'],
  ])('is handed on in its normal form: %s', (sent, read) => {
    expect(refused(AddMeetingLink, { meeting_link: sent })).toEqual([]);
    expect(link(sent)).toBe(read);
  });

  it.each([
    'http://example.com/',
    'javascript:alert(1)',
    'https://user:secret@example.com/',
    'https://localhost/',
    'https://',
    'https://exa mple.com/',
    'https:\\\\example.com',
    '//example.com',
    `https://example.com/${'x'.repeat(2048)}`,
    `https://example.com/${'ü'.repeat(500)}`,
  ])('is refused: %s', (meeting_link) => {
    expect(refused(AddMeetingLink, { meeting_link })).toEqual(['meeting_link']);
  });
});

it('nothing at all makes the rules throw', () => {
  const shapes = [RegisterUser, ApplyAsMentor, BookSession, CreateBooking, AddMeetingLink];
  fc.assert(
    fc.property(
      fc.constantFrom(...shapes),
      fc.dictionary(
        fc.constantFrom(
          'email',
          'password',
          'timezone',
          'skills',
          'availability',
          'scheduled_at',
          'meeting_link',
          'session_date',
          'price_per_hour',
          'mentor_id',
          'username',
        ),
        fc.anything({ withNullPrototype: true, withBigInt: false }),
      ),
      (shape, body) => {
        expect(refused(shape, body)).not.toEqual([]);
      },
    ),
  );
});
