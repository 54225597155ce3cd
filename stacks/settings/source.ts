/** Stands for a value that is not at hand, e.g. an encrypted secret in a plan without credentials. The program sees an unknown. */
export const DEFERRED = Symbol("deferred");

/** Where the values of a stack's configuration come from; keys carry no `exai:` prefix. */
export interface ConfigSource {
  /** Every key that is set. */
  readonly keys: readonly string[];
  /** The raw value: strings verbatim, everything else as JSON. */
  get(key: string): string | typeof DEFERRED | undefined;
  /** Whether what the deployment supplies (secrets, the release's image) may be unknown instead of refused when absent. */
  readonly defers: boolean;
}

/** A source over plain values, e.g. those of a stack file with overrides. */
export function plainSource(
  values: Readonly<Record<string, string | typeof DEFERRED>>,
  options: { readonly defers?: boolean } = {},
): ConfigSource {
  return {
    keys: Object.keys(values),
    get: (key) => (Object.hasOwn(values, key) ? values[key] : undefined),
    defers: options.defers ?? false,
  };
}
