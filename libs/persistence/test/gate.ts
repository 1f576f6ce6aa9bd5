/** A point that others wait at until it is opened. */
export interface Gate {
  readonly opened: Promise<void>;
  open(): void;
}

export function gate(): Gate {
  const waiting: (() => void)[] = [];
  return {
    opened: new Promise((resolve) => waiting.push(resolve)),
    open: () => {
      for (const resolve of waiting) resolve();
    },
  };
}
