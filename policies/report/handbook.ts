import { command, type Command } from "../../contract/fix.ts";
import type { Rule } from "../model/rule.ts";
import { KINDS_FILE } from "../model/kinds.ts";
import { LONGEST_DAYS, WAIVERS_FILE } from "../model/waivers.ts";

const introduction = (write: (command: Command) => string) => `# Policies

All rules of the pack. This page is generated from \`policies/\`; a test compares it with the rules
(\`npx vitest run tests/policies/handbook.test.ts -u\` generates it again).

## Four lanes, one pack

| lane | command | needs | when |
| --- | --- | --- | --- |
| pull request | \`${write(command("plan staging prod"))}\` | nothing: no engine, credentials, cluster or state | on every push |
| engine | \`pulumi preview --policy-pack policies\`, \`pulumi up --policy-pack policies\` | the Pulumi CLI | before and during a deployment |
| program | \`pulumi preview\`, \`pulumi up\`, without the pack: the mandatory rules | the Pulumi CLI | where the pack is not named |
| audit | \`${write(command("audit STACK"))}\`, or \`--state FILE\` | the state of the engine, or a file from \`pulumi stack export\` | after a deployment |

Exit codes: 0 clean, 1 violations, 2 inconclusive. \`--format markdown\` is for comments on pull requests, \`--format sarif\` is
for code scanning, and \`policies/report/plan.schema.json\` describes \`--format json\`.

## Unknown values

A value that is known only after apply is neither a pass nor a violation. Each rule declares how it treats it: *defer* lists
the place, and the engine lane or the audit checks it when the value is known; *fail* reports a finding, because the program
has no reason to leave the value unknown. An unknown value at one path does not hide a finding at another.

A state file contains encrypted secrets, so the audit also defers places whose value is a secret. An export with
\`--show-secrets\` allows the audit to check them, but is itself a secret.

A rule that finds nothing to check is inconclusive, unless it declares that it does not apply to the stack.

## Not checked

- Signatures and bills of materials themselves, which are in a registry. The rules check that the stack makes the cluster
  verify them ([ADR 0004](adr/0004-plan-without-credentials.md)).
- Whether a restore works, and how long it takes. \`backup-restore-drills\` reports that no drill is declared.

## Waivers

\`${WAIVERS_FILE}\` lists exceptions. Each one has a rule, a stack, a resource or component, a reason, an owner, and an expiry
date at most ${LONGEST_DAYS} days from today (\`policies/model/waivers.schema.json\`). A malformed waiver is an error; an expired or
unused one is a violation. The report lists every use, in SARIF as a suppression.

## Kinds that no rule understands

A resource of a kind that no rule understands is a violation (\`unknown-kind\`), and so is an option of a container, network, volume
or image that no rule understands (\`docker-options\`): see [ADR 0061](adr/0061-a-closed-world-of-kinds-and-options.md).
\`${KINDS_FILE}\` names the kinds that a stack needs nevertheless: each entry has a type, the stacks and a reason
(\`policies/model/kinds.schema.json\`). A malformed entry is an error, and an entry that no resource of its stack needs is a
violation. The report lists every use. Pods, containers and host paths inside of a declared kind are still judged.

A \`ConfigGroup\` or \`ConfigFile\` is judged as the objects that it contains if all of them can be read: literal YAML, and files of
the project. A chart, a Kustomize directory or a URL cannot be read without other programs or a network. Write its rendered objects
into a file of the project, or declare the kind.

## The database

The rules about the database apply \`supabase/prelude.sql\` and all migrations to a scratch PostgreSQL: PGlite, or a new database
on the server of EXAI_POSTGRES_URL (a superuser's URL; the database is dropped afterwards). Files are
applied as the Supabase CLI applies them: in the order of their versions, split by its tokenizer, each in one transaction with
the CLI's exceptions ([ADR 0058](adr/0058-migrations-are-judged-as-the-cli-applies-them.md)). Each statement has a savepoint, so
that the rows of the catalog show which statement wrote them; this gives the file and line of a finding. A statement that is not
accepted is a finding of \`migration-applies\`, and the other rules judge the database without it. The
results are cached under \`.exai/cache/plan\`, by a hash over all SQL files, the code that reads them and PGlite's version. A
plan that uses cached results says so. The graph of a stack is kept there too, by a hash over the program, its settings and what its
providers read from the environment ([ADR 0098](adr/0098-graphs-of-unchanged-programs-are-kept.md)).

## Row-level security

Two judges check the policies. The proof (\`rls-proved\`) reads them: every way in which a policy lets a row through must tie the
row to the caller ([ADR 0055](adr/0055-row-security-is-proved.md)). The probes (\`rls-policies-bound\`, \`rls-isolation\`) run them
with rows of two users. \`rls-judges-agree\` reports where the two differ.

What is meant to be open is declared in the comment of the table, one line for each declaration:

\`\`\`sql
comment on table public.articles is 'Articles of users.
readable by anyone when status = ''published''';
\`\`\`

| part | values |
| --- | --- |
| verbs | \`readable\`, \`insertable\`, \`updatable\`, \`deletable\`, \`writable\` (the last three together), joined by \`and\` |
| after \`by\` | \`anyone\`, or API roles joined by \`and\`: \`anon\`, \`authenticated\` |
| after \`when\` | a SQL condition on the row; without it, all rows are open |

Only Supabase may comment on its own tables. For them, the line stands in a migration:

\`\`\`sql
-- storage.objects: readable by anyone when bucket_id = 'avatars'
\`\`\`

A policy may admit less than the declaration, not more: each alternative of the policy must contain all conditions of the
declaration, as PostgreSQL prints them. One for \`anon\` also declares the privilege. The report lists all declarations, those of
settings of the Supabase CLI included (\`# declared: REASON\`, see [supabase-config](#supabase-config)).
`;

/** `docs/policies.md`: how the rules are applied, and every rule with its reason. `write` writes a command of the CLI. */
export function handbook(rules: readonly Rule[], write: (command: Command) => string): string {
  const rows = rules.map((rule) => `| [${rule.name}](#${rule.name}) | ${levelText(rule)} | ${rule.title} |`);
  const overview = [
    "## Overview",
    "",
    `${rules.length} rules.`,
    "",
    "| rule | level | requirement |",
    "| --- | --- | --- |",
    ...rows,
    "",
  ];
  return [introduction(write), ...overview, "## Rules", "", ...rules.flatMap(section)].join("\n");
}

function section(rule: Rule): string[] {
  const checks = {
    resource: "each resource, before it is created",
    stack: "all resources of the stack together",
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
    `- Checks: ${checks}`,
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
