import type { ClassicDashboard } from "../../../components/monitoring/dashboards/panels.ts";

/** One query of a panel. */
export interface PanelQuery {
  /** `<dashboard> / <panel> / <query>` */
  readonly panel: string;
  readonly expr: string;
  readonly datasource: string | undefined;
}

interface Panel {
  readonly title?: string;
  readonly targets?: readonly {
    readonly refId: string;
    readonly expr: string;
    readonly datasource?: { readonly uid?: string };
  }[];
  readonly panels?: readonly Panel[];
}

/** All queries of a dashboard, as its JSON has them. */
export function queriesOf(dashboard: ClassicDashboard): readonly PanelQuery[] {
  const json = JSON.parse(JSON.stringify(dashboard)) as { readonly title: string; readonly panels: readonly Panel[] };
  const of = (panel: Panel): PanelQuery[] => [
    ...(panel.targets ?? []).map((target) => ({
      panel: `${json.title} / ${panel.title ?? ""} / ${target.refId}`,
      expr: target.expr,
      datasource: target.datasource?.uid,
    })),
    ...(panel.panels ?? []).flatMap(of),
  ];
  return json.panels.flatMap(of);
}
