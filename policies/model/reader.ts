import { Secret, Unknown, type Value } from "../../contract/graph.ts";
import { all, any, UnknownTruth, type Truth } from "./truth.ts";

/**
 * A place in a resource's inputs, with or without a value. Questions are answered true, false or unknown. Nothing throws
 * on an unknown or malformed value, so an unknown value at one path does not hide a fault at another.
 *
 * - unknown: the value, or one that contains it, is known only after apply.
 * - absent: there is no value, or `null`.
 * - malformed: a value above does not have the shape that the path needs. No question about it is true.
 */
export class Reader {
  /** From the resource's inputs, e.g. `spec.containers[0].image`. */
  readonly path: string;
  /** Whether the value, or one that contains it, is marked secret. */
  readonly secret: boolean;
  readonly state: "known" | "unknown" | "absent" | "malformed";
  readonly #value: Value | undefined;

  private constructor(path: string, secret: boolean, state: Reader["state"], value: Value | undefined) {
    this.path = path;
    this.secret = secret;
    this.state = state;
    this.#value = value;
  }

  /** Reader of a value at `path`. */
  static of(value: Value | undefined, path = "", secret = false): Reader {
    let inner = value;
    let marked = secret;
    while (inner instanceof Secret) {
      marked = true;
      inner = inner.value;
    }
    if (inner instanceof Unknown) return new Reader(path, marked, "unknown", inner);
    if (inner === undefined || inner === null) return new Reader(path, marked, "absent", undefined);
    return new Reader(path, marked, "known", inner);
  }

  /** The place below this one, by property names. */
  at(...keys: readonly string[]): Reader {
    return keys.reduce<Reader>((reader, key) => reader.#property(key), this);
  }

  #property(key: string): Reader {
    const path = child(this.path, key);
    if (this.state !== "known") return new Reader(path, this.secret, this.state, this.#value);
    const value = this.#value;
    if (typeof value !== "object" || Array.isArray(value)) return new Reader(path, this.secret, "malformed", undefined);
    const object = value as Readonly<Record<string, Value>>;
    return Reader.of(Object.hasOwn(object, key) ? object[key] : undefined, path, this.secret);
  }

  /**
   * The elements of a list. An absent list has none; an unknown or malformed one has a single element `[*]` of that
   * state, so that a question about each element is answered.
   */
  each(): readonly Reader[] {
    if (this.state === "absent") return [];
    if (this.state !== "known") return [new Reader(`${this.path}[*]`, this.secret, this.state, this.#value)];
    if (!Array.isArray(this.#value)) return [new Reader(`${this.path}[*]`, this.secret, "malformed", undefined)];
    return (this.#value as readonly Value[]).map((value, index) =>
      Reader.of(value, `${this.path}[${index}]`, this.secret),
    );
  }

  /** Like {@link each}, but an absent list is malformed: for lists that the resource must have. */
  eachRequired(): readonly Reader[] {
    return this.state === "absent" ? [new Reader(`${this.path}[*]`, this.secret, "malformed", undefined)] : this.each();
  }

  /** The entries of a map; unknown and malformed ones as in {@link each}, under the key `*`. */
  entries(): readonly (readonly [key: string, reader: Reader])[] {
    if (this.state === "absent") return [];
    if (this.state !== "known" || typeof this.#value !== "object" || Array.isArray(this.#value)) {
      const state = this.state === "known" ? "malformed" : this.state;
      return [["*", new Reader(child(this.path, "*"), this.secret, state, this.#value)]];
    }
    return Object.keys(this.#value as object).map((key) => [key, this.#property(key)]);
  }

  /** This place, or the other one if this one is absent. */
  or(other: Reader): Reader {
    return this.state === "absent" ? other : this;
  }

  /** Whether there is no value. */
  get isAbsent(): Truth {
    return this.state === "unknown" ? this.#unknown() : this.state === "absent";
  }

  /** Whether there is a value. */
  get isPresent(): Truth {
    return this.state === "unknown" ? this.#unknown() : this.state === "known";
  }

  /** Whether the value is one of the given ones. */
  is(...allowed: readonly (string | number | boolean)[]): Truth {
    return this.test((value) => (allowed as readonly Value[]).includes(value));
  }

  /** Whether there is no value, or one of the given ones. */
  isAbsentOr(...allowed: readonly (string | number | boolean)[]): Truth {
    return any(this.isAbsent, this.is(...allowed));
  }

  /** Whether the value is a string that matches. */
  matches(pattern: RegExp): Truth {
    return this.test((value) => typeof value === "string" && pattern.test(value));
  }

  /** Whether the value is a number from `min` to `max`; a string of digits counts, since some providers accept both. */
  within(min: number, max: number): Truth {
    return this.test((value) => {
      const number = numeric(value);
      return number !== undefined && number >= min && number <= max;
    });
  }

  /** Whether one of the list's elements is one of the given values. */
  includes(...wanted: readonly (string | number | boolean)[]): Truth {
    return any(...this.each().map((element) => element.is(...wanted)));
  }

  /** Whether the value satisfies a predicate, which is called for known values only. */
  test(predicate: (value: Value) => boolean): Truth {
    if (this.state === "unknown") return this.#unknown();
    return this.state === "known" && predicate(this.#value as Value);
  }

  /** The value, if it is a known string. */
  get text(): string | undefined {
    return typeof this.#value === "string" ? this.#value : undefined;
  }

  /** The value, if it is a known number. */
  get number(): number | undefined {
    return this.state === "known" ? numeric(this.#value) : undefined;
  }

  /** The value for messages, shortened; never a secret. */
  get shown(): string {
    if (this.secret) return "[secret]";
    if (this.state === "absent") return "not set";
    if (this.state === "unknown") return "unknown before apply";
    if (this.state === "malformed") return "malformed";
    const value = this.#value;
    if (typeof value === "string") return value.length > 80 ? `"${value.slice(0, 77)}…"` : `"${value}"`;
    if (typeof value === "number" || typeof value === "boolean") return String(value);
    return Array.isArray(value) ? "a list" : "an object";
  }

  /** This place and every place below it whose value is a string, a number, a boolean or unknown. */
  *leaves(): Generator<Reader> {
    if (this.state === "known" && typeof this.#value === "object") {
      const below = Array.isArray(this.#value) ? this.each() : this.entries().map(([, reader]) => reader);
      for (const reader of below) yield* reader.leaves();
    } else if (this.state === "known" || this.state === "unknown") {
      yield this;
    }
  }

  #unknown(): UnknownTruth {
    return new UnknownTruth([this.#value instanceof Unknown && this.#value.path !== "" ? this.#value.path : this.path]);
  }
}

/** Whether the answer is true for every reader; true for none. */
export function every(readers: readonly Reader[], question: (reader: Reader) => Truth): Truth {
  return all(...readers.map(question));
}

function child(path: string, key: string): string {
  const plain = /^[A-Za-z_*$][\w$-]*$/.test(key);
  if (!plain) return `${path}[${JSON.stringify(key)}]`;
  return path === "" ? key : `${path}.${key}`;
}

function numeric(value: Value | undefined): number | undefined {
  if (typeof value === "number") return value;
  return typeof value === "string" && /^-?\d+(\.\d+)?$/.test(value) ? Number(value) : undefined;
}
