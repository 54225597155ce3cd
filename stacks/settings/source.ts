/** Stands for a value that is not at hand, e.g. an encrypted secret in a plan without credentials. The program sees an unknown. */
export const DEFERRED = Symbol("deferred");

/** Where a value comes from, and with it the command that corrects it: the stack file, `--set`, or `--set` of the last `up`. */
export type Origin = "file" | "typed" | "recorded";

/** Where the values of a stack's configuration come from; keys carry no `exai:` prefix. */
export interface ConfigSource {
  /** Every key that is set. */
  readonly keys: readonly string[];
  /** The raw value: strings verbatim, everything else as JSON. */
  get(key: string): string | typeof DEFERRED | undefined;
  /** `file` for a key that is not set. */
  origin(key: string): Origin;
  /** Whether the value is plain text in a file of the project, which everyone with its sources reads. */
  isWritten(key: string): boolean;
  /** Environments of Pulumi ESC that may set what the file does not; only the engine reads them. */
  readonly imports: readonly string[];
  /** Whether what the deployment supplies (secrets, the release's image) may be unknown instead of refused when absent. */
  readonly defers: boolean;
}

export interface PlainSourceOptions {
  readonly defers?: boolean;
  /** Origin of the keys that are not the file's. */
  readonly origins?: Readonly<Record<string, Origin>>;
  /** Values that a file of the project has. @default none */
  readonly written?: Readonly<Record<string, string | typeof DEFERRED>>;
  readonly imports?: readonly string[];
}

/** A source over plain values, e.g. those of a stack file with overrides. */
export function plainSource(
  values: Readonly<Record<string, string | typeof DEFERRED>>,
  { defers = false, origins = {}, written = {}, imports = [] }: PlainSourceOptions = {},
): ConfigSource {
  return {
    keys: Object.keys(values),
    get: (key) => (Object.hasOwn(values, key) ? values[key] : undefined),
    origin: (key) => (Object.hasOwn(origins, key) ? (origins[key] ?? "file") : "file"),
    isWritten: (key) => Object.hasOwn(written, key) && typeof written[key] === "string" && written[key] === values[key],
    imports,
    defers,
  };
}
