/** Lets one loop sleep until there is work. A wake-up while it works is remembered. */
export class Wake {
  private pending = false;
  private notify?: () => void;

  wake(): void {
    this.pending = true;
    this.notify?.();
  }

  /** Resolves on the next `wake()`, at once if one came since the last wait, or after `timeoutMs`. */
  async wait(timeoutMs?: number): Promise<void> {
    if (!this.pending) {
      await new Promise<void>((resolve) => {
        const timer = timeoutMs === undefined ? undefined : setTimeout(resolve, timeoutMs);
        this.notify = () => {
          clearTimeout(timer);
          resolve();
        };
      });
      this.notify = undefined;
    }
    this.pending = false;
  }
}
