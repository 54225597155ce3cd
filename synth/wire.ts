import { Secret, Unknown, type Inputs, type Value } from "../contract/graph.ts";

/** Marks of the engine's wire format (pulumi/sdk/nodejs/runtime/rpc.ts). */
const UNKNOWN = "04da6b54-80e4-46f7-96ec-b56ff0331ba9";
const SIGNATURE = "4dabf18193072939515e22adb298388d";
const SECRET = "1b47061264138c4ac30d75fd1eb44270";
const OUTPUT = "d0e6a833031e9bbcd3f4e8bde6ca49a4";
const RESOURCE = "5cf8f73096256a8f31e491e813e4eb8e";

/** Turns the plain form of a wire struct into values with their unknown and secret marks. */
export function fromWire(properties: Record<string, unknown>): Inputs {
  return Object.fromEntries(
    Object.entries(properties)
      .filter(([key, value]) => value !== undefined && !key.startsWith("__"))
      .map(([key, value]) => [key, valueOf(value, key)]),
  );
}

function valueOf(wire: unknown, path: string): Value {
  if (wire === UNKNOWN) return new Unknown(path);
  if (wire === null || wire === undefined) return null;
  if (typeof wire === "boolean" || typeof wire === "number" || typeof wire === "string") return wire;
  if (Array.isArray(wire)) return wire.map((item, index) => valueOf(item, `${path}[${index}]`));
  if (typeof wire !== "object") throw new TypeError(`${path}: the wire format has no ${typeof wire}`);
  const record = wire as Record<string, unknown>;
  switch (record[SIGNATURE]) {
    case SECRET:
      return new Secret(valueOf(record.value, path));
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
