import { z } from "zod";
import type { Settings } from "../../stacks/settings.ts";
import type { StateResource } from "../pulumi/engine.ts";
import { clusterOf } from "./rollout.ts";

const OBJECT = z.object({
  apiVersion: z.string(),
  kind: z.string(),
  metadata: z.object({ name: z.string(), namespace: z.string().optional() }),
});

/** The objects of a stack that the cluster does not have any more. */
export async function absentFromCluster(
  resources: readonly StateResource[],
  settings: Settings,
): Promise<readonly StateResource[]> {
  const cluster = clusterOf(settings);
  const found = await Promise.all(
    resources
      .filter(({ type }) => type.startsWith("kubernetes:"))
      .map(async (resource) => {
        const { apiVersion, kind, metadata } = OBJECT.parse(resource.outputs);
        const { name, namespace = cluster.namespace } = metadata;
        return (await cluster.read({ apiVersion, kind, name, namespace })) === undefined ? [resource] : [];
      }),
  );
  return found.flat();
}
