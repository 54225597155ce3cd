import { decodedTexts } from "../../contract/secrets/decoded.ts";
import { credentialShape } from "../../contract/secrets/shapes.ts";
import { hasRandomWord } from "../../contract/secrets/randomness.ts";
import { isNamedCredential } from "../../contract/secrets/names.ts";
import type { Registered, Resource, ResourceGraph, TracedSecret } from "../../contract/graph.ts";
import { Reader } from "../model/reader.ts";
import { secretPlaces } from "./holders.ts";

/** Least length of a value that is looked for: shorter ones are words of other texts. */
const LEAST = 12;

/** The run in which secrets have values, and these values. @throws Error if the traced run failed */
export function tracedIn(graph: ResourceGraph): {
  readonly run: Registered;
  readonly secrets: readonly TracedSecret[];
} {
  const { traced } = graph;
  if (traced instanceof Error) throw new Error(`the program does not run with made-up secrets: ${traced.message}`);
  return traced === undefined ? { run: graph, secrets: knownSecrets(graph) } : { run: traced, secrets: traced.secrets };
}

/** The secrets of a run whose values are known, as under the engine: what is in the places for secrets, and marked. */
function knownSecrets({ resources }: ResourceGraph): readonly TracedSecret[] {
  return resources.flatMap((resource) =>
    [...secretsIn(resource)].flatMap(({ name, reader }) => {
      const whole = reader.secret ? valueOf(resource, reader) : undefined;
      const password = whole === undefined ? undefined : passwordIn(whole);
      const value = password ?? whole;
      if (value === undefined || value.length < LEAST) return [];
      return password !== undefined || isConfidential(name, value) ? [{ name: `${resource.name} ${name}`, value }] : [];
    }),
  );
}

function* secretsIn(resource: Resource): Generator<{ readonly name: string; readonly reader: Reader }> {
  const inputs = Reader.of(resource.inputs);
  for (const reader of secretPlaces(resource)?.(inputs) ?? [])
    yield { name: /[\w.-]+(?="?\]?$)/.exec(reader.path)?.[0] ?? reader.path, reader };
  // Under the engine, outputs are among the properties.
  if (resource.type === "random:index/randomPassword:RandomPassword")
    yield { name: "password", reader: inputs.at("result") };
}

/** The value at a place; the data of a Secret are base64. */
function valueOf(resource: Resource, { path, text }: Reader): string | undefined {
  const encoded = resource.type.includes(":Secret") && path.startsWith("data");
  return text !== undefined && encoded ? Buffer.from(text, "base64").toString("utf8") : text;
}

/** The password in a URL, empty without one; undefined if the text is not a URL. Host, port and database are not secret. */
function passwordIn(text: string): string | undefined {
  if (!/^[a-z][a-z\d+.-]*:\/\//i.test(text) || !URL.canParse(text)) return undefined;
  return decodeURIComponent(new URL(text).password);
}

/** Whether a value in a place for secrets is one: such places have names of users and certificates, too. */
function isConfidential(name: string, value: string): boolean {
  return isNamedCredential(name, value) || credentialShape(value) !== undefined || hasRandomWord(value);
}

/** Finds values of secrets in texts: unchanged, a part of at least 19 characters unless the value is made of words, or encoded. */
export function finderOf(secrets: readonly TracedSecret[]): (text: string) => TracedSecret | undefined {
  const parts = secrets.flatMap((secret) => partsOf(secret.value).map((part) => [part, secret] as const));
  const inText = (text: string) => parts.find(([part]) => text.includes(part))?.[1];
  return (text) => {
    if (secrets.length === 0 || text.length < 10) return undefined;
    const found = inText(text) ?? inText(text.toLowerCase());
    if (found !== undefined) return found;
    for (const decoded of decodedTexts(text)) {
      const inside = decoded === text ? undefined : inText(decoded);
      if (inside !== undefined) return inside;
    }
    return undefined;
  };
}

/** What shows that a text contains a value: pieces of it, unless they are words, and its middle in hexadecimal digits and in base64 at each alignment. */
function partsOf(value: string): readonly string[] {
  const pieces =
    value.length < 20 || !hasRandomWord(value) ? [value] : [0, 10, 20, 30].map((at) => value.slice(at, at + 10));
  const encoded = [0, 1, 2].map((shift) => {
    const text = Buffer.from(`${" ".repeat(shift)}${value}`).toString("base64");
    return text.slice(4, 4 + 16);
  });
  const hex = Buffer.from(value).toString("hex").slice(0, 24);
  return [...pieces.filter((piece) => piece.length >= 10), ...encoded, hex];
}

/** A string of a resource, as a value or as a key. */
export interface PlacedText {
  readonly path: string;
  readonly text: string;
  readonly secret: boolean;
}

/** What {@link dependentTexts} found, since two rules ask. */
const DEPENDENT = new WeakMap<ResourceGraph, ReadonlyMap<Resource, readonly PlacedText[]>>();

/**
 * The known texts of each resource of the run that {@link tracedIn} returns. Of a traced run, only those that the first run does not
 * have: what the program makes without the values does not come from them.
 */
export function dependentTexts(graph: ResourceGraph): ReadonlyMap<Resource, readonly PlacedText[]> {
  const known = DEPENDENT.get(graph);
  if (known !== undefined) return known;
  const { run } = tracedIn(graph);
  const placed = ({ inputs }: Resource) => [...textsOf(Reader.of(inputs))];
  const independent = new Set(
    run === graph ? [] : graph.resources.flatMap((resource) => placed(resource).map(({ text }) => text)),
  );
  const found = new Map(
    run.resources.map((resource) => [resource, placed(resource).filter(({ text }) => !independent.has(text))]),
  );
  DEPENDENT.set(graph, found);
  return found;
}

/** Every known string of some inputs, keys included. */
export function* textsOf(reader: Reader): Generator<PlacedText> {
  if (reader.text !== undefined) yield { path: reader.path, text: reader.text, secret: reader.secret };
  if (reader.state !== "known" || reader.test((value) => typeof value === "object") !== true) return;
  if (reader.test((value) => Array.isArray(value)) === true) {
    for (const item of reader.each()) yield* textsOf(item);
    return;
  }
  for (const [key, entry] of reader.entries()) {
    if (key.length >= LEAST) yield { path: reader.path, text: key, secret: reader.secret };
    yield* textsOf(entry);
  }
}
