import { readFileSync, writeFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { format, resolveConfig } from "prettier";
import { ERROR_CODES, EXIT } from "../contract/errors.ts";
import { schemaOf, type Schema } from "./schema-of-types.ts";

/** The pages that {@link eventsPages} has the contents of. */
export const EVENTS_SCHEMA = fileURLToPath(new URL("events.schema.json", import.meta.url));
export const EVENTS_PAGE = fileURLToPath(new URL("events.md", import.meta.url));

const INTRODUCTION = `# Events

Generated from the types in \`cli/events.ts\` and \`cli/results.ts\` by \`node docs/generate-events.ts\`; a test compares the two.

\`./exai --json <verb>\` prints one JSON object per line on standard output, and nothing else. \`docs/events.schema.json\` is the
schema of a line. Every event has \`type\` and \`at\`, the time in ISO 8601. A verb that does its work ends with one \`result\`
event; one that cannot ends with one or more \`error\` events. The exit code is the same with and without \`--json\`.

\`\`\`console
$ ./exai --json rollout status | jq -r 'select(.type == "result") | .data.state'
idle
$ ./exai --json rollout history | jq -r 'select(.type == "result") | .data.rollouts[] | [.outcome, .image] | join(" ")'
rolled-back exai/reference-server:1.1.0
rolled-back exai/reference-server:1.2.0-bad
\`\`\`
`;

/** The schema of a line, as JSON, and the page about it, both as prettier writes them. */
export async function eventsPages(): Promise<{ readonly schema: string; readonly page: string }> {
  const { events, definitions } = schemaOf(fileURLToPath(new URL("../cli/events.ts", import.meta.url)), "PrintedEvent");
  const schema = {
    $schema: "http://json-schema.org/draft-07/schema#",
    $id: "exai-events",
    title: "A line that ./exai --json prints",
    anyOf: Object.keys(events).map((name) => ({ $ref: `#/definitions/${name}` })),
    definitions: { ...events, ...definitions },
  };
  const config = await resolveConfig(EVENTS_PAGE);
  return {
    schema: await format(JSON.stringify(schema), { ...config, parser: "json" }),
    page: await format(page(events, definitions), { ...config, parser: "markdown" }),
  };
}

function page(events: Readonly<Record<string, Schema>>, definitions: Readonly<Record<string, Schema>>): string {
  const common = Object.entries(events).filter(([, event]) => event.properties?.verb === undefined);
  const verbs = Object.entries(events).filter(([, event]) => event.properties?.verb !== undefined);
  return [
    INTRODUCTION,
    "## Events of every verb",
    ...common.flatMap(([name, event]) => [`### ${code(name)}`, event.description ?? "", fields(event)]),
    "## Error codes",
    "`internal` is a defect of this program; `interrupted` ends with 130.",
    table(["code", "exit code", "meaning"], errorCodes()),
    `Exit codes: ${Object.entries(EXIT)
      .map(([name, exit]) => `${String(exit)} ${name}`)
      .join(", ")}.`,
    "## Results",
    "The last event of a verb: its `verb`, and the type of its `data`. A `view` event has the same fields.",
    table(
      ["type", "verb", "data"],
      verbs.map(([, { properties = {} }]) => [
        code(String(properties.type?.const)),
        code(String(properties.verb?.const)),
        typeText(properties.data ?? {}),
      ]),
    ),
    "## Types",
    ...Object.entries(definitions).flatMap(([name, definition]) => [
      `### ${name}`,
      definition.description ?? "",
      fields(definition),
    ]),
  ].join("\n\n");
}

/** Each error code with its exit code, and the comment above it. */
function errorCodes(): readonly (readonly string[])[] {
  const source = readFileSync(new URL("../contract/errors.ts", import.meta.url), "utf8");
  return Object.entries(ERROR_CODES).map(([name, exit]) => [
    code(name),
    String(exit),
    new RegExp(`/\\*\\* (.*) \\*/\\s+"?${name}"?: EXIT`).exec(source)?.[1] ?? "",
  ]);
}

/** The fields of an object, or the members of a union. */
function fields(schema: Schema): string {
  if (schema.properties !== undefined) {
    const required = new Set(schema.required);
    const rows = Object.entries(schema.properties).map(([name, field]) => [
      code(name),
      typeText(field),
      required.has(name) ? "" : "optional",
      field.description ?? "",
    ]);
    return table(["field", "type", "", "meaning"], rows);
  }
  const members = schema.anyOf ?? (schema.enum ?? []).map((value): Schema => ({ const: value }));
  if (members.length === 0) return typeText(schema);
  return members.map((member) => `- ${memberText(member)}`).join("\n");
}

function memberText(member: Schema): string {
  const described = member.description === undefined ? "" : `: ${member.description}`;
  return `${typeText(member)}${described}`;
}

function typeText(schema: Schema): string {
  if (schema.$ref !== undefined) {
    const name = schema.$ref.replace("#/definitions/", "");
    return `[${name}](#${name.toLowerCase()})`;
  }
  if (schema.const !== undefined) return code(JSON.stringify(schema.const));
  if (schema.enum !== undefined) return schema.enum.map((value) => code(JSON.stringify(value))).join(", ");
  if (schema.anyOf !== undefined) return schema.anyOf.map(typeText).join(" or ");
  if (schema.type === "array") return `list of ${typeText(schema.items ?? {})}`;
  if (schema.properties !== undefined) {
    const names = Object.entries(schema.properties).map(
      ([name, field]) => `${code(name)}${schema.required?.includes(name) === true ? "" : "?"} ${typeText(field)}`,
    );
    return `{ ${names.join(", ")} }`;
  }
  if (schema.type === "object" && typeof schema.additionalProperties === "object")
    return `object of ${typeText(schema.additionalProperties)}`;
  return schema.format === "date-time" ? "ISO 8601" : (schema.type ?? "any");
}

function code(text: string): string {
  return `\`${text}\``;
}

function table(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const line = (cells: readonly string[]) => `| ${cells.map((cell) => cell.replaceAll("|", "\\|")).join(" | ")} |`;
  return [line(head), line(head.map(() => "-")), ...rows.map(line)].join("\n");
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const { schema, page: text } = await eventsPages();
  writeFileSync(EVENTS_SCHEMA, schema);
  writeFileSync(EVENTS_PAGE, text);
}
