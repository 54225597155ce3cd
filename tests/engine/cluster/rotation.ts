import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { SLOTS } from "../../../contract/slots.ts";
import { keyId } from "../../../contract/jwt.ts";
import { DEFAULT_WS_PORT } from "../../../contract/server.ts";
import type { Rotation } from "../../../operations/secrets/rotation.ts";
import { KubernetesUsers } from "../../support/kubernetes/users.ts";
import type { EngineStack } from "../../support/kubernetes/engine-stack.ts";
import { roundTrip, signToken, TokenUsers } from "../../support/token-users.ts";

/** Life of a token, seconds. */
const LIFETIME = 10;

/** The rotation of the key for tokens, whose cutovers give each slot its keys by the engine. */
export function rotationTests(staging: () => EngineStack): void {
  describe("a rotation of the key for tokens", () => {
    /** The keys that the slots have. */
    async function keys(): Promise<readonly string[]> {
      const { api, namespace } = staging();
      const secrets = await Promise.all(
        SLOTS.map((slot) => api.get("v1", "Secret", namespace, `server-${slot}-secrets`)),
      );
      const found = secrets.flatMap((secret) =>
        Object.entries((secret?.data ?? {}) as Record<string, string>).flatMap(([entry, value]) =>
          entry.startsWith("jwt-token") ? [Buffer.from(value, "base64").toString()] : [],
        ),
      );
      return [...new Set(found)];
    }

    /** Identifiers of the slots' Deployments. */
    const identities = () =>
      Promise.all(
        SLOTS.map(async (slot) => {
          const { api, namespace } = staging();
          return (await api.get("apps/v1", "Deployment", namespace, `server-${slot}`))?.metadata.uid;
        }),
      );

    let known: Rotation | undefined;
    /** The record as it was read last: the CLI may be writing the file at this moment. */
    const record = () => {
      try {
        const { jwtRotation } = staging().checkout.settings("staging");
        if (typeof jwtRotation === "string") known = JSON.parse(jwtRotation) as Rotation;
      } catch {
        // Half of it: the next poll reads all.
      }
      return known;
    };

    /** The key that an issuer signs with who follows `secrets status`. */
    async function signingKey(): Promise<string> {
      const { kids, signing = "current" } = record() ?? {};
      const all = await keys();
      const next = all.find((key) => keyId(key) === kids?.next);
      return (signing === "next" ? next : all.find((key) => key !== next)) ?? all[0] ?? "";
    }

    test("fails no request and refuses no token, and ends with the new key alone", { timeout: 900_000 }, async () => {
      const { checkout, hostname, supabase } = staging();
      const address = await staging().address();
      const open = (token: string) =>
        roundTrip(`wss://${address}:${String(DEFAULT_WS_PORT)}/`, token, {
          servername: hostname,
          rejectUnauthorized: false,
          headers: { host: hostname },
        });
      const before = await signingKey();
      const deployments = await identities();
      const requests = new KubernetesUsers({ address, hostname }, 20);
      const users = new TokenUsers({
        issue: async () => signToken(await signingKey(), LIFETIME),
        open,
        when: () => record()?.phase ?? "",
      });
      try {
        const words = ["secrets", "rotate", "jwt", "staging", "--lifetime", `${String(LIFETIME)}s`, "--wait"];
        const events = await checkout.events([...words, "--steps", "100", "--hold", "1s", "--bake", "1s"]);
        expect(events.at(-1)?.data).toMatchObject({ outcome: "replaced" });
      } finally {
        await Promise.all([requests.stop(), users.stop()]);
      }
      expect(await identities(), "Deployments that were replaced").toEqual(deployments);
      expect(requests.failed).toEqual([]);
      expect(users.failures).toEqual([]);
      expect(users.opened).toBeGreaterThan(200);
      expect(users.older, "tokens of the old key after the new one signs").toBeGreaterThan(0);

      const [after = "", ...others] = await keys();
      expect(others).toEqual([]);
      expect(after).not.toBe(before);
      await expect(open(signToken(before, LIFETIME).token)).rejects.toThrow("HTTP 401");
      await open(signToken(after, LIFETIME).token);
      const branch = [...supabase.world.branches.values()].find(({ gitBranch }) => gitBranch === "staging");
      const hash = createHash("sha256").update(after).digest("hex");
      expect(branch?.project.secrets.get("EXAI_JWT_TOKEN")).toBe(hash);
      expect(record()).toMatchObject({ phase: "done", target: "next" });
      expect(Object.keys(checkout.settings("staging")).filter((key) => /JwtKeys$|jwtSecretNext/.test(key))).toEqual([]);
      expect(readFileSync(join(checkout.root, "Pulumi.staging.yaml"), "utf8")).not.toContain(after);
    });

    test("leaves slots that up finds as they should be", async () => {
      const pods = [await staging().pods("blue"), await staging().pods("green")];
      await staging().checkout.events(["up", "staging", "--yes"]);
      expect([await staging().pods("blue"), await staging().pods("green")]).toEqual(pods);
    });
  });
}
