import * as check from "../checks.ts";
import { define, type Setting } from "../setting.ts";

const localPort = (about: string, fallback: string) =>
  define({ check: check.port, about: `${about}; local only`, fallback, example: fallback });

/** What only the stack on this machine has. */
export const LOCAL_SETTINGS = {
  httpPort: localPort("Router: HTTP, MCP and dashboard", "8080"),
  observePort: localPort("Router: read-only statistics", "9901"),
  prometheusPort: localPort("Prometheus", "9090"),
  alertmanagerPort: localPort("Alertmanager", "9093"),
  grafanaPort: localPort("Grafana", "3000"),
  postgresPort: localPort("PostgreSQL", "5432"),
  databasePoolSize: define({
    // PostgreSQL accepts 100 connections; monitoring, backups, jobs and people need some.
    check: check.integer(1, 80),
    about: "Connections of PgBouncer to the database, which both slots share; local only",
    fallback: "20",
    example: "20",
  }),
  grafana: define({
    check: check.boolean,
    about: "Whether Grafana runs; local omits it automatically if its image is not available",
    fallback: "true",
    example: "false",
  }),
  egressHosts: define({
    check: check.hostsAndPorts,
    about:
      "Hosts that the server reaches besides those of kimiUrl and glmUrl, with ports, separated by commas; local only",
    example: "api.example.com:443",
  }),
  homeDirectory: define({
    check: check.text,
    about: "Folder of the local stack's own state, relative to the project; local only",
    fallback: { local: ".exai/local" },
    example: ".exai/local",
  }),
  protectData: define({
    check: check.boolean,
    about: "Whether the engine refuses to delete what holds data",
    fallback: { local: "true", staging: "true", prod: "true" },
    example: "false",
  }),
} satisfies Record<string, Setting>;
