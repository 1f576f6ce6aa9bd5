import type { DemoAccount, System } from '@mentorhub/local-system';
import { describe, expect, it } from 'vitest';
import { Reporter } from './terminal.js';
import { welcome } from './welcome.js';

const accounts: DemoAccount[] = [
  { role: 'admin', email: 'ada@example.com', password: 'first password' },
  { role: 'mentor', email: 'max@example.com', password: 'second password' },
  { role: 'mentor', email: 'mona@example.com', password: 'third password' },
  { role: 'mentor', email: 'many@example.com', password: 'fourth password' },
];

describe('what is said when everything is ready', () => {
  const system = { urls: { edge: 'http://localhost:8000' }, accounts } as System;

  it('names the addresses, and two accounts of each role', () => {
    const text = welcome(system, 12.34).join('\n');
    expect(text).toContain('ready (12.3 s)');
    expect(text).toContain('http://localhost:8000/docs');
    expect(text).toContain('ws://localhost:8000/ws/chat');
    expect(text).toMatch(/admin\s+ada@example\.com\s+first password/);
    expect(text).toContain('mona@example.com');
    expect(text).not.toContain('many@example.com');
  });

  it('stands in a frame whose lines are equally long', () => {
    const written: string[] = [];
    const reporter = new Reporter({ write: (text) => written.push(text), colours: false });
    reporter.box(welcome(system, 1));
    const framed = written.join('').trim().split('\n');
    expect(new Set(framed.map((line) => line.length)).size).toBe(1);
  });
});

function shown(colours: boolean): string {
  const written: string[] = [];
  const reporter = new Reporter({ write: (text) => written.push(text), colours });
  reporter.log('chat', 1, '\u001B[32mINFO\u001B[0m ready');
  return written.join('');
}

describe('the lines of the apps', () => {
  it('begin with the name of the app and its replica', () => {
    expect(shown(false)).toBe('chat 2        │ INFO ready\n');
  });

  it('keep their colours on a terminal', () => {
    expect(shown(true)).toContain('\u001B[32mINFO\u001B[0m ready');
  });
});
