import { command } from "../../../contract/fix.ts";
import type { ChangeReason } from "../../../platforms/compose/apply.ts";
import type { Change } from "../../../platforms/pulumi/changes.ts";
import type { ComposePreview, PreviewResult, ServicePreview } from "../../../platforms/results.ts";
import { heading, lines, next, type Block, type Formatter } from "../block.ts";
import { leftText } from "../migrate/migrate.ts";
import { count } from "../units.ts";

/** `preview`. */
export const formatPreview: Formatter<PreviewResult> = (result) => {
  if (result.platform === "compose") return composeBlocks(result);
  const { stack, changed, unchanged, changes, local } = result;
  return [
    ...changesTable(changes),
    heading(
      changed === 0
        ? `${stack}: nothing would change, ${count(unchanged, "resource")} as declared`
        : `${stack}: ${count(changed, "resource")} would change, ${String(unchanged)} would not`,
    ),
    ...(changed === 0 ? [] : [next(command(`up ${stack}${local ? " --engine" : ""}`))]),
  ];
};

const REASONS: Readonly<Record<ChangeReason, string>> = {
  new: "new",
  definition: "its definition changed",
  image: "its image changed",
  stopped: "it does not run",
  unhealthy: "it is unhealthy",
};

const IMAGE_ACTIONS = { pull: "would be pulled", build: "would be built", rebuild: "would be built again" } as const;

function composeBlocks({ stack, services, unchanged, images, migrations }: ComposePreview): readonly Block[] {
  const pending = migrations?.pending ?? [];
  const nothing = services.length === 0 && pending.length === 0 && images.length === 0;
  return [
    ...(services.length === 0
      ? []
      : [
          {
            type: "table",
            columns: [
              { title: "CHANGE" },
              { title: "SERVICE" },
              { title: "WHY" },
              { title: "DIFFERS IN", priority: 1 },
            ],
            rows: services.map((each) => [each.change, each.service, reasonOf(each), each.inputs.join(", ")]),
          } as const,
        ]),
    ...images.map(({ image, action }) => lines(`image ${image} ${IMAGE_ACTIONS[action]}`)),
    ...(pending.length === 0
      ? []
      : [lines(`${count(pending.length, "migration")} pending, the newest is ${pending.at(-1)?.version ?? ""}`)]),
    ...(migrations?.refusal === undefined
      ? []
      : [{ type: "warning", text: `not all would be applied: ${leftText(migrations.refusal)}` } as const]),
    ...(migrations === undefined ? [lines("the database does not run: its pending migrations are not known")] : []),
    heading(
      nothing
        ? `${stack}: nothing would change, ${count(unchanged, "service")} as declared`
        : `${stack}: ${count(services.length, "service")} would change, ${String(unchanged)} would not`,
    ),
    ...(nothing ? [] : [next(command(stack === "local" ? "up" : `up ${stack}`))]),
  ];
}

function reasonOf({ reason, optional }: ServicePreview): string {
  if (reason === undefined) return "it is not declared";
  return optional === true ? `${REASONS[reason]}, if its image can be pulled` : REASONS[reason];
}

/** The changes of the engine. */
function changesTable(changes: readonly Change[]): readonly Block[] {
  if (changes.length === 0) return [];
  return [
    {
      type: "table",
      columns: [
        { title: "CHANGE" },
        { title: "KIND", priority: 1 },
        { title: "NAME" },
        { title: "DIFFERS IN", priority: 2 },
      ],
      rows: changes.map(({ verb, kind, name, keys }) => [verb, kind, name, keys.join(", ")]),
    },
  ];
}
