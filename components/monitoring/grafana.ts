import { stringify } from "yaml";
import { slotsDashboard } from "./dashboards/slots.ts";
import { databaseDashboard } from "./dashboards/database.ts";
import { overviewDashboard } from "./dashboards/overview.ts";
import { useDashboard } from "./dashboards/use.ts";
import { DATASOURCE_UID, type ClassicDashboard } from "./dashboards/panels.ts";

/** Directories inside Grafana's container. */
export const GRAFANA_PATHS = {
  datasources: "/etc/grafana/provisioning/datasources",
  providers: "/etc/grafana/provisioning/dashboards",
  dashboards: "/etc/exai/dashboards",
} as const;

/** All dashboards of a stack. */
export function dashboards(args: { readonly walArchive: boolean }): readonly ClassicDashboard[] {
  return [overviewDashboard(), slotsDashboard(), databaseDashboard(args.walArchive), useDashboard()];
}

/** The data source and the dashboards' folder, as Grafana's provisioning files: path to content. */
export function grafanaFiles(args: {
  readonly prometheusUrl: string;
  readonly walArchive: boolean;
}): Readonly<Record<string, string>> {
  const datasources = {
    apiVersion: 1,
    datasources: [
      {
        name: "Prometheus",
        type: "prometheus",
        uid: DATASOURCE_UID,
        access: "proxy",
        url: args.prometheusUrl,
        isDefault: true,
        editable: false,
        jsonData: { httpMethod: "POST", timeInterval: "5s" },
      },
    ],
  };
  const providers = {
    apiVersion: 1,
    providers: [
      {
        name: "exai",
        folder: "EX-AI",
        type: "file",
        // What is changed in the page would be lost with the container: the program is the place to change it.
        allowUiUpdates: false,
        disableDeletion: true,
        options: { path: GRAFANA_PATHS.dashboards },
      },
    ],
  };
  return {
    [`${GRAFANA_PATHS.datasources}/exai.yaml`]: stringify(datasources),
    [`${GRAFANA_PATHS.providers}/exai.yaml`]: stringify(providers),
    ...Object.fromEntries(
      dashboards(args).map((dashboard) => [
        `${GRAFANA_PATHS.dashboards}/${dashboard.uid ?? "dashboard"}.json`,
        `${JSON.stringify(dashboard, undefined, 2)}\n`,
      ]),
    ),
  };
}

/** Name of a file without its directory. */
export function baseName(path: string): string {
  return path.slice(path.lastIndexOf("/") + 1);
}
