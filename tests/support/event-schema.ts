import { readFileSync } from "node:fs";
import { Ajv } from "ajv";
import formats from "ajv-formats";
import { EVENTS_SCHEMA } from "../../docs/generate-events.ts";

const ajv = new Ajv({ allErrors: true });
formats.default(ajv);
ajv.addSchema(JSON.parse(readFileSync(EVENTS_SCHEMA, "utf8")) as object, "events");

/**
 * What is wrong with an event as `--json` prints it; empty if nothing is. The definition of its type and verb gives shorter
 * messages than the union of all.
 */
export function eventErrors(event: object): readonly string[] {
  const { type, verb } = event as { readonly type?: string; readonly verb?: string };
  const name = [type, verb].filter((part) => part !== undefined).join(":");
  const validate = ajv.getSchema(`events#/definitions/${name.replaceAll(" ", "%20")}`);
  if (validate === undefined) return [`docs/events.schema.json has no event ${name}`];
  if (validate(JSON.parse(JSON.stringify(event))) === true) return [];
  // Of a union, each member that does not fit has its own errors: those of a wrong literal or a missing field say the least.
  const errors = (validate.errors ?? []).map(({ instancePath, message = "", params }) =>
    `${name} ${instancePath} ${message} ${JSON.stringify(params)}`.trim(),
  );
  return errors.toSorted((a, b) => Number(/propert/i.test(a)) - Number(/propert/i.test(b))).slice(0, 12);
}
