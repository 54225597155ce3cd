import * as common from "@grafana/grafana-foundation-sdk/common";
import * as dashboard from "@grafana/grafana-foundation-sdk/dashboard";
import * as prometheus from "@grafana/grafana-foundation-sdk/prometheus";
import * as stat from "@grafana/grafana-foundation-sdk/stat";
import * as timeseries from "@grafana/grafana-foundation-sdk/timeseries";

/** Identifier of the provisioned data source; the dashboards refer to it. */
export const DATASOURCE_UID = "exai-prometheus";

/** One line of a panel: a query and what the legend calls it. */
export interface Line {
  readonly expr: string;
  /** May use `{{label}}`. */
  readonly legend: string;
}

/** The thresholds between good and bad values. */
export interface Limits {
  readonly warning?: number;
  readonly bad: number;
  /** Whether small values are the bad ones. @default false */
  readonly belowIsBad?: boolean;
}

export interface PanelArgs {
  readonly title: string;
  /** The conclusion that the reader should draw. */
  readonly description: string;
  /** Grafana's unit: `s`, `percentunit`, `reqps`, `short`, `bytes`, … */
  readonly unit: string;
  readonly lines: readonly Line[];
  readonly limits?: Limits;
  /** Columns of 24. @default 8 */
  readonly width?: number;
}

const SOURCE: common.DataSourceRef = { type: "prometheus", uid: DATASOURCE_UID };

/** Colors of the slots, the same in all panels. */
const SLOT_COLORS = { blue: "#3274D9", green: "#56A64B" } as const;

/** Curves over time. */
export function curves(args: PanelArgs): timeseries.PanelBuilder {
  const panel = new timeseries.PanelBuilder()
    .title(args.title)
    .description(args.description)
    .datasource(SOURCE)
    .unit(args.unit)
    .min(0)
    .span(args.width ?? 8)
    .height(8)
    .lineWidth(1)
    .fillOpacity(8)
    .showPoints(common.VisibilityMode.Never)
    .legend(
      new common.VizLegendOptionsBuilder()
        .displayMode(common.LegendDisplayMode.List)
        .placement(common.LegendPlacement.Bottom)
        .showLegend(true),
    )
    .tooltip(new common.VizTooltipOptionsBuilder().mode(common.TooltipDisplayMode.Multi));
  if (args.limits !== undefined) {
    panel
      .thresholds(thresholds(args.limits))
      .thresholdsStyle(new common.GraphThresholdsStyleConfigBuilder().mode(common.GraphThresholdsStyleMode.Dashed));
  }
  for (const [slot, fixedColor] of Object.entries(SLOT_COLORS)) {
    panel.overrideByRegexp(`\\b${slot}\\b`, [{ id: "color", value: { mode: "fixed", fixedColor } }]);
  }
  return withLines(panel, args.lines);
}

/** Single numbers with a small curve. */
export function figure(args: PanelArgs): stat.PanelBuilder {
  const panel = new stat.PanelBuilder()
    .title(args.title)
    .description(args.description)
    .datasource(SOURCE)
    .unit(args.unit)
    .span(args.width ?? 4)
    .height(4)
    .noValue("no data")
    .graphMode(common.BigValueGraphMode.Area)
    .reduceOptions(new common.ReduceDataOptionsBuilder().calcs(["lastNotNull"]));
  if (args.limits !== undefined) {
    panel.thresholds(thresholds(args.limits)).colorMode(common.BigValueColorMode.Value);
  }
  return withLines(panel, args.lines);
}

/** A dashboard in Grafana's classic schema, the one that file provisioning of every supported version reads. */
// eslint-disable-next-line @typescript-eslint/no-deprecated -- the newer schema needs Grafana's dashboard API
export type ClassicDashboard = dashboard.Dashboard;

/* eslint-disable @typescript-eslint/no-deprecated -- see ClassicDashboard */
/** A classic dashboard whose panels have explicit ids, which Grafana uses in links to panels. */
class Board extends dashboard.DashboardBuilder {
  override build(): ClassicDashboard {
    const built = super.build();
    built.panels = (built.panels ?? []).map((panel, index) => ({ ...panel, id: index + 1 }));
    return built;
  }
}
/* eslint-enable @typescript-eslint/no-deprecated */

/** An empty dashboard of this project. */
export function board(uid: string, title: string, description: string): Board {
  return new Board(title)
    .uid(uid)
    .description(description)
    .tags(["exai"])
    .timezone("browser")
    .refresh("10s")
    .time({ from: "now-30m", to: "now" })
    .tooltip(dashboard.DashboardCursorSync.Crosshair)
    .readonly()
    .link(
      new dashboard.DashboardLinkBuilder("Other dashboards")
        .type(dashboard.DashboardLinkType.Dashboards)
        .tags(["exai"])
        .keepTime(true),
    );
}

/** A heading over the panels that follow. */
export function heading(title: string): dashboard.RowBuilder {
  return new dashboard.RowBuilder(title);
}

function withLines<Panel extends timeseries.PanelBuilder | stat.PanelBuilder>(
  panel: Panel,
  lines: readonly Line[],
): Panel {
  lines.forEach((line, index) => {
    panel.withTarget(
      new prometheus.DataqueryBuilder()
        .refId(String.fromCharCode(65 + index))
        .expr(line.expr)
        .legendFormat(line.legend)
        .range()
        .datasource(SOURCE),
    );
  });
  return panel;
}

function thresholds(limits: Limits): dashboard.ThresholdsConfigBuilder {
  const { warning, bad, belowIsBad } = limits;
  const steps: dashboard.Threshold[] =
    belowIsBad === true
      ? [
          { value: null, color: "red" },
          { value: bad, color: "green" },
        ]
      : [
          { value: null, color: "green" },
          ...(warning === undefined ? [] : [{ value: warning, color: "orange" }]),
          { value: bad, color: "red" },
        ];
  return new dashboard.ThresholdsConfigBuilder().mode(dashboard.ThresholdsMode.Absolute).steps(steps);
}
