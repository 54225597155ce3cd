/** Levels of LOG_LEVEL, from the most to the least verbose. */
export const LOG_LEVELS = ["debug", "info", "warning", "error"] as const;

/** One of {@link LOG_LEVELS}. */
export type LogLevel = (typeof LOG_LEVELS)[number];

/** Writes one JSON object a line. */
export interface Log {
  /** Whether debug lines are written; lets hot paths skip building them. */
  readonly debugging: boolean;
  debug(message: string, fields?: Readonly<Record<string, unknown>>): void;
  info(message: string, fields?: Readonly<Record<string, unknown>>): void;
  warning(message: string, fields?: Readonly<Record<string, unknown>>): void;
  error(message: string, fields?: Readonly<Record<string, unknown>>): void;
}

/** A log that writes lines of `level` and above; `constant` fields stand on every line. */
export function createLog(
  level: LogLevel,
  constant: Readonly<Record<string, unknown>>,
  write: (line: string) => void = (line) => process.stdout.write(line),
): Log {
  const lowest = LOG_LEVELS.indexOf(level);
  const at =
    (own: LogLevel) =>
    (message: string, fields: Readonly<Record<string, unknown>> = {}): void => {
      if (LOG_LEVELS.indexOf(own) < lowest) return;
      write(`${JSON.stringify({ time: new Date().toISOString(), level: own, message, ...constant, ...fields })}\n`);
    };
  return {
    debugging: level === "debug",
    debug: at("debug"),
    info: at("info"),
    warning: at("warning"),
    error: at("error"),
  };
}
