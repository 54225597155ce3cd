import { command } from "../../contract/fix.ts";
import type { DownPlan, DownResult, ServiceStatus, StackStatus, UpPlan, UpResult } from "../../platforms/results.ts";
import type { EnvironmentData, SynthData } from "../results.ts";
import { heading, lines, next, pairs, type Block, type Formatter, type Text } from "./block.ts";
import { migrationWarnings } from "./migrate/migrate.ts";
import { shownPath } from "./path.ts";
import { age, count, span } from "./units.ts";

/** `up`. */
export const formatUp: Formatter<UpResult> = (result) => {
  const { stack, changes, seconds } = result;
  const warnings = result.migrations === undefined ? [] : migrationWarnings(result.migrations);
  const title = heading(
    `${stack} is ${changes === 0 ? "up already, nothing changed" : "up"} (${span(seconds)})`,
    "good",
  );
  if (result.platform === "compose")
    return [
      ...warnings.map((text): Block => ({ type: "warning", text })),
      title,
      pairs({ ...result.urls, passwords: shownPath(result.passwords) }),
      next(command("status"), command("cutover --image <image>"), command("down")),
    ];
  const { kept, waitingImage, outputs, local } = result;
  const slots = Object.entries(kept).map(([slot, image]) => `${slot} ${image}`);
  return [
    ...warnings.map((text): Block => ({ type: "warning", text })),
    ...(slots.length === 0 ? [] : [lines(`the slots keep their images: ${slots.join(", ")}`)]),
    ...(waitingImage === undefined
      ? []
      : [
          { type: "warning", text: `exai:image is ${waitingImage}, which no slot runs; a cutover deploys it` } as const,
        ]),
    title,
    pairs(outputs),
    local
      ? next(command("status"), command("cutover --image <image>"), command(`down ${stack}`))
      : next(
          ...(waitingImage === undefined ? [] : [command(`cutover --stack ${stack} --image ${waitingImage}`)]),
          command(`preview ${stack}`),
          { shell: `pulumi stack output --stack ${stack}` },
        ),
  ];
};

/** What `up` asks before it changes a stack elsewhere. */
export function upQuestion({ changed }: UpPlan): string {
  return `This changes ${count(changed, "resource")}.`;
}

/** `down`. */
export const formatDown: Formatter<DownResult> = (result) => {
  const { stack, data } = result;
  const fate = { removed: "; its data is removed", kept: "; its data is kept", none: "" }[data];
  if (result.platform === "pulumi")
    return [
      heading(`${stack} is down: ${count(result.deleted, "resource")} deleted${fate}`, "good"),
      ...(result.kept.length === 0 ? [] : [lines(`kept, with the keys that open it: ${result.kept.join(", ")}`)]),
      next(
        command(`up ${stack}${result.local ? " --engine" : ""}`),
        ...(data === "kept" ? [{ ...command(`down ${stack} --volumes`), comment: "also removes the data" }] : []),
      ),
    ];
  const wasDown = result.containers.length === 0 && result.volumes.length === 0;
  return [
    heading(wasDown ? `${stack} was down already` : `${stack} is down${fate}`, "good"),
    data === "removed"
      ? next(command("up"))
      : next(command("up"), { ...command("down --volumes"), comment: "also removes the data" }),
  ];
};

/** What `down` asks before it removes data or a stack elsewhere. */
export function downQuestion({ volumes, data, home, files = [] }: DownPlan): string {
  const resources =
    volumes === undefined ? (data ? ["everything, its data included"] : ["everything but the data"]) : [];
  const named = volumes === undefined || volumes.length === 0 ? [] : [`the volumes ${volumes.join(", ")}`];
  const state = data && home !== undefined && files.length > 0 ? [`in ${shownPath(home)}: ${files.join(", ")}`] : [];
  const what = [...resources, ...named, ...state];
  return what.length === 0 ? "There is no data to delete." : `This permanently deletes ${what.join("; and ")}.`;
}

/** `status`. */
export const formatStatus: Formatter<StackStatus> = ({ stack, services, unhealthy, up, overrides }, { at }) => [
  {
    type: "table",
    columns: [
      { title: "SERVICE" },
      { title: "STATE" },
      { title: "IMAGE", priority: 2, minimum: 16 },
      { title: "UP FOR", priority: 1 },
      { title: "PORTS", priority: 3 },
    ],
    rows: services.map((service) => [
      service.service,
      stateOf(service),
      service.image ?? "",
      isRunning(service) ? age(at, service.startedAt) : "",
      service.ports.join(", "),
    ]),
  },
  ...overridesLine(overrides),
  unhealthy.length === 0
    ? heading(`${stack}: all ${count(services.length, "service")} healthy`, "good")
    : heading(`${stack}: not healthy: ${unhealthy.join(", ")}`, "bad"),
  ...(unhealthy.length === 0 ? [] : [next(command(up ? `logs ${unhealthy[0] ?? ""}` : "up"))]),
];

function overridesLine(overrides: StackStatus["overrides"]): readonly Block[] {
  const texts = Object.entries(overrides).map(([key, value]) => `${key}=${value}`);
  return texts.length === 0 ? [] : [lines(`settings of ./exai up --set: ${texts.join(", ")}`)];
}

/** A container that has ended has an exit code. */
function isRunning({ exitCode }: ServiceStatus): boolean {
  return exitCode === undefined;
}

function stateOf({ state, exitCode }: ServiceStatus): Text {
  if (state === "healthy") return { text: state, tone: "good" };
  if (state === "drained") return { text: state, tone: "quiet" };
  return { text: exitCode === undefined ? state : `${state} (${exitCode})`, tone: "bad" };
}

/** `env`. */
export const formatEnvironment: Formatter<EnvironmentData> = ({ variables, example }) => {
  if (example)
    return [{ type: "document", text: `${variables.map((variable) => exampleLines(variable)).join("\n\n")}\n` }];
  return [
    {
      type: "table",
      columns: [{ title: "VARIABLE" }, { title: "VALUE" }, { title: "FROM", priority: 1 }],
      rows: variables.map((variable) => [
        variable.name,
        variable.secret ? masked(variable) : (variable.value ?? "(not set)"),
        `exai:${variable.key}`,
      ]),
    },
  ];
};

type Variable = EnvironmentData["variables"][number];

function masked({ generated, set }: Variable): string {
  if (generated) return "******** (generated, mounted as a file)";
  return set ? "******** (mounted as a file)" : "(not set)";
}

function exampleLines({ name, about, secret, value }: Variable): string {
  return `# ${about}${secret ? `; or its file in ${name}_FILE` : ""}\n${name}=${value ?? ""}`;
}

/** `synth`: the files' content, or the paths that they were written to. */
export const formatSynth: Formatter<SynthData> = ({ files }) =>
  files.map(({ path, content }) =>
    path === undefined ? { type: "document", text: content ?? "" } : lines(`wrote ${shownPath(path)}`),
  );
