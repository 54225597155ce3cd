import type { Answer } from "../model/answer.ts";
import type { Reader } from "../model/reader.ts";
import { any, type Truth } from "../model/truth.ts";

/**
 * What is understood of an option: every value, the values that a question accepts, or the options below it. If the value is
 * a list, this holds for each element. `*` stands for all other names.
 */
export type Options = "any" | ((value: Reader) => Truth) | { readonly [name: string]: Options };

/** One answer for each option that is set: whether it, and everything below it, is understood. */
export function* understood(value: Reader, options: Options): Generator<Answer> {
  if (options === "any" || value.isAbsent === true) return;
  if (value.test((given) => Array.isArray(given)) === true) {
    for (const element of value.each()) yield* understood(element, options);
    return;
  }
  if (typeof options === "function") {
    yield {
      at: value,
      holds: any(isEmpty(value), options(value)),
      message: `${value.path} is ${value.shown}, which the rules do not understand to be safe`,
      fix: `remove ${value.path}`,
    };
    return;
  }
  for (const [name, entry] of value.entries()) {
    // Names of the engine, such as the list of the values that are defaults of the provider.
    if (name.startsWith("__")) continue;
    const below = Object.hasOwn(options, name) ? options[name] : options["*"];
    if (below !== undefined) yield* understood(entry, below);
    else
      yield {
        at: entry,
        holds: isEmpty(entry),
        message: `the rules do not understand ${entry.path}`,
        fix: `remove ${entry.path}`,
      };
  }
}

/** Whether a value is the same as no value: false, 0, or without content. */
function isEmpty(value: Reader): Truth {
  return any(
    value.isAbsent,
    value.test((given) =>
      typeof given === "object" && given !== null
        ? Object.keys(given).length === 0
        : given === "" || given === false || given === 0,
    ),
  );
}

/** Only these values. */
export function oneOf(...values: readonly (string | number | boolean)[]): Options {
  return (value) => value.is(...values);
}

/** Only strings that match, and numbers whose digits match. */
export function matching(pattern: RegExp): Options {
  return (value) =>
    value.test((given) => (typeof given === "string" || typeof given === "number") && pattern.test(String(given)));
}
