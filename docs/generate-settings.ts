import { writeFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { format, resolveConfig } from "prettier";
import { ENVIRONMENTS, fallbackOf, type Setting } from "../stacks/settings/setting.ts";
import { SETTINGS } from "../stacks/settings/table.ts";

/** The page that {@link settingsPage} is the content of. */
export const SETTINGS_PAGE = fileURLToPath(new URL("settings.md", import.meta.url));

/** What a setting's description ends with where only some stacks read it. */
const SCOPES = [
  { title: "Every stack", suffix: "" },
  { title: "Only `local`", suffix: "; local only" },
  { title: "Only `staging` and `prod`", suffix: "; clusters only" },
] as const;

const INTRODUCTION = `# Settings

Generated from \`stacks/settings/keys\` by \`node docs/generate-settings.ts\`; a test compares the two.

Keys are \`exai:<key>\` in \`Pulumi.<stack>.yaml\`.

- \`local\`: edit \`Pulumi.local.yaml\`; or give values to \`up\`: \`./exai up --set httpPort=8090\`. They become a part of the stack:
  each later command and \`up\` uses them, \`./exai status\` lists them, and \`./exai up --set httpPort=\` returns to the
  value of the file. With another command than \`up\`, \`--set\` is for one run. \`instance\` and \`homeDirectory\` say which
  stack it is, so each command needs them. The values are in \`overrides.json\` in the stack's folder, until
  \`./exai down --volumes\`.
- On a cluster, \`--set\` is for one run.
- \`staging\`, \`prod\`: \`pulumi config set --stack prod exai:<key> <value>\`, with \`--secret\` for a secret.
- \`./exai env <stack>\` prints what the server gets, secrets masked; \`./exai env <stack> --example\` prints an
  \`.env.example\`.

What nothing would read is refused: unknown keys of any namespace, keys without \`exai:\`, and keys outside of \`config:\`.
The file is read as the engine reads it ([ADR 0064](adr/0064-stack-files-as-the-engine-reads-them.md)): with merge keys and with the
values of \`Pulumi.yaml\`. A value without quotes that the engine would replace is refused: \`1.10\` becomes the number 1.1.
A secret in plain text is refused, also in other values, such as a password in a URL. What an imported environment
(\`environment:\`) sets is known to the engine alone; the message about a missing value names the import.
An empty string, or nothing, counts as "not set" ([ADR 0012](adr/0012-one-table-of-settings.md)). A value that is refused stops
everything before the first resource, with the key, the reason and the command that fixes it.

Rules that need more than one setting: ports on this machine differ from each other; \`wsPort\` is not 8080, and on a cluster none of 8073 to 8078; \`staging\` and
\`prod\` need \`image\`, or \`buildContext\` with \`buildRepository\`, and take images by digest alone; \`productionUrl\` is
\`https:\` in \`prod\`; \`jwtSecretPrevious\` differs from \`jwtSecret\`; \`rolloutWebhook\` needs \`rolloutWebhookSecret\`, and a \`url\` in \`rolloutHooks\` needs \`rolloutHookSecret\`; \`simpleToolTimeout\` is at most \`workflowToolTimeout\`.
`;

/** The page of all settings, in Markdown as prettier writes it. */
export async function settingsPage(): Promise<string> {
  const settings: readonly (readonly [string, Setting])[] = Object.entries(SETTINGS);
  const sections = SCOPES.map(({ title, suffix }) => {
    const own = settings.filter(([, setting]) => scopeOf(setting) === suffix);
    const rows = own.map(([key, setting]) => row(key, setting, suffix));
    return [`## ${title}`, "", "| key | what it is | default | required in | secret |", "|-|-|-|-|-|", ...rows].join(
      "\n",
    );
  });
  const config = await resolveConfig(SETTINGS_PAGE);
  return format([INTRODUCTION, ...sections].join("\n\n"), { ...config, parser: "markdown" });
}

function scopeOf(setting: Setting): string {
  return SCOPES.find(({ suffix }) => suffix !== "" && setting.about.endsWith(suffix))?.suffix ?? "";
}

function row(key: string, setting: Setting, suffix: string): string {
  const about = setting.about.slice(0, setting.about.length - suffix.length);
  const cells = [
    `\`${key}\``,
    about,
    defaultOf(setting),
    (setting.required ?? []).map((environment) => `\`${environment}\``).join(", "),
    setting.secret === true ? "yes" : "",
  ];
  return `| ${cells.map((cell) => cell.replaceAll("|", "\\|")).join(" | ")} |`;
}

/** One value where all environments agree, else each with its own. */
function defaultOf(setting: Setting): string {
  const values = ENVIRONMENTS.map((environment) => [environment, fallbackOf(setting, environment)] as const);
  const [first] = values;
  if (values.every(([, value]) => value === first?.[1])) return first?.[1] === undefined ? "" : `\`${first[1]}\``;
  return values.flatMap(([name, value]) => (value === undefined ? [] : [`${name} \`${value}\``])).join(", ");
}

if (process.argv[1] === fileURLToPath(import.meta.url)) writeFileSync(SETTINGS_PAGE, await settingsPage());
