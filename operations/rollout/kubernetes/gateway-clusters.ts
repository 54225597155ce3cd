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

interface ClustersAnswer {
  readonly cluster_statuses?: readonly {
    readonly name: string;
    readonly host_statuses?: readonly {
      readonly stats?: readonly { readonly name: string; readonly value?: string }[];
      readonly health_status?: { readonly eds_health_status?: string; readonly failed_outlier_check?: boolean };
    }[];
  }[];
}

/** The Envoy clusters of the slots' Services. */
export async function slotClusters(proxy: Proxy, namespace: string, wsPort: number): Promise<readonly SlotCluster[]> {
  const answer = (await proxy.get("/clusters?format=json")) as ClustersAnswer;
  return (answer.cluster_statuses ?? []).flatMap(({ name, host_statuses = [] }) => {
    const parsed = parseServiceCluster(name, { namespace, wsPort });
    if (parsed === undefined) return [];
    const healthy = host_statuses.filter(({ health_status }) => {
      const { eds_health_status = "HEALTHY", failed_outlier_check = false } = health_status ?? {};
      return eds_health_status === "HEALTHY" && !failed_outlier_check;
    }).length;
    const active = host_statuses
      .flatMap(({ stats = [] }) => stats)
      .filter((stat) => stat.name === "rq_active")
      .reduce((sum, stat) => sum + Number(stat.value ?? 0), 0);
    return [{ ...parsed, healthy, activeRequests: active }];
  });
}
