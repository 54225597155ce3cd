import { cpSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { audit } from "../../cli/verbs/audit.ts";
import { projectWaivers } from "../../cli/verbs/plan.ts";
import type { ResourceGraph } from "../../contract/graph.ts";
import { readDatabase } from "../../policies/database/read.ts";
import { judgeStack, type StackReport } from "../../policies/report/model.ts";
import { RULES } from "../../policies/rules/index.ts";
import { capture } from "../../synth/capture.ts";
import { stackFileSource } from "../../synth/stack-file.ts";
import { Analyzer, stateOf, type Diagnostic } from "./analyzer.ts";
import { spoilt } from "./spoilt.ts";

const ROOT = fileURLToPath(new URL("../..", import.meta.url));
const WEAKER = `set lock_timeout = '5s';
create table public.notes (id bigint primary key, user_id uuid not null, body text);
alter table public.notes enable row level security;
grant select, insert on public.notes to authenticated;
create policy anyone on public.notes for select to authenticated using (length(coalesce(body, '')) >= 0);
create function public.anybody() returns int language sql security definer as $$ select 1 $$;
`;

const MUST_SEE = [
  "backup-retention",
  "backup-schedules",
  "function-public-grants",
  "kubernetes-host-namespaces",
  "network-default-deny",
  "protected-data",
  "rls-definer-functions",
  "rls-forced",
  "rls-policies-bound",
  "rollout-weights",
  "workload-disruption-budgets",
];

/** What a report finds, and which rules gave no judgement. */
function sayings(report: StackReport): string[] {
  return [
    ...report.findings.map(({ policy, subject, path, message }) => `${policy}: ${place(subject, path)}: ${message}`),
    ...report.rules.flatMap(({ policy, inconclusive }) =>
      inconclusive === undefined ? [] : [`${policy}: no judgement`],
    ),
  ].sort();
}

/** The same of what the engine is told: a text of the SDK's, whose last line is ours, `[file:line: ]place: message (fix: …)`. */
function engineSayings(said: readonly Diagnostic[]): string[] {
  return said
    .map(({ policy, message }) => {
      const [, inconclusive] = /^(\S+) found nothing to look at/m.exec(message) ?? [];
      if (policy === "pack-coverage") return `${inconclusive ?? message}: no judgement`;
      if (/^no judgement/m.test(message)) return `${policy}: no judgement`;
      const ours = message.split("\n").findLast((line) => line.includes(" (fix: ")) ?? message;
      return `${policy}: ${ours.replace(/^\S+:\d+: /, "").replace(/ \(fix: .*$/, "")}`;
    })
    .sort();
}

function place(subject: string, path: string): string {
  return path === "" ? subject : `${subject} ${path}`;
}

describe("the lanes about a whole stack", () => {
  const root = mkdtempSync(join(tmpdir(), "exai-lanes-"));
  let sound: ResourceGraph;

  beforeAll(async () => {
    // A project of its own, whose database has faults, and a pack that reads that project.
    cpSync(join(ROOT, "supabase"), join(root, "supabase"), { recursive: true });
    writeFileSync(join(root, "supabase/migrations/99999999999999_weaker.sql"), WEAKER);
    mkdirSync(join(root, "policies"));
    cpSync(join(ROOT, "policies/waivers.yaml"), join(root, "policies/waivers.yaml"));
    for (const file of ["PulumiPolicy.yaml", "package.json"])
      cpSync(join(ROOT, "policies", file), join(root, "policies", file));
    writeFileSync(
      join(root, "policies/pack.cjs"),
      `import(${JSON.stringify(new URL("../../policies/pack/pack.ts", import.meta.url).href)}).then((pack) => pack.servePack(undefined, ${JSON.stringify(root)}));`,
    );
    sound = await capture("prod", stackFileSource(ROOT, "prod", { defers: true }));
  }, 60_000);

  afterAll(() => {
    rmSync(root, { recursive: true, force: true });
  });

  it.each([
    ["sound", (graph: ResourceGraph) => graph],
    ["spoilt", spoilt],
  ] as const)(
    "agree about one that is %s: resources, stack and database",
    async (name, change) => {
      const graph = change(sound);
      const report = judgeStack(RULES, graph, await readDatabase(root), projectWaivers(root).waivers);
      const plan = sayings(report);
      const rules = new Set(report.findings.map(({ policy }) => policy));
      if (name === "spoilt") expect([...rules]).toEqual(expect.arrayContaining(MUST_SEE));

      const state = join(root, "state.json");
      writeFileSync(state, stateOf(graph.resources));
      let audited = "";
      for await (const event of audit(undefined, {}, { root, state, format: "json" }))
        if (event.type === "text") audited += event.text;
      const [stack] = (JSON.parse(audited) as { stacks: StackReport[] }).stacks;
      expect(stack === undefined ? [] : sayings(stack)).toEqual(plan);

      const pack = await Analyzer.start(join(root, "policies"));
      try {
        const said: Diagnostic[] = [];
        for (const one of graph.resources) said.push(...(await pack.resource(one)));
        said.push(...(await pack.stack(graph.resources)));
        expect(engineSayings(said)).toEqual(plan);
      } finally {
        pack.stop();
      }
    },
    180_000,
  );
});
