import { stripVTControlCharacters } from 'node:util';
import type { AppName } from '@mentorhub/local-system';

/** What the terminal can show. */
export interface Terminal {
  write(text: string): void;
  /** Whether colours are wanted. */
  colours: boolean;
}

const palette = [36, 33, 35, 32, 34, 96, 95];
const nameWidth = 'notifications'.length;

/** Writes events in lines that differ by source: our own, and those of each app. */
export class Reporter {
  private readonly startedAt = Date.now();
  private readonly colourOf = new Map<string, number>();

  constructor(private readonly terminal: Terminal) {}

  /** A step of the start. */
  step(message: string): void {
    const seconds = ((Date.now() - this.startedAt) / 1000).toFixed(1).padStart(5);
    this.line(`${this.paint(2, `${seconds} s`)}  ${message}`);
  }

  /** Something that the person at the terminal should notice. */
  notice(message: string): void {
    this.line(this.paint(33, message));
  }

  problem(message: string): void {
    this.line(`\n${this.paint(31, message)}`);
  }

  line(text: string): void {
    this.terminal.write(`${text}\n`);
  }

  /** A line that an app wrote. */
  log(app: AppName, replica: number, text: string): void {
    const name = (replica === 0 ? app : `${app} ${replica + 1}`).padEnd(nameWidth);
    const shown = this.terminal.colours ? text : stripVTControlCharacters(text);
    this.line(`${this.paint(this.colour(app), name)} │ ${shown}`);
  }

  /** Lines in a frame. */
  box(lines: readonly string[]): void {
    const width = Math.max(...lines.map((line) => line.length));
    const border = '─'.repeat(width + 2);
    this.line(`\n┌${border}┐`);
    for (const line of lines) this.line(`│ ${line.padEnd(width)} │`);
    this.line(`└${border}┘\n`);
  }

  private colour(app: string): number {
    const known = this.colourOf.get(app);
    if (known !== undefined) return known;
    const next = palette[this.colourOf.size % palette.length] ?? 0;
    this.colourOf.set(app, next);
    return next;
  }

  private paint(colour: number, text: string): string {
    return this.terminal.colours ? `\u001B[${colour}m${text}\u001B[0m` : text;
  }
}
