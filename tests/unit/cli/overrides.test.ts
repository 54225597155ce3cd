import { existsSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { removeHome } from "../../../platforms/compose/home.ts";
import { dockerStack } from "../../../platforms/compose/project.ts";
import { recordOverrides, shownOverrides } from "../../../platforms/compose/recorded.ts";
import { localContext } from "../../../platforms/compose/rollout/context.ts";
import { localRouter } from "../../../platforms/compose/rollout/router.ts";
import { declaredStack } from "../../../platforms/declared.ts";
import type { Stack } from "../../../platforms/platform.ts";
import { openStack } from "../../../platforms/stack.ts";

let home: string;
beforeEach(() => {
  home = mkdtempSync(join(tmpdir(), "exai-overrides-"));
});
afterEach(() => {
  rmSync(home, { recursive: true, force: true });
});

type Overrides = Readonly<Record<string, string>>;

const stackWith = (typed: Overrides = {}) => dockerStack(declaredStack("local", { homeDirectory: home, ...typed }));
/** What an `up` records. */
const up = (typed: Overrides): void => {
  recordOverrides(stackWith().state, { homeDirectory: home, ...typed });
};

const GIVEN = {
  httpPort: "18090",
  wsPort: "18091",
  observePort: "18092",
  prometheusPort: "18093",
  postgresPort: "18094",
  logLevel: "debug",
  drainSeconds: "7",
};

describe("settings that up was given", () => {
  const { signal } = new AbortController();
  const context = (typed: Overrides = {}) =>
    localContext(stackWith(typed), () => Promise.resolve(true), signal, undefined);
  const open = (): Stack => openStack("local", { homeDirectory: home });

  /** What each verb works with, and what it has to contain. */
  const verbs: readonly (readonly [verbs: string, seen: () => unknown, value: unknown])[] = [
    ["down, logs, status, secrets", () => open().settings.httpPort, 18_090],
    ["cutover, rollout, rollback: the router", () => context().routerUrl, "http://127.0.0.1:18090"],
    ["cutover: WebSockets", () => context().webSocketUrl, "ws://127.0.0.1:18091"],
    ["cutover: the table in force", () => JSON.stringify(localRouter(stackWith())), expect.stringContaining("18092")],
    ["cutover: gates", () => context().prometheusUrl, "http://127.0.0.1:18093"],
    ["cutover: defaults", () => context().defaults.drainSeconds, 7],
    [
      "migrate, backup",
      async () => (await open().database({ signal })).url,
      expect.stringContaining("@127.0.0.1:18094/"),
    ],
    ["env", async () => (await open().variables()).find(({ name }) => name === "LOG_LEVEL")?.value, "debug"],
    [
      "synth",
      async () => (await open().synth({ withSecrets: false }))[0]?.content,
      expect.stringContaining("127.0.0.1:18090"),
    ],
  ];

  it.each(verbs)("are found by %s", async (_verbs, seen, value) => {
    up(GIVEN);
    expect(await seen()).toEqual(value);
  });

  it("are kept by the next up, which may change them or remove them", () => {
    up({ httpPort: "18090", logLevel: "debug" });
    up({ logLevel: "warning" });
    expect(stackWith().recorded).toEqual({ httpPort: "18090", logLevel: "warning" });
    up({ httpPort: "" });
    expect(stackWith().recorded).toEqual({ logLevel: "warning" });
    expect(stackWith().settings.httpPort).toBe(8080);
  });

  it("are removed with the stack's other files", () => {
    up({ logLevel: "debug" });
    expect(removeHome(home, "exai")).toEqual([]);
    expect(existsSync(home)).toBe(false);
  });

  it("give way to what another verb is given, which is for one run", () => {
    up({ logLevel: "debug" });
    expect(stackWith({ logLevel: "error" }).settings.logLevel).toBe("error");
    // The value of the stack file.
    expect(stackWith({ logLevel: "" }).settings.logLevel).toBe("info");
    expect(stackWith().settings.logLevel).toBe("debug");
  });

  it("do not say which stack it is: each command names another instance itself", () => {
    up({ instance: "exai-two", environment: "local" });
    expect(stackWith().recorded).toEqual({});
  });

  it("do not replace the image that a cutover gave a slot", () => {
    up({ blueImage: "exai/reference-server:2", image: "exai/reference-server:1" });
    const { state } = stackWith();
    expect(stackWith().settings.blueImage).toBe("exai/reference-server:2");
    state.setSlot("blue", "exai/reference-server:3");
    expect(stackWith().settings.blueImage).toBe("exai/reference-server:3");
    expect(stackWith().settings.image).toBe("exai/reference-server:1");
  });

  it("are in a file for their owner only, and a secret among them is not shown", () => {
    up({ kimiApiKey: "hunter2", httpPort: "18090" });
    expect(statSync(join(home, "overrides.json")).mode & 0o777).toBe(0o600);
    expect(shownOverrides(stackWith().recorded)).toEqual({ kimiApiKey: "********", httpPort: "18090" });
  });

  it("that are refused later name the command that corrects them", () => {
    writeFileSync(join(home, "overrides.json"), JSON.stringify({ httpPort: "80", former: "1" }));
    expect(() => stackWith()).toThrow(
      /exai up --set httpPort=8080[\s\S]*exai up --set former=|exai up --set former=[\s\S]*exai up --set httpPort=8080/,
    );
    expect(stackWith({ httpPort: "", former: "" }).settings.httpPort).toBe(8080);
  });

  it("in a damaged file are reported, and the file is not changed", () => {
    writeFileSync(join(home, "overrides.json"), "{broken");
    expect(() => stackWith()).toThrow(/is not JSON/);
    expect(readFileSync(join(home, "overrides.json"), "utf8")).toBe("{broken");
  });
});
