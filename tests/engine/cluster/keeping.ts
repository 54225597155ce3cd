import { expect, test } from "vitest";
import type { EngineStack } from "../../support/kubernetes/engine-stack.ts";
import { storedBackups } from "./database.ts";

/**
 * What `down` keeps of a stack whose backup exists: the data, and the keys that open it.
 *
 * @param project reference of the stack's own Supabase project
 * @param kept names of resources that stay
 */
export function keepingTests(
  made: () => EngineStack,
  project: () => string | undefined,
  kept: readonly string[],
): void {
  test("down keeps what holds data and the keys that open it, and the next up uses both", async () => {
    const { api, namespace, checkout, stack } = made();
    const identity = async () => {
      const secret = await api.get("v1", "Secret", namespace, "backup");
      const volume = await api.get("v1", "PersistentVolumeClaim", namespace, "backup-repository");
      return {
        key: (secret?.data as Record<string, string> | undefined)?.["repository-password"],
        volume: volume?.metadata.uid,
        project: project(),
      };
    };
    const before = await identity();
    const [backup] = await storedBackups(made());
    expect([...Object.values(before), backup]).not.toContain(undefined);
    const data = (await checkout.events(["down", stack, "--yes"])).at(-1)?.data;
    expect(data).toMatchObject({ data: "kept" });
    expect(data?.kept).toEqual(expect.arrayContaining([...kept]));
    expect(await api.get("apps/v1", "Deployment", namespace, "server-blue")).toBeUndefined();
    expect(await identity()).toEqual({ ...before, key: undefined });
    const destroyed = await checkout.pulumi(["destroy", "--yes", "--stack", stack]);
    expect([destroyed.code === 0, destroyed.stdout]).toEqual([false, expect.stringContaining("protected")]);
    await checkout.events(["up", stack, "--yes"]);
    expect(await identity()).toEqual(before);
    expect(await storedBackups(made())).toEqual([backup]);
  });
}
