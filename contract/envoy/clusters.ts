/** Answer of Envoy's `/clusters?format=json` (envoy.admin.v3.Clusters), as far as it is read. */
export interface EnvoyClusters {
  readonly cluster_statuses?: readonly EnvoyClusterStatus[];
}

/** One cluster with its hosts. Envoy leaves out what is false or 0. */
export interface EnvoyClusterStatus {
  readonly name: string;
  readonly host_statuses?: readonly {
    readonly stats?: readonly { readonly name: string; readonly value?: string }[];
    readonly health_status?: {
      readonly eds_health_status?: string;
      readonly failed_active_health_check?: boolean;
      readonly pending_active_hc?: boolean;
      readonly failed_outlier_check?: boolean;
    };
  }[];
}

/** Requests that the hosts of a cluster answer now, open streams and WebSockets among them. */
export function activeRequests({ host_statuses = [] }: EnvoyClusterStatus): number {
  return host_statuses
    .flatMap(({ stats = [] }) => stats)
    .filter(({ name }) => name === "rq_active")
    .reduce((sum, { value }) => sum + Number(value ?? 0), 0);
}
