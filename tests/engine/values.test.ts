// cspell:ignore NULLS
import { execFileSync } from "node:child_process";
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { findCli } from "../../platforms/pulumi/cli.ts";
import { Rewritten, readEngineYaml } from "../../synth/engine-yaml.ts";
import { engineMissing, loggedOut } from "./support.ts";

/** Values as a person may write them. */
const WRITTEN = [
  ..."1.10 00123e4 12345678901234567890123 9223372036854775808 017 08 0x1F 0o17 0b11 -0 +5 .5 1e3 1.0 1_000".split(" "),
  ..."null ~ Null yes on y True FALSE 12:30:45 2026-11-29 2026-11-29T10:00:00Z v1.2 1.2.3 abc".split(" "),
  ...[
    '"1.10"',
    "'null'",
    "!!str 1.10",
    "[a, 1, 1.10, true, null, 0x1F]",
    "{x: 1.10, y: yes, z: null}",
    ">-\n    folded\n    text",
    "",
  ],
];

describe.skipIf(engineMissing())("values of a stack file", () => {
  let own: ReturnType<typeof loggedOut>;
  let engine: Record<string, { value?: string }>;
  const text = `config:\n${WRITTEN.map((value, index) => `  exai:k${index}: ${value}`).join("\n")}\n`;

  beforeAll(() => {
    own = loggedOut();
    const state = join(own.folder, "state");
    mkdirSync(state);
    writeFileSync(join(own.folder, "Pulumi.yaml"), "name: exai\nruntime: nodejs\n");
    const env = {
      ...process.env,
      ...{ PULUMI_BACKEND_URL: `file://${state}`, PULUMI_CONFIG_PASSPHRASE: "x", PULUMI_SKIP_UPDATE_CHECK: "1" },
      PULUMI_HOME: join(own.folder, "home"),
    };
    const pulumi = (...args: string[]) =>
      execFileSync(join(findCli() ?? "", "bin", "pulumi"), args, {
        cwd: own.folder,
        env,
        encoding: "utf8",
        stdio: ["ignore", "pipe", "ignore"],
      });
    pulumi("stack", "init", "prod");
    writeFileSync(join(own.folder, "Pulumi.prod.yaml"), text, { flag: "a" });
    engine = JSON.parse(pulumi("config", "--json", "--stack", "prod")) as typeof engine;
  });
  afterAll(() => {
    own.remove();
  });

  it.each(WRITTEN.map((written, index) => [written, index] as const))("are read as the engine does: %s", (_, index) => {
    const { config } = readEngineYaml("Pulumi.prod.yaml", text).content as { config: Record<string, unknown> };
    const value = config[`exai:k${index}`];
    const read =
      value instanceof Rewritten ? value.text : typeof value === "string" ? value : JSON.stringify(value ?? "");
    expect(value === null ? "" : read).toBe(engine[`exai:k${index}`]?.value);
  });
});
