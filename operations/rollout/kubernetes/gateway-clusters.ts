import { activeRequests, type EnvoyClusters } from "../../../contract/envoy/clusters.ts";
import type { ClusterKind } from "../../../contract/envoy/names.ts";
import { parseServiceCluster } from "../../../contract/gateway.ts";
import type { Slot } from "../../../contract/slots.ts";
import type { Proxy } from "./gateway-proxies.ts";

/** One Envoy cluster: a slot's Service and port. */
export interface SlotCluster {
  readonly slot: Slot;
  readonly kind: ClusterKind;
  /** Replicas that get requests. */
  readonly healthy: number;
  readonly activeRequests: number;
}

/** The Envoy clusters of the slots' Services. */
export async function slotClusters(proxy: Proxy, namespace: string, wsPort: number): Promise<readonly SlotCluster[]> {
  const answer = (await proxy.get("/clusters?format=json")) as EnvoyClusters;
  return (answer.cluster_statuses ?? []).flatMap((status) => {
    const { name, host_statuses = [] } = status;
    const parsed = parseServiceCluster(name, { namespace, wsPort });
    if (parsed === undefined) return [];
    const healthy = host_statuses.filter(({ health_status }) => {
      const { eds_health_status = "HEALTHY", failed_outlier_check = false } = health_status ?? {};
      return eds_health_status === "HEALTHY" && !failed_outlier_check;
    }).length;
    return [{ ...parsed, healthy, activeRequests: activeRequests(status) }];
  });
}
