import { existsSync, readdirSync, readFileSync } from "node:fs";
import { dirname, join, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import type { Command } from "commander";
import { beforeAll, describe, expect, it } from "vitest";
import { parseAllDocuments } from "yaml";
import { SETTINGS_PAGE, settingsPage } from "../../docs/generate-settings.ts";
import { AUDIT_NAME } from "../../operations/rollout/kubernetes/audit-store.ts";
import { CONTROL_NAME } from "../../operations/rollout/kubernetes/control.ts";
import { CHECK_NAME, JOURNAL_NAME } from "../../operations/rollout/kubernetes/journal.ts";
import { NOTIFIED_NAME } from "../../operations/rollout/kubernetes/delivery-cursors.ts";
import { SETTINGS } from "../../stacks/settings/table.ts";
import { consoleBlocks } from "../support/docs/console.ts";
import { commandsOf, commandsOfScripts, commandTree, faultOf } from "../support/docs/commands.ts";

const ROOT = fileURLToPath(new URL("../..", import.meta.url));

/** Every page of the repository. */
const PAGES = [
  "README.md",
  "CHANGELOG.md",
  "CONTRIBUTING.md",
  ...readdirSync(join(ROOT, "docs"), { recursive: true, encoding: "utf8" })
    .filter((path) => path.endsWith(".md"))
    .map((path) => join("docs", path)),
  "images/reference-server/README.md",
  "images/stand-ins/README.md",
].sort();

/** Files that run commands. */
const WORKFLOWS = readdirSync(join(ROOT, ".github/workflows")).map((name) => `.github/workflows/${name}`);

const read = (page: string): string => readFileSync(join(ROOT, page), "utf8");

/** Removes code blocks, in which comments look like headings. */
const prose = (text: string): string => text.replaceAll(/^```[\s\S]*?^```$/gm, "");

describe("docs/settings.md", () => {
  it("is up to date with the table of settings", async () => {
    expect(readFileSync(SETTINGS_PAGE, "utf8"), "run: node docs/generate-settings.ts").toBe(await settingsPage());
  });

  it("has a row for every setting", () => {
    const page = read("docs/settings.md");
    expect(Object.keys(SETTINGS).filter((key) => !page.includes(`| \`${key}\``))).toEqual([]);
  });
});

describe("docs/rollout-role.yaml", () => {
  interface Role {
    readonly rules?: readonly { readonly resources: readonly string[]; readonly resourceNames?: readonly string[] }[];
  }

  it("has the ConfigMaps of a rollout, like the table of rights in docs/deploy.md", () => {
    const rules = parseAllDocuments(read("docs/rollout-role.yaml")).flatMap(
      (document) => (document.toJS() as Role).rules ?? [],
    );
    const named = rules.flatMap((rule) => (rule.resources.includes("configmaps") ? (rule.resourceNames ?? []) : []));
    expect(named.toSorted()).toEqual([AUDIT_NAME, CHECK_NAME, CONTROL_NAME, JOURNAL_NAME, NOTIFIED_NAME].toSorted());
    for (const name of named) expect(read("docs/deploy.md")).toMatch(new RegExp(`^\\|.*ConfigMap.*\`${name}\``, "m"));
  });
});

describe("links", () => {
  const links = (page: string): string[] =>
    [...prose(read(page)).matchAll(/\]\(([^)\s]+)\)/g)].flatMap(([, target]) =>
      target === undefined || /^[a-z]+:/.test(target) ? [] : [target],
    );

  it("are found", () => {
    expect(PAGES.flatMap(links).length).toBeGreaterThan(40);
  });

  it.each(PAGES)("of %s lead to existing files and headings", (page) => {
    const dead = links(page).filter((link) => {
      const [path = "", anchor] = link.split("#");
      const target = path === "" ? join(ROOT, page) : resolve(ROOT, dirname(page), decodeURI(path));
      if (!existsSync(target)) return true;
      return anchor !== undefined && !anchorsOf(readFileSync(target, "utf8")).has(anchor);
    });
    expect(dead).toEqual([]);
  });
});

