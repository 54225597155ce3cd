import { createPublicKey, verify, type JsonWebKey } from "node:crypto";
import { describe, expect, it } from "vitest";
import { accessKey, accessKeys, accessKeyText, accessToken } from "../../contract/envoy/access.ts";
import { testerLink } from "../../operations/rollout/commands/tester-link.ts";
import type { RolloutContext } from "../../operations/rollout/ports/context.ts";
import { fixSaying } from "../support/fix-saying.ts";
import { TEST_ACCESS } from "../support/rollout/access.ts";

const SECRET = "a generated secret";

/** The claims of a token if a key of the set has signed it. */
function claimsOf(token: string, keys: string): unknown {
  const { keys: jwks } = JSON.parse(keys) as { keys: JsonWebKey[] };
  const [head = "", body = "", signature = ""] = token.split(".");
  const signed = jwks.some((key) =>
    verify(
      null,
      Buffer.from(`${head}.${body}`),
      createPublicKey({ key, format: "jwk" }),
      Buffer.from(signature, "base64url"),
    ),
  );
  return signed ? JSON.parse(Buffer.from(body, "base64url").toString()) : undefined;
}

describe("a token for access to a slot", () => {
  const grant = { slot: "green", audience: "tester", expires: 1_800_000_000 } as const;

  it("is verified by the public key of the same secret and generation alone", () => {
    const token = accessToken(accessKey(SECRET, 1), grant);
    expect(claimsOf(token, accessKeys(SECRET, 1))).toMatchObject({
      iss: "exai-rollout",
      pin: "green-tester",
      exp: grant.expires,
    });
    expect(claimsOf(token, accessKeys(SECRET, 2))).toBeUndefined();
    expect(claimsOf(token, accessKeys("another", 1))).toBeUndefined();
    const [head, , signature] = token.split(".");
    const [, body] = accessToken(accessKey(SECRET, 1), { ...grant, slot: "blue" }).split(".");
    expect(claimsOf(`${String(head)}.${String(body)}.${String(signature)}`, accessKeys(SECRET, 1))).toBeUndefined();
  });

  it("needs a private key that the router does not have", () => {
    expect(accessKeys(SECRET, 1)).not.toContain('"d"');
    expect(accessKeyText(SECRET, 1)).toContain("PRIVATE KEY");
    expect(accessKeyText(SECRET, 1)).not.toContain(SECRET);
  });
});

describe("./exai rollout tester-link", () => {
  const context = (weights?: { blue: number; green: number }) =>
    ({
      access: TEST_ACCESS,
      traffic: { inForce: () => Promise.resolve(weights === undefined ? undefined : { weights }) },
    }) as unknown as RolloutContext;

  it("names the slot without users, unless another one is requested", async () => {
    const idle = await testerLink(context({ blue: 0, green: 100 }), { slot: "idle", seconds: 60 });
    expect(idle).toMatchObject({ slot: "blue", header: `x-exai-access: ${idle.token}` });
    expect(idle.url).toBe(`${TEST_ACCESS.url}/.exai/tester#${idle.token}`);
    expect(Date.parse(idle.expiresAt) - Date.now()).toBeLessThanOrEqual(60_000);
    expect(await testerLink(context(), { slot: "green", seconds: 60 })).toMatchObject({ slot: "green" });
  });

  it("refuses a slot that is not idle, and a week and a second", async () => {
    const both = context({ blue: 50, green: 50 });
    await expect(testerLink(both, { slot: "idle", seconds: 60 })).rejects.toMatchObject({
      exitCode: 3,
      fix: fixSaying("--slot green"),
    });
    await expect(testerLink(both, { slot: "blue", seconds: 604_801 })).rejects.toMatchObject({ where: "--ttl" });
  });
});
