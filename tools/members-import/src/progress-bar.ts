const width = 30;

/** Where progress is shown. */
export interface Screen {
  write(text: string): void;
  /** Lines can be written over. */
  isTerminal: boolean;
}

/** Shows how far something is: as a bar in a terminal, elsewhere as a line for every tenth. */
export class ProgressBar {
  private shown = -1;

  constructor(
    private readonly screen: Screen,
    private readonly label: string,
  ) {}

  /** @param share from 0 to 1 */
  show(share: number): void {
    const step = this.screen.isTerminal ? 1 : 10;
    const percent = Math.floor((share * 100) / step) * step;
    if (percent <= this.shown) return;
    this.shown = percent;
    if (!this.screen.isTerminal) {
      this.screen.write(`${this.label}: ${percent} %\n`);
      return;
    }
    const done = Math.round((percent / 100) * width);
    const bar = '█'.repeat(done) + '░'.repeat(width - done);
    this.screen.write(`\r${this.label} ${bar} ${String(percent).padStart(3)} %`);
  }

  /** Leaves the bar as it is; what follows begins on a line of its own. */
  end(): void {
    if (this.screen.isTerminal && this.shown >= 0) this.screen.write('\n');
  }
}
