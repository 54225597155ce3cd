/** Envoy configuration as plain JSON. */
export type Json = null | boolean | number | string | readonly Json[] | { readonly [key: string]: Json };

/** An extension's configuration with its type, as Envoy's `typed_config` wants it. */
export function typed(type: string, config: Readonly<Record<string, Json>> = {}): Readonly<Record<string, Json>> {
  return { "@type": `type.googleapis.com/${type}`, ...config };
}
