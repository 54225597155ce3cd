import type { Fix } from "./fix.ts";

/** Ctrl-C or SIGTERM ended an operation that had asked another program for something: the message says what is true now. */
export class Interrupted extends Error {
  override readonly name = "Interrupted";
  readonly fix: Fix;

  constructor(message: string, fix: Fix, options?: ErrorOptions) {
    super(message, options);
    this.fix = fix;
  }
}
