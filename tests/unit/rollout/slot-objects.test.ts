import { expect, it } from "vitest";
import { UserError } from "../../../contract/errors.ts";
import type { Cluster } from "../../../operations/rollout/kubernetes/cluster.ts";
import { SlotObjects } from "../../../operations/rollout/kubernetes/slot-objects.ts";

/** A Deployment of a cluster, as each read finds it in turn; the last one stays. */
function objects(...found: readonly ("there" | "being deleted" | "gone")[]): {
  slots: SlotObjects;
  reads: () => number;
} {
  let reads = 0;
  const read = () => {
    const now = found[Math.min(reads, found.length - 1)];
    reads += 1;
    const deletionTimestamp = now === "being deleted" ? "2026-01-01T00:00:00Z" : undefined;
    return Promise.resolve(now === "gone" ? undefined : { metadata: { name: "server-blue", deletionTimestamp } });
  };
  const cluster = { namespace: "exai", read } as unknown as Cluster;
  return { slots: new SlotObjects(cluster, "exai"), reads: () => reads };
}
const { signal } = new AbortController();

it("a slot whose pods drain is waited for until it is gone", async () => {
  const { slots, reads } = objects("being deleted", "being deleted", "gone");
  await slots.gone("blue", signal, 60);
  expect(reads()).toBe(3);
});

it("a slot that another command has made again is not waited for", async () => {
  const { slots, reads } = objects("there");
  await slots.gone("blue", signal, 60);
  expect(reads()).toBe(1);
});

it("a slot that does not go is an error with the command that shows its pods", async () => {
  const { slots } = objects("being deleted");
  const error = await slots.gone("blue", signal, 0.1).catch((reason: unknown) => reason);
  if (!(error instanceof UserError)) throw new Error("it was not refused", { cause: error });
  expect([error.code, error.where]).toEqual(["timeout", "slot blue"]);
  expect(String(error.fix)).toBe("kubectl --namespace exai get pods --selector exai.slot=blue");
});
