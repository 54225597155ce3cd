/**
 * Upstream images that staging and prod run, by digest of the multi-architecture index. The tag is informative: a
 * runtime resolves the digest alone. `local` pins by tag instead, so that a stand-in can take an image's place.
 */
export const KUBERNETES_IMAGES = {
  prometheus:
    "docker.io/prom/prometheus:v3.5.0@sha256:63805ebb8d2b3920190daf1cb14a60871b16fd38bed42b857a3182bc621f4996",
  alertmanager:
    "docker.io/prom/alertmanager:v0.28.1@sha256:27c475db5fb156cab31d5c18a4251ac7ed567746a2483ff264516437a39b15ba",
  grafana: "docker.io/grafana/grafana:12.2.0@sha256:74144189b38447facf737dfd0f3906e42e0776212bf575dc3334c3609183adf7",
  postgresExporter:
    "quay.io/prometheuscommunity/postgres-exporter:v0.17.1@sha256:38606faa38c54787525fb0ff2fd6b41b4cfb75d455c1df294927c5f611699b17",
} as const;
