/** Images of the `local` stack, by version tag, so that a stand-in can take the place of one that cannot be pulled. */
export const LOCAL_IMAGES = {
  referenceServer: "exai/reference-server:1.0.0",
  postgres: "exai/postgres:15",
  pgbouncer: "exai/pgbouncer:1",
  objectStore: "exai/object-store:1",
  envoy: "envoyproxy/envoy:v1.40.0",
  prometheus: "prom/prometheus:v3.5.0",
  alertmanager: "prom/alertmanager:v0.28.1",
  grafana: "grafana/grafana:12.2.0",
  postgresExporter: "quay.io/prometheuscommunity/postgres-exporter:v0.17.1",
} as const;

/** The images that tests start. No test needs Grafana. */
export const TEST_IMAGES: readonly string[] = Object.values(LOCAL_IMAGES).filter(
  (image) => image !== LOCAL_IMAGES.grafana,
);

/**
 * Prometheus for a cluster that gets its images from this machine. Debian's build, the stand-in on `local`, lacks
 * Kubernetes service discovery. The release is that of `prom/prometheus` above.
 */
export const KUBERNETES_PROMETHEUS = "exai/prometheus:v3.5.0";

/** Labels of images that this project builds. */
export const IMAGE_LABELS = {
  /** Source of a stand-in image, e.g. `debian:prometheus`. */
  standIn: "exai.stand-in",
  /** Hash of everything the image was built from: the same hash needs no build. */
  contentHash: "exai.content-hash",
  /** Lowest and highest migration version that a release supports; empty if it does not declare one. */
  schemaMin: "exai.schema.min",
  schemaMax: "exai.schema.max",
} as const;
