import { Secret, Unknown, type Inputs, type Value } from "../contract/graph.ts";

/** Raised where a renderer needs a value that only the engine will know. */
export class UnknownValueError extends Error {
  override readonly name = "UnknownValueError";
  readonly path: string;
  constructor(resource: string, path: string) {
    super(`${resource}: ${path} is known only after the engine has run`);
    this.path = path;
  }
}

/** Plain JSON-like data. */
export type Plain = null | boolean | number | string | Plain[] | { [key: string]: Plain };

/** The content behind every secret mark. @throws UnknownValueError if a value is unknown */
export function reveal(value: Value, resource: string): Plain {
  if (value instanceof Unknown) throw new UnknownValueError(resource, value.path);
  if (value instanceof Secret) return reveal(value.value, resource);
  if (Array.isArray(value)) return (value as readonly Value[]).map((item) => reveal(item, resource));
  if (typeof value === "object" && value !== null)
    return Object.fromEntries(Object.entries(value as Inputs).map(([key, item]) => [key, reveal(item, resource)]));
  return value;
}

/** Whether a secret stands anywhere in the value. */
export function holdsSecret(value: Value): boolean {
  if (value instanceof Secret) return true;
  if (value instanceof Unknown || value === null || typeof value !== "object") return false;
  return Object.values(value).some((item) => holdsSecret(item));
}
