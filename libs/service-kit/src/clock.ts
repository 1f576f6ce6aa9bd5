import { Injectable } from '@nestjs/common';

/** The present instant, injected wherever a rule needs it, so that tests can move time. */
@Injectable()
export class Clock {
  now(): Date {
    return new Date();
  }
}

/** A clock that stands still until it is moved; for tests. */
export class FixedClock extends Clock {
  private instant: number;

  constructor(instant: Date | string) {
    super();
    this.instant = new Date(instant).getTime();
  }

  override now(): Date {
    return new Date(this.instant);
  }

  set(instant: Date | string): void {
    this.instant = new Date(instant).getTime();
  }

  /** Moves time by milliseconds; negative moves it back. */
  advance(milliseconds: number): void {
    this.instant += milliseconds;
  }
}
