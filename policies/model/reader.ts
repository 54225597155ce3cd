import { Secret, Unknown, type Value } from "../../contract/graph.ts";
import { all, any, UnknownTruth, type Truth } from "./truth.ts";

/**
 * A place in a resource's inputs, whether or not something stands there. Questions are answered true, false or
 * unsure; nothing throws on an unknown or malformed value, so one open path cannot keep a rule from seeing another.
 *
 * - unknown: the value, or one that it stands in, is known only after apply.
 * - absent: nothing there, or `null`.
 * - malformed: something above has another shape than the path asks for. No question about it is true.
 */
export class Reader {
  /** From the resource's inputs, e.g. `spec.containers[0].image`. */
  readonly path: string;
  /** Whether the value, or one that it stands in, is marked secret. */
  readonly secret: boolean;
  readonly state: "known" | "unknown" | "absent" | "malformed";
  readonly #value: Value | undefined;

  private constructor(path: string, secret: boolean, state: Reader["state"], value: Value | undefined) {
    this.path = path;
    this.secret = secret;
    this.state = state;
    this.#value = value;
  }

  /** Reader of a value that stands at `path`. */
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

  /** The place below, by property names. */
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
   * state, so that whoever asks each element gets an answer that counts.
   */
  each(): readonly Reader[] {
    if (this.state === "absent") return [];
    if (this.state !== "known") return [new Reader(`${this.path}[*]`, this.secret, this.state, this.#value)];
    if (!Array.isArray(this.#value)) return [new Reader(`${this.path}[*]`, this.secret, "malformed", undefined)];
    return (this.#value as readonly Value[]).map((value, index) =>
      Reader.of(value, `${this.path}[${index}]`, this.secret),
    );
  }

  /** Like {@link each}, but an absent list is malformed: for lists that the resource cannot be without. */
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

  /** This place, or the other one where nothing stands here. */
  or(other: Reader): Reader {
    return this.state === "absent" ? other : this;
  }

  /** Whether nothing stands here. */
  get isAbsent(): Truth {
    return this.state === "unknown" ? this.#unknown() : this.state === "absent";
  }

  /** Whether something stands here. */
  get isPresent(): Truth {
    return this.state === "unknown" ? this.#unknown() : this.state === "known";
  }

  /** Whether one of the given values stands here. */
  is(...allowed: readonly (string | number | boolean)[]): Truth {
    return this.test((value) => (allowed as readonly Value[]).includes(value));
  }

  /** Whether nothing stands here, or one of the given values. */
  isAbsentOr(...allowed: readonly (string | number | boolean)[]): Truth {
    return any(this.isAbsent, this.is(...allowed));
  }

  /** Whether a string that matches stands here. */
  matches(pattern: RegExp): Truth {
    return this.test((value) => typeof value === "string" && pattern.test(value));
  }

  /** Whether a number within bounds stands here; a string of digits counts, since some providers take both. */
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

  /** Asks the plain value. `question` is asked only of known values, and never of the places below that are unknown. */
  test(question: (value: Value) => boolean): Truth {
    if (this.state === "unknown") return this.#unknown();
    return this.state === "known" && question(this.#value as Value);
  }

  /** The string that stands here, if it is a known one. */
  get text(): string | undefined {
    return typeof this.#value === "string" ? this.#value : undefined;
  }

  /** The number that stands here, if it is a known one. */
  get number(): number | undefined {
    return this.state === "known" ? numeric(this.#value) : undefined;
  }

  /** For messages: the value where it is plain and short, never a secret. */
  get shown(): string {
    if (this.secret) return "[secret]";
    if (this.state === "absent") return "not set";
    if (this.state === "unknown") return "not known before apply";
    if (this.state === "malformed") return "malformed";
    const value = this.#value;
    if (typeof value === "string") return value.length > 80 ? `"${value.slice(0, 77)}…"` : `"${value}"`;
    if (typeof value === "number" || typeof value === "boolean") return String(value);
    return Array.isArray(value) ? "a list" : "an object";
  }

  /** Every place below (and this one) whose value is a string, a number, a boolean or unknown. */
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

/** Whether every element of a list answers yes; an absent list does. */
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
