import type { Reader } from "../model/reader.ts";

/** A string somewhere in a resource's inputs. */
export interface NamedString {
  readonly reader: Reader;
  /** Its key, or the name next to it in a list of pairs, or the option before it. */
  readonly name: string;
  /** Whether the name is the user's own, and not a field of a schema. */
  readonly free: boolean;
}

/** Keys below which names are the user's own. */
const FREE =
  /^(?:env|envs|labels|annotations|data|stringData|binaryData|args|command|commands|entrypoints|tests|httpHeaders|headers|logOpts|driverOpts|options|sysctls|parameters|config|settings|values|tags|environment|variables|triggers|keepers|tmpfs|uploads)$/i;

/** Keys of the value in a list of pairs. */
const PAIR_VALUES = ["value", "values", "content", "default"];
const PAIR_NAMES = ["name", "key", "label", "header", "file", "host"];

/** Every string below a place, secret or not, and every place that is unknown. */
export function* stringsOf(place: Reader, name = "", free = false): Generator<NamedString> {
  if (place.text !== undefined || place.state === "unknown") {
    yield { reader: place, name, free };
    return;
  }
  if (place.state !== "known") return;
  if (place.test((value) => Array.isArray(value)) === true) {
    let option = "";
    for (const item of place.each()) {
      yield* stringsOf(item, option === "" ? name : option, free);
      // `--token`, and the value after it.
      option = /^--?([\w-]+)$/.exec(item.text ?? "")?.[1] ?? "";
    }
    return;
  }
  if (place.test((value) => typeof value === "object") !== true) return;
  const entries = place.entries();
  const pair = PAIR_NAMES.map((key) => entries.find(([each]) => each === key)?.[1].text).find(
    (text) => text !== undefined,
  );
  for (const [key, value] of entries) {
    const paired = pair !== undefined && PAIR_VALUES.includes(key);
    yield* stringsOf(value, paired ? pair : key, free || paired || FREE.test(key));
  }
}
