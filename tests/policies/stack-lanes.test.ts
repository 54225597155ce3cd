import { cpSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { audit } from "../../cli/commands/audit.ts";
import { runVerb } from "../support/verbs.ts";
import { projectExceptions } from "../../cli/commands/plan.ts";
import type { ResourceGraph } from "../../contract/graph.ts";
import { readDatabase } from "../../policies/database/read.ts";
import { judgeStack, type StackReport } from "../../policies/report/model.ts";
import { RULES } from "../../policies/rules/index.ts";
import { capture } from "../../synth/capture.ts";
import { stackFileSource } from "../../synth/stack-file.ts";
import { Analyzer, stateOf, type Diagnostic } from "./analyzer.ts";
import { faultyStack } from "./faulty-stack.ts";

const ROOT = fileURLToPath(new URL("../..", import.meta.url));
const WEAKER = `set lock_timeout = '5s';
create table public.notes (id bigint primary key, user_id uuid not null, body text);
alter table public.notes enable row level security;
grant select, insert on public.notes to authenticated;
create policy all_users on public.notes for select to authenticated using (length(coalesce(body, '')) >= 0);
create function public.callable() returns int language sql security definer as $$ select 1 $$;
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

/** The findings and the inconclusive rules of a report. */
function linesOf(report: StackReport): string[] {
  return [
    ...report.findings.map(({ policy, subject, path, message }) => `${policy}: ${place(subject, path)}: ${message}`),
    ...report.rules.flatMap(({ policy, inconclusive }) =>
      inconclusive === undefined ? [] : [`${policy}: inconclusive`],
    ),
  ].sort();
}

/** The same from diagnostics, whose last line is `[file:line: ]place: message (fix: …)`. */
function engineLines(said: readonly Diagnostic[]): string[] {
  return said
    .map(({ policy, message }) => {
      const [, inconclusive] = /^(\S+) found nothing to check/m.exec(message) ?? [];
      if (policy === "pack-coverage") return `${inconclusive ?? message}: inconclusive`;
      if (/^inconclusive/m.test(message)) return `${policy}: inconclusive`;
      const ours = message.split("\n").findLast((line) => line.includes(" (fix: ")) ?? message;
      return `${policy}: ${ours.replace(/^\S+:\d+: /, "").replace(/ \(fix: .*$/, "")}`;
    })
    .sort();
}

function place(subject: string, path: string): string {
  return path === "" ? subject : `${subject} ${path}`;
}

describe("all lanes", () => {
  const root = mkdtempSync(join(tmpdir(), "exai-lanes-"));
  let sound: ResourceGraph;

  beforeAll(async () => {
    // A separate project whose database has faults, and a pack that reads it.
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
  });

  afterAll(() => {
    rmSync(root, { recursive: true, force: true });
  });

  it.each([
    ["free of faults", (graph: ResourceGraph) => graph],
    ["faulty", faultyStack],
  ] as const)(
    "agree about a stack that is %s: resources, stack and database",
    async (name, change) => {
      const graph = change(sound);
      const report = judgeStack(RULES, graph, await readDatabase(root), projectExceptions(root));
      const plan = linesOf(report);
      const rules = new Set(report.findings.map(({ policy }) => policy));
      if (name === "faulty") expect([...rules]).toEqual(expect.arrayContaining(MUST_SEE));

      const state = join(root, "state.json");
      writeFileSync(state, stateOf(graph.resources));
      const { text } = await runVerb(audit(undefined, {}, { root, state, format: "json" }));
      const [stack] = (JSON.parse(text) as { stacks: StackReport[] }).stacks;
      expect(stack === undefined ? [] : linesOf(stack)).toEqual(plan);

      const pack = await Analyzer.start(join(root, "policies"));
      try {
        const said: Diagnostic[] = [];
        for (const one of graph.resources) said.push(...(await pack.resource(one)));
        said.push(...(await pack.stack(graph.resources)));
        expect(engineLines(said)).toEqual(plan);
      } finally {
        pack.stop();
      }
    },
    180_000,
  );
});
