import type { Rule } from "../model/rule.ts";
import { LONGEST_DAYS, WAIVERS_FILE } from "../model/waivers.ts";

const INTRODUCTION = `# Policies

Every rule of the pack, generated from \`policies/\`; a test holds this page against the rules
(\`npx vitest run tests/policies/handbook.test.ts -u\` writes it anew).

## Three lanes, one pack

| lane | command | needs | when |
| --- | --- | --- | --- |
| pull request | \`./exai plan staging prod\` | nothing: no engine, credentials, cluster or state | every push |
| engine | \`pulumi preview --policy-pack policies\`, \`pulumi up --policy-pack policies\` | the Pulumi CLI | before and during a deployment |
| audit | \`./exai audit STACK\`, or \`--state FILE\` | the engine's state, or a file of \`pulumi stack export\` | after a deployment |

Exit codes: 0 clean, 1 violations, 2 something could not be judged. \`--format markdown\` is the comment of a pull request,
\`--format sarif\` is for code scanning, and \`policies/report/plan.schema.json\` describes \`--format json\`.

## Unknown values

A value that only the engine will know is neither a pass nor a violation. A rule says what it then does: *defer* lists the
place, and the engine lane or the audit proves it once the value is there; *fail* means that the program has no reason to
leave it open. An unknown value on one path hides no finding on another.

A state file keeps secrets encrypted, so that the audit still lists a place or two whose whole value is one; an export with
\`--show-secrets\` proves those as well, and is a secret itself.

A rule that found nothing to look at fails the stack, unless it says why that is right.

## Not judged

- Signatures and bills of materials of images themselves: they are in a registry. What is judged is that the stack has the
  cluster verify them ([ADR 0004](adr/0004-plan-without-credentials.md)).
- Whether a restore works, and how long it takes: \`backup-restore-drills\` tells that no drill is declared.

## Waivers

\`${WAIVERS_FILE}\` lists exceptions: one rule, one stack, one resource or component, a reason, an owner, and a last day at most
${LONGEST_DAYS} days ahead (\`policies/model/waivers.schema.json\`). A malformed one stops the judgement; one that has expired, or that
nothing needs any more, is a violation itself. Every use is reported, and is a suppression in SARIF.

## The database

The rules about row-level security apply \`supabase/prelude.sql\` and all migrations to a PostgreSQL of their own: PGlite, or a
new database on the server that EXAI_POSTGRES_URL names (a superuser's URL; the database is dropped afterwards). Each statement
runs in a transaction of its own, and the catalog's rows then tell which statement wrote them: that is where the file and the
line of a finding come from. The result is kept under \`.exai/cache/plan\` by a hash over every SQL file, the code that reads it
and PGlite's version, so a second plan over the same files reads it from there and says so.
`;

/** `docs/policies.md`: how the policies are judged, and every rule with its reasons. */
export function handbook(rules: readonly Rule[]): string {
  const rows = rules.map((rule) => `| [${rule.name}](#${rule.name}) | ${levelText(rule)} | ${rule.title} |`);
  const overview = [
    "## Overview",
    "",
    `${rules.length} rules.`,
    "",
    "| rule | level | what must hold |",
    "| --- | --- | --- |",
    ...rows,
    "",
  ];
  return [INTRODUCTION, ...overview, "## Rules", "", ...rules.flatMap(section)].join("\n");
}

function section(rule: Rule): string[] {
  const looks = {
    resource: "single resources, before they are created",
    stack: "all resources of a stack together",
    database: "the database after all migrations",
  }[rule.scope];
  return [
    `### ${rule.name}`,
    "",
    `${rule.title}.`,
    "",
    rule.documentation,
    "",
    `- Level: ${levelText(rule)}`,
    `- Looks at: ${looks}`,
    `- Unknown values: ${rule.onUnknown}`,
    ...(rule.only === undefined ? [] : [`- Only in ${rule.only.environments.join(" and ")}: ${rule.only.reason}`]),
    `- References: ${rule.references.map(({ standard, item }) => `${standard} (${item})`).join("; ")}`,
    "",
  ];
}

function levelText(rule: Rule): string {
  const differing = Object.entries(rule.levelIn ?? {}).map(([environment, level]) => `${level} in ${environment}`);
  return [rule.level, ...differing].join(", ");
}
