import { readdirSync, readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { Secret, type Inputs, type Resource, type ResourceGraph, type Value } from "../contract/graph.ts";
import type { SqlFile } from "../policies/database/apply.ts";
import type { Database } from "../policies/database/facts.ts";
import { read } from "../policies/database/read.ts";
import { environmentOf } from "../policies/model/environment.ts";
import { evaluate } from "../policies/model/evaluate.ts";
import { RULES } from "../policies/rules/index.ts";
import { capture } from "../synth/capture.ts";
import { stackFileSource } from "../synth/stack-file.ts";

/**
 * Removes or weakens each hardening field, secret mark, schedule and row-level statement of our stacks, one at
 * a time, and asks the policies. A mutant that no rule sees is a survivor, and is named.
 *
 *   node bench/mutations.ts [local staging prod database]
 */
const ROOT = fileURLToPath(new URL("..", import.meta.url));
const asked = process.argv.slice(2);
const wanted = asked.length > 0 ? asked : ["local", "staging", "prod", "database"];

type Path = readonly (string | number)[];
interface Mutant {
  readonly name: string;
  readonly graph: ResourceGraph;
}

const BAD_IMAGE = "example.com/server:latest";

/** Fields that harden, by the end of their path, and what weakens them; undefined removes. */
const FIELDS: readonly (readonly [type: RegExp, path: RegExp, weaker: Value | undefined])[] = [
  // Kubernetes: pods
  [/^kubernetes:/, /securityContext\.(runAsNonRoot|allowPrivilegeEscalation|readOnlyRootFilesystem)$/, "flip"],
  [/^kubernetes:/, /securityContext\.privileged$/, true],
  [/^kubernetes:/, /securityContext\.runAsUser$/, 0],
  [/^kubernetes:/, /securityContext\.capabilities$/, undefined],
  [/^kubernetes:/, /capabilities\.drop$/, []],
  [/^kubernetes:/, /securityContext\.seccompProfile$/, undefined],
  [/^kubernetes:/, /seccompProfile\.type$/, "Unconfined"],
  [/^kubernetes:/, /containers\[\d+\]\.resources\.(limits|requests)\.(cpu|memory)$/i, undefined],
  [/^kubernetes:/, /template\.spec\.automountServiceAccountToken$/, undefined],
  [/^kubernetes:/, /automountServiceAccountToken$/, "flip-false"],
  [/^kubernetes:apps/, /(livenessProbe|readinessProbe)$/, undefined],
  [/^kubernetes:apps/, /containers\[\d+\]\.lifecycle$/, undefined],
  [/^kubernetes:/, /ontainers\[\d+\]\.image$/, BAD_IMAGE],
  [/^kubernetes:/, /(?:template|jobTemplate\.spec\.template)\.spec$/, "hostNetwork"],
  [/^kubernetes:/, /(?:template|jobTemplate\.spec\.template)\.spec$/, "hostPID"],
  [/^kubernetes:/, /(?:template|jobTemplate\.spec\.template)\.spec$/, "hostIPC"],
  [/^kubernetes:/, /ontainers\[\d+\]\.env$/, "literal"],
  [/^kubernetes:/, /capabilities\.drop$/, ["NET_RAW"]],
  [/^kubernetes:/, /ontainers\[\d+\]\.ports\[\d+\]$/, "hostPort"],
  [/^kubernetes:/, /template\.spec\.volumes\[\d+\]$/, { name: "host", hostPath: { path: "/run" } }],
  // Kubernetes: objects
  [/:Namespace$/, /pod-security\.kubernetes\.io\/enforce"\]$/, "privileged"],
  [/:NetworkPolicy$/, /\.(to|from)$/, undefined],
  [/:NetworkPolicy$/, /(ingress|egress)\[\d+\]\.ports$/, undefined],
  [/:NetworkPolicy$/, /ipBlock\.except$/, undefined],
  [/:Service$/, /spec\.type$/, "LoadBalancer"],
  [/:Service$/, /spec\.type$/, "NodePort"],
  [/:Gateway$/, /allowedRoutes\.namespaces\.from$/, "All"],
  [/:RoleBinding$/, /roleRef\.name$/, "cluster-admin"],
  [/:Gateway$/, /listeners\[\d+\]\.tls$/, undefined],
  [/:PodDisruptionBudget$/, /spec\.minAvailable$/, 0],
  [/:Role$/, /rules\[\d+\]\.(verbs|resources)$/, ["*"]],
  // Docker
  [/container:Container$/, /^user$/, "0:0"],
  [/container:Container$/, /^privileged$/, true],
  [
    /container:Container$/,
    /^(user|capabilities|securityOpts|memory|memorySwap|cpus|ulimits|healthcheck|logOpts)$/,
    undefined,
  ],
  [/container:Container$/, /^readOnly$/, "flip-true"],
  [/container:Container$/, /^restart$/, "always"],
  [/container:Container$/, /^maxRetryCount$/, 0],
  [/container:Container$/, /^ports\[\d+\]\.ip$/, "0.0.0.0"],
  [/container:Container$/, /^networkMode$/, "host"],
  [/container:Container$/, /^(securityOpts|capabilities\.drops)$/, []],
  [/container:Container$/, /^healthcheck\.tests$/, ["NONE"]],
  [/container:Container$/, /^envs$/, "literal-envs"],
  [/container:Container$/, /^volumes\[\d+\]$/, { hostPath: "/var/run/docker.sock", containerPath: "/run/docker.sock" }],
  [/remoteImage:RemoteImage$/, /^name$/, BAD_IMAGE],
  // Service levels
  [/:ConfigMap$|container:Container$/, /^data\["(prometheus|rules)\.yml"\]$/, ""],
  [/:Deployment$/, /spec\.topologySpreadConstraints$/, undefined],
  // Backups
  [/:CronJob$/, /^spec\.schedule$/, "0 2 1 * *"],
  [/:CronJob$/, /^spec\.(timeZone|concurrencyPolicy)$/, undefined],
  [/:CronJob$/, /^spec$/, "suspend"],
  [/:CronJob$/, /env\[\d+\]$/, "unset-backup"],
  [/container:Container$/, /^envs\[\d+\]$/, "unset-backup"],
  [/^exai:database:/, /^(walArchiving|pointInTimeRecovery)$/, "flip-true"],
  [/^exai:monitoring:/, /^(withoutBackup|withoutScrape)$/, undefined],
  [/BackupSchedule$/, /^schedule$/, "0 2 1 * *"],
  [/BackupSchedule$/, /^retentionDays$/, 3],
  [/BackupSchedule$/, /^timeZone$/, undefined],
];

/** What some of the weaker values add to the object or list that is there. */
const ADDED: Readonly<Record<string, Inputs | string>> = {
  hostNetwork: { hostNetwork: true },
  hostPID: { hostPID: true },
  hostIPC: { hostIPC: true },
  hostPort: { hostPort: 8080 },
  suspend: { suspend: true },
  literal: { name: "API_KEY", value: "not-a-path-but-a-key" },
  "literal-envs": "API_KEY=not-a-path-but-a-key",
};

let killed = 0;
let total = 0;
const survivors: string[] = [];
const tally = (name: string, dead: boolean) => {
  total += 1;
  if (dead) killed += 1;
  else survivors.push(name);
};

for (const stack of wanted.filter((name) => name !== "database")) {
  const before = [killed, total] as const;
  const graph = await capture(stack, stackFileSource(ROOT, stack, { defers: true }));
  const baseline = findings(graph);
  for (const mutant of mutants(graph))
    tally(
      `${stack}: ${mutant.name}`,
      [...findings(mutant.graph)].some((finding) => !baseline.has(finding)),
    );
  console.log(`${stack}: ${killed - before[0]} / ${total - before[1]} killed`);
}
if (wanted.includes("database")) await mutateDatabase();

console.log(`${killed} / ${total} killed`);
for (const survivor of survivors) console.log(`survived: ${survivor}`);
process.exitCode = survivors.length === 0 ? 0 : 1;

/** What the rules say of a graph: violations, advisories, and rules without a judgement. */
function findings(graph: ResourceGraph, database: Database | Error = new Error("left out")): Set<string> {
  const rules = RULES.filter((rule) =>
    database instanceof Error ? rule.scope !== "database" : rule.scope === "database",
  );
  return new Set(
    evaluate(rules, { graph, environment: environmentOf(graph) }, database).flatMap((outcome) => [
      ...outcome.findings.map(
        ({ policy, place, message }) =>
          `${policy} ${place.resource?.urn ?? place.object ?? ""} ${place.path} ${message}`,
      ),
      ...(outcome.inconclusive === undefined ? [] : [`${outcome.rule.name} ${outcome.inconclusive}`]),
    ]),
  );
}

function* mutants(graph: ResourceGraph): Generator<Mutant> {
  for (const resource of graph.resources) {
    const put = (changed: Resource | undefined): ResourceGraph => ({
      ...graph,
      resources: graph.resources.flatMap((other) =>
        other !== resource ? [other] : changed === undefined ? [] : [changed],
      ),
    });
    for (const [path, value] of placesOf(resource.inputs)) {
      const text = dotted(path);
      for (const [type, pattern, weaker] of FIELDS) {
        if (!type.test(resource.type) || !pattern.test(text)) continue;
        const worse = weakened(value, weaker);
        if (worse === value) continue;
        yield {
          name: `${resource.name} ${text} = ${worse === undefined ? "removed" : JSON.stringify(worse)}`,
          graph: put({ ...resource, inputs: altered(resource.inputs, path, worse) as Inputs }),
        };
      }
      const mustBeSecret = /^(kubernetes:core\/v1:Secret|docker:|supabase:|pulumi:providers:)/.test(resource.type);
      if (value instanceof Secret && mustBeSecret)
        yield {
          name: `${resource.name} ${text} without its secret mark`,
          graph: put({ ...resource, inputs: altered(resource.inputs, path, value.value) as Inputs }),
        };
    }
    if (resource.options.protect)
      yield {
        name: `${resource.name} without protect`,
        graph: put({ ...resource, options: { ...resource.options, protect: false } }),
      };
    // Only what a provider makes up has to be named: an output that comes of a secret input is secret with it.
    if (resource.type.startsWith("random:") && resource.options.additionalSecretOutputs.length > 0)
      yield {
        name: `${resource.name} without additionalSecretOutputs`,
        graph: put({ ...resource, options: { ...resource.options, additionalSecretOutputs: [] } }),
      };
    if (resource.options.ignoreChanges.length > 0)
      yield {
        name: `${resource.name} without ignoreChanges`,
        graph: put({ ...resource, options: { ...resource.options, ignoreChanges: [] } }),
      };
    if (resource.name === "platform-default-deny")
      for (const only of ["Ingress", "Egress"])
        yield {
          name: `${resource.name} for ${only} alone`,
          graph: put({ ...resource, inputs: altered(resource.inputs, ["spec", "policyTypes"], [only]) as Inputs }),
        };
    if (
      /BackupSchedule$|:PodDisruptionBudget$|:CronJob$/.test(resource.type) ||
      resource.name === "platform-default-deny" ||
      /^server-(blue|green)$/.test(resource.name)
    )
      yield { name: `without ${resource.name}`, graph: put(undefined) };
  }
}

function weakened(value: Value, weaker: Value | undefined): Value | undefined {
  if (weaker === "flip") return typeof value === "boolean" ? !value : value;
  if (weaker === "flip-false") return value === false ? true : value;
  if (weaker === "flip-true") return value === true ? false : value;
  if (weaker === "unset-backup")
    return /(RESTIC_PASSWORD_FILE|RESTIC_REPOSITORY|BACKUP_PASSPHRASE_FILE)/.test(JSON.stringify(value))
      ? undefined
      : value;
  const added = typeof weaker === "string" ? ADDED[weaker] : undefined;
  if (added === undefined) return weaker;
  if (Array.isArray(value)) return [...(value as readonly Value[]), added];
  return typeof value === "object" && value !== null && !(value instanceof Secret)
    ? { ...(value as Inputs), ...(added as Inputs) }
    : value;
}

/**
 * Weakens statements of the migrations, in rounds: each round takes one mutant of every table, which do not touch each
 * other, so that a database is built per round and not per mutant. A mutant counts as killed by a finding that names
 * its own table.
 */
async function mutateDatabase(): Promise<void> {
  const folder = `${ROOT}supabase/migrations/`;
  const at = (file: string): SqlFile => ({ file, text: readFileSync(`${ROOT}${file}`, "utf8") });
  const files = readdirSync(folder)
    .filter((name) => name.endsWith(".sql"))
    .sort()
    .map((name) => at(`supabase/migrations/${name}`));
  const prelude = at("supabase/prelude.sql");
  const empty: ResourceGraph = { project: "exai", stack: "prod", resources: [], outputs: {} };
  const sound = await read(prelude, files);
  const baseline = findings(empty, sound);
  const start = [killed, total] as const;

  const queues = new Map<string, { name: string; sql: string }[]>();
  const add = (table: string, name: string, sql: string) => {
    queues.set(table, [...(queues.get(table) ?? []), { name, sql }]);
  };
  for (const table of sound.tables) {
    add(table.name, "row-level security off", `alter table ${table.name} disable row level security;`);
    add(table.name, "row-level security not forced", `alter table ${table.name} no force row level security;`);
    add(table.name, "granted to anon", `grant select on ${table.name} to anon;`);
    add(table.name, "truncate for users", `grant truncate on ${table.name} to authenticated;`);
  }
  for (const policy of sound.policies) {
    if (!policy.roles.some((role) => role === "authenticated" || role === "anon" || role === "public")) continue;
    const name = policy.name.replace(`${policy.table} `, "");
    for (const [clause, expression] of [["using", policy.using] as const, ["with check", policy.check] as const])
      if (expression !== undefined) {
        add(policy.table, `${name}: ${clause} (true)`, `alter policy ${name} on ${policy.table} ${clause} (true);`);
        add(
          policy.table,
          `${name}: ${clause} any signed-in user`,
          `alter policy ${name} on ${policy.table} ${clause} ((select auth.uid()) is not null);`,
        );
      }
  }
  for (const view of sound.views)
    add(view.name, "with its owner's rights", `alter view ${view.name} set (security_invoker = false);`);

  for (const made of sound.functions.filter(({ trigger }) => !trigger)) {
    const each = (statement: string) =>
      `do $$ declare f regprocedure; begin for f in select p.oid from pg_proc p join pg_namespace n on n.oid = p.pronamespace where n.nspname || '.' || p.proname = '${made.name}' loop execute format('${statement}', f); end loop; end $$;`;
    add(made.name, "executable by PUBLIC", each("grant execute on function %s to public"));
    add(made.name, "with its caller's search_path", each("alter function %s reset search_path"));
    // A function that reads its caller's rows, or his token alone, gives him nothing by them (docs/adr/0100).
    if (made.ownRows === true) continue;
    add(
      made.name,
      "with its owner's rights, for users",
      `${each("alter function %s security definer")} grant usage on schema ${made.name.split(".")[0] ?? ""} to authenticated; ${each("grant execute on function %s to authenticated")}`,
    );
  }
  for (const role of ["anon", "authenticated"])
    add(`role ${role}`, "may become service_role", `grant service_role to ${role};`);

  const rounds = Math.max(...[...queues.values()].map((queue) => queue.length));
  for (let round = 0; round < rounds; round += 1) {
    const mutated = [...queues].flatMap(([table, queue]) =>
      queue[round] === undefined ? [] : [{ table, ...queue[round] }],
    );
    const weaker = {
      file: "supabase/migrations/99999999999999_mutants.sql",
      text: `set lock_timeout = '5s';\n${mutated.map(({ sql }) => sql).join("\n")}`,
    };
    const fresh = [...findings(empty, await read(prelude, [...files, weaker]))].filter(
      (finding) => !baseline.has(finding),
    );
    for (const { table, name } of mutated)
      tally(
        `database: ${table} ${name}`,
        fresh.some((finding) => finding.includes(table)),
      );
  }
  console.log(`database: ${killed - start[0]} / ${total - start[1]} killed, in ${rounds} rounds`);
}

function* placesOf(value: Value, path: Path = []): Generator<readonly [Path, Value]> {
  if (path.length > 0) yield [path, value];
  if (value instanceof Secret || typeof value !== "object" || value === null) return;
  if (Array.isArray(value))
    for (const [index, item] of (value as readonly Value[]).entries()) yield* placesOf(item, [...path, index]);
  else if (Object.getPrototypeOf(value) === Object.prototype)
    for (const [key, item] of Object.entries(value as Inputs)) yield* placesOf(item, [...path, key]);
}

function altered(root: Value, path: Path, value: Value | undefined): Value {
  const [head, ...rest] = path;
  if (head === undefined) return value ?? null;
  if (Array.isArray(root))
    return (root as readonly Value[]).flatMap((item, index) =>
      index !== head ? [item] : rest.length === 0 && value === undefined ? [] : [altered(item, rest, value)],
    );
  const object = root as Inputs;
  if (rest.length === 0 && value === undefined)
    return Object.fromEntries(Object.entries(object).filter(([key]) => key !== head));
  return { ...object, [head]: altered(object[String(head)] ?? null, rest, value) };
}

function dotted(path: Path): string {
  return path.reduce<string>(
    (text, key) =>
      typeof key === "number"
        ? `${text}[${key}]`
        : /^\w+$/.test(key)
          ? text === ""
            ? key
            : `${text}.${key}`
          : `${text}[${JSON.stringify(key)}]`,
    "",
  );
}
