import { Secret, Unknown, type Inputs, type Value } from "../graph.ts";

/** Marks of the engine's protocol and of its state files (pulumi/sdk/nodejs/runtime/rpc.ts); the same in every SDK. */
const SIGNATURE = "4dabf18193072939515e22adb298388d";
const SECRET = "1b47061264138c4ac30d75fd1eb44270";
const OUTPUT = "d0e6a833031e9bbcd3f4e8bde6ca49a4";
const RESOURCE = "5cf8f73096256a8f31e491e813e4eb8e";

/** What stands for an unknown string. */
const UNKNOWN_TEXT = "04da6b54-80e4-46f7-96ec-b56ff0331ba9";

/** What stands for an unknown boolean, number, string, list, asset, archive or object. */
const UNKNOWNS: ReadonlySet<unknown> = new Set([
  UNKNOWN_TEXT,
  "1c4a061d-8072-4f0a-a4cb-0ff528b18fe7",
  "3eeb2bf0-c639-47a8-9e75-3b44932eb421",
  "6a19a0b0-7e62-4c92-b797-7f8e31da9cc2",
  "030794c1-ac77-496b-92df-f27374a8bd58",
  "e48ece36-62e2-4504-bad9-02848725956a",
  "dd056dcd-154b-4c76-9bd3-c8f88648b5ff",
]);

/**
 * Properties of a resource from the plain form of a protocol struct, or from a state file. A secret that the state
 * file has encrypted is a secret of unknown content.
 */
export function fromWire(properties: Readonly<Record<string, unknown>>): Inputs {
  return Object.fromEntries(
    Object.entries(properties)
      .filter(([key, value]) => value !== undefined && !key.startsWith("__"))
      .map(([key, value]) => [key, valueOf(value, key)]),
  );
}

/** The inverse of {@link fromWire}: an unknown value has no path, which its place gives. */
export function toWire(inputs: Inputs): Record<string, unknown> {
  return Object.fromEntries(Object.entries(inputs).map(([key, value]) => [key, wireOf(value)]));
}

function wireOf(value: Value): unknown {
  if (typeof value !== "object" || value === null) return value;
  if (value instanceof Unknown) return UNKNOWN_TEXT;
  if (value instanceof Secret) return { [SIGNATURE]: SECRET, value: wireOf(value.value) };
  return isList(value) ? value.map(wireOf) : toWire(value);
}

function isList(value: object): value is readonly Value[] {
  return Array.isArray(value);
}

function valueOf(wire: unknown, path: string): Value {
  if (UNKNOWNS.has(wire)) return new Unknown(path);
  if (typeof wire === "boolean" || typeof wire === "number" || typeof wire === "string") return wire;
  if (Array.isArray(wire)) return wire.map((item, index) => valueOf(item, `${path}[${index}]`));
  if (typeof wire !== "object" || wire === null) return null;
  const record = wire as Readonly<Record<string, unknown>>;
  switch (record[SIGNATURE]) {
    case SECRET:
      return new Secret(secretOf(record, path));
    case OUTPUT: {
      const inner = "value" in record ? valueOf(record.value, path) : new Unknown(path);
      return record.secret === true ? new Secret(inner) : inner;
    }
    case RESOURCE:
      return typeof record.urn === "string" ? record.urn : new Unknown(path);
    default:
      return Object.fromEntries(
        Object.entries(record)
          .filter(([key]) => key !== SIGNATURE)
          .map(([key, value]) => [key, valueOf(value, `${path}.${key}`)]),
      );
  }
}

function secretOf(record: Readonly<Record<string, unknown>>, path: string): Value {
  if ("value" in record) return valueOf(record.value, path);
  if (typeof record.plaintext === "string") {
    try {
      return valueOf(JSON.parse(record.plaintext), path);
    } catch {
      return new Unknown(path);
    }
  }
  return new Unknown(path);
}