/** The anchors of a page's headings, as GitHub creates them. */
function anchorsOf(text: string): ReadonlySet<string> {
  const headings = [...prose(text).matchAll(/^#+\s+(.+)$/gm)].map(([, heading]) => heading ?? "");
  return new Set(
    headings.map((heading) =>
      heading
        .toLowerCase()
        .replaceAll(/[^\p{L}\p{N}\s_-]/gu, "")
        .replaceAll(/\s/g, "-"),
    ),
  );
}

describe("decisions", () => {
  const records = readdirSync(join(ROOT, "docs/adr"))
    .filter((name) => name !== "README.md")
    .sort();

  it("are in the index, with the numbers that were merged into them", () => {
    const index = read("docs/adr/README.md");
    expect(records.length).toBeGreaterThan(10);
    for (const name of records) {
      expect(name).toMatch(/^\d{4}-[a-z0-9-]+\.md$/);
      expect(index).toContain(`(${name})`);
    }
    const last = Number(records.at(-1)?.slice(0, 4));
    const numbers = Array.from({ length: last }, (_, place) => String(place + 1).padStart(4, "0"));
    expect(numbers.filter((number) => !index.includes(number))).toEqual([]);
  });

  it.each(records)("%s has a status, a date and the four sections", (name) => {
    const text = read(`docs/adr/${name}`);
    expect(text).toMatch(/^Status: (accepted|superseded by \[\d{4}\]\(.+\))\. Date: \d{4}-\d{2}-\d{2}\./m);
    const headings = [...text.matchAll(/^## (.+)$/gm)].map(([, heading]) => heading);
    expect(headings).toEqual(["Context", "Decision", "Consequences", "Considered"]);
  });
});

describe("docs/troubleshooting.md", () => {
  const sources = [
    "cli",
    "components",
    "contract",
    "operations",
    "platforms",
    "policies",
    "stacks",
    "synth",
    "images/postgres/bin",
  ]
    .flatMap((folder) =>
      readdirSync(join(ROOT, folder), { recursive: true, withFileTypes: true })
        .filter((entry) => entry.isFile())
        .map((entry) => join(entry.parentPath, entry.name)),
    )
    .concat(join(ROOT, "exai"));
  const written = plainWords(sources.map((file) => readFileSync(file, "utf8")).join("\n"));
  // Messages of other programs.
  const foreign = ["password authentication failed"];
  const quoted = [...read("docs/troubleshooting.md").matchAll(/^\| ([^|]+) \|/gm)]
    .flatMap(([, cell]) => [...(cell ?? "").matchAll(/`([^`]+)`/g)].map(([, message]) => message ?? ""))
    .filter((message) => message.includes(" ") && !message.startsWith("./exai") && !foreign.includes(message));

  it("quotes messages", () => {
    expect(quoted.length).toBeGreaterThan(40);
  });

  it.each(quoted)("quotes a message of the code: %s", (message) => {
    // Values and omissions separate the parts that the code has literally.
    const parts = message.split(/\.{2,3}|<[^>]+>|\d+|: |;|"|[()]/).map((part) => plainWords(part).trim());
    const words = parts.filter((part) => part.includes(" "));
    const longest = words.sort((a, b) => b.length - a.length)[0] ?? "";
    expect(longest.length, `too short to be searched for: ${longest}`).toBeGreaterThan(7);
    expect(written.includes(longest), longest).toBe(true);
  });
});

/** Text without the characters that differ between a message's source and its quotation. */
function plainWords(text: string): string {
  return text.replaceAll("`", "").replaceAll(/\s+/g, " ");
}

describe("commands", () => {
  let program: Command;
  beforeAll(async () => {
    program = await commandTree();
  });

  it("are found", () => {
    expect(PAGES.flatMap((page) => commandsOf(read(page))).length).toBeGreaterThan(60);
    expect(WORKFLOWS.flatMap((workflow) => commandsOfScripts(read(workflow))).length).toBeGreaterThan(9);
  });

  it.each(PAGES)("of %s exist, with their options and settings", (page) => {
    expect(commandsOf(read(page)).flatMap((words) => faultOf(program, words) ?? [])).toEqual([]);
    const keys = [...read(page).matchAll(/pulumi config set (?:--\S+ )*(?:(?:prod|staging) )?(?:--\S+ )*exai:(\w+)/g)];
    expect(keys.flatMap(([, key = ""]) => (Object.hasOwn(SETTINGS, key) ? [] : [key]))).toEqual([]);
  });

  it.each(WORKFLOWS)("of %s exist, with their options", (workflow) => {
    expect(commandsOfScripts(read(workflow)).flatMap((words) => faultOf(program, words) ?? [])).toEqual([]);
  });

  it.each([
    ["verb", "./exai nonsense", /no verb/],
    ["part of a verb", "./exai rollout nonsense", /no verb/],
    ["option", "./exai up --nonsense", /no option/],
    ["setting", "./exai up --set nonsense=1", /no setting/],
  ])("is rejected with an unknown %s", (_, command, fault) => {
    expect(faultOf(program, command.split(" ").slice(1))).toMatch(fault);
  });

  it("are all named in the pages", () => {
    const named = new Set(PAGES.flatMap((page) => commandsOf(read(page))).map(([verb]) => verb));
    const silent = program.commands.map((command) => command.name()).filter((name) => !named.has(name));
    expect(silent).toEqual([]);
  });

  it.each(PAGES)("of the console blocks of %s are marked by a dollar sign", (page) => {
    expect(() => consoleBlocks(read(page))).not.toThrow();
  });

  // tests/integration/docs runs the README and the pages of docs.
  const run = PAGES.filter((page) => !page.startsWith("images/"));
  it.each(run)("are in no block of %s that no test runs", (page) => {
    const blocks = [...read(page).matchAll(/^```(.*)\n([\s\S]*?)^```$/gm)];
    const others = blocks.filter(([, language = ""]) => !/^(?:console|sh|bash|shell)$/.test(language));
    expect(others.flatMap(([, , text = ""]) => text.match(/^(?:\$ |\.\/exai).*$/gm) ?? [])).toEqual([]);
  });

  // A `console` block is run by tests/integration/docs; a script needs credentials, or is a test itself.
  it.each(PAGES)("of the scripts of %s need what a test does not have", (page) => {
    const scripts = [...read(page).matchAll(/^```(?:sh|bash|shell)\n([\s\S]*?)^```$/gm)].map(
      ([, script]) => script ?? "",
    );
    const lines = scripts.flatMap((script) =>
      [...script.matchAll(/^\.\/exai (.*)$/gm)].map(([, words]) => words ?? ""),
    );
    expect(lines.filter((words) => !/\b(?:staging|prod)\b|^test\b/.test(words))).toEqual([]);
  });
});
