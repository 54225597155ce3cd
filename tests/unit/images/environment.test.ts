import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, test } from "vitest";
import { UserErrors } from "../../../contract/errors.ts";
import { DEFAULT_GRACE_SECONDS, DEFAULT_WS_PORT, HTTP_PORT } from "../../../contract/server.ts";
import { readEnvironment } from "../../../images/reference-server/src/environment.ts";

const directory = mkdtempSync(join(tmpdir(), "exai-environment-"));
afterAll(() => {
  rmSync(directory, { recursive: true });
});
const key = "k".repeat(32);

function problems(env: NodeJS.ProcessEnv): UserErrors["errors"] {
  try {
    readEnvironment(env);
  } catch (error) {
    if (error instanceof UserErrors) return error.errors;
    throw error;
  }
  return [];
}

describe("readEnvironment", () => {
  test("needs nothing: every variable has a default", () => {
    expect(readEnvironment({})).toMatchObject({
      httpPort: HTTP_PORT,
      wsPort: DEFAULT_WS_PORT,
      jwtKeys: [],
      browserSecurity: false,
      monitoring: true,
      logLevel: "info",
      graceSeconds: DEFAULT_GRACE_SECONDS,
      faults: {},
    });
  });

  test("reads secrets from files and trims one newline", () => {
    const file = join(directory, "jwt");
    writeFileSync(file, `${key} \n\n`);
    const previous = "p".repeat(40);
    const environment = readEnvironment({ EXAI_JWT_TOKEN_FILE: file, EXAI_JWT_TOKEN_PREVIOUS: previous });
    expect(environment.jwtKeys).toEqual([
      { role: "signing", secret: `${key} \n` },
      { role: "previous", secret: previous },
    ]);
  });

  test("takes the whole of the documented environment", () => {
    const environment = readEnvironment({
      EXAI_WS_HOST: "127.0.0.1",
      EXAI_WS_PORT: "9001",
      EXAI_JWT_TOKEN: key,
      BROWSER_SECURITY_ENABLED: "True",
      EXAI_PRODUCTION_URL: "https://exai.example/app",
      KIMI_API_KEY: "sk-kimi",
      GLM_API_KEY: "glm",
      SUPABASE_URL: "https://x.supabase.co",
      SUPABASE_ANON_KEY: "anon",
      SUPABASE_SERVICE_ROLE_KEY: "service",
      SIMPLE_TOOL_TIMEOUT_SECS: "10",
      WORKFLOW_TOOL_TIMEOUT_SECS: "20",
      EXPERT_ANALYSIS_TIMEOUT_SECS: "30",
      KIMI_TIMEOUT_SECS: "40",
      GLM_TIMEOUT_SECS: "50",
      MONITORING_ENABLED: "false",
      LOG_LEVEL: "WARNING",
      EXAI_GRACE_SECONDS: "4",
      EXAI_FAULTS: "errors=0.5",
    });
    expect(environment).toMatchObject({
      wsHost: "127.0.0.1",
      wsPort: 9001,
      browserSecurity: true,
      productionOrigin: "https://exai.example",
      store: { key: "service" },
      timeouts: { simpleToolSeconds: 10, workflowToolSeconds: 20, expertAnalysisSeconds: 30 },
      monitoring: false,
      logLevel: "warning",
      graceSeconds: 4,
      lameDuckSeconds: 1,
      faults: { errors: 0.5 },
    });
    expect(environment.providers.kimi).toMatchObject({ apiKey: "sk-kimi", timeoutSeconds: 40 });
    expect(environment.providers.glm).toMatchObject({ apiKey: "glm", timeoutSeconds: 50 });
  });

  test.each<[string, NodeJS.ProcessEnv]>([
    ["EXAI_WS_PORT", { EXAI_WS_PORT: "eighty" }],
    ["EXAI_WS_PORT", { EXAI_WS_PORT: "65536" }],
    ["EXAI_WS_PORT", { EXAI_WS_PORT: String(HTTP_PORT) }],
    ["EXAI_WS_HOST", { EXAI_WS_HOST: "not a host" }],
    ["EXAI_JWT_TOKEN", { EXAI_JWT_TOKEN: "short" }],
    ["EXAI_JWT_TOKEN_PREVIOUS", { EXAI_JWT_TOKEN_PREVIOUS: key }],
    ["EXAI_JWT_TOKEN", { EXAI_JWT_TOKEN: key, EXAI_JWT_TOKEN_FILE: "/tmp/x" }],
    ["EXAI_JWT_TOKEN_FILE", { EXAI_JWT_TOKEN_FILE: "/nowhere/jwt" }],
    ["BROWSER_SECURITY_ENABLED", { BROWSER_SECURITY_ENABLED: "maybe" }],
    ["EXAI_PRODUCTION_URL", { BROWSER_SECURITY_ENABLED: "true" }],
    ["EXAI_PRODUCTION_URL", { EXAI_PRODUCTION_URL: "ftp://exai.example" }],
    ["KIMI_API_KEY", { KIMI_API_KEY: "two words" }],
    ["GLM_API_URL", { GLM_API_URL: "glm" }],
    ["SUPABASE_ANON_KEY", { SUPABASE_URL: "https://x.supabase.co", SUPABASE_SERVICE_ROLE_KEY: "k" }],
    ["SUPABASE_URL", { SUPABASE_URL: "x.supabase.co" }],
    ["KIMI_TIMEOUT_SECS", { KIMI_TIMEOUT_SECS: "0" }],
    ["WORKFLOW_TOOL_TIMEOUT_SECS", { WORKFLOW_TOOL_TIMEOUT_SECS: "1e9" }],
    ["MONITORING_ENABLED", { MONITORING_ENABLED: "yes" }],
    ["LOG_LEVEL", { LOG_LEVEL: "trace" }],
    ["EXAI_GRACE_SECONDS", { EXAI_GRACE_SECONDS: "-1" }],
    ["EXAI_LAME_DUCK_SECONDS", { EXAI_GRACE_SECONDS: "1", EXAI_LAME_DUCK_SECONDS: "2" }],
    ["EXAI_FAULTS", { EXAI_FAULTS: "errors=2" }],
    ["RELEASE", { RELEASE: "1.0\n" }],
  ])("refuses a wrong %s", (name, env) => {
    const found = problems(env);
    expect(found.map((error) => error.where)).toEqual([name]);
    expect(found[0]?.fix).not.toBe("");
  });

  test("names every problem at once, and never a secret's value", () => {
    const found = problems({ EXAI_JWT_TOKEN: "hunter2", LOG_LEVEL: "loud", KIMI_API_KEY: "se cret" });
    expect(found.map((error) => error.where).sort()).toEqual(["EXAI_JWT_TOKEN", "KIMI_API_KEY", "LOG_LEVEL"]);
    expect(new UserErrors(found).message).not.toMatch(/hunter2|se cret/);
  });
});
