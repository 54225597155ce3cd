import { command, onStack } from "../../contract/fix.ts";
import type { DumpRestored } from "../../operations/dumps/scratch.ts";
import type { InPlaceResult } from "../../operations/restore/in-place.ts";
import type { RestoreResult } from "../../operations/restore/restore.ts";
import type { ScratchInfo } from "../../operations/restore/scratch.ts";
import type { LossyStatement } from "../../operations/restore/statements.ts";
import type { HostedRestored } from "../../operations/supabase/pitr.ts";
import type { RestoreListData } from "../results.ts";
import { checks, committed, formatHosted, formatInPlace, formatUnfinished, stamp, what } from "./restore-in-place.ts";
import { heading, next, pairs, type Block, type NextCommand } from "./block.ts";
import { count, span, utc } from "./units.ts";

/** `restore`. */
export function formatRestore(result: RestoreResult | InPlaceResult | DumpRestored | HostedRestored): readonly Block[] {
  if (result.outcome === "restored-hosted") return formatHosted(result);
  if (result.outcome === "restored-dump") return formatDumpRestored(result);
  if (result.outcome !== "restored") return formatInPlace(result);
  const { name, container, state, backup, before, after, statement, locked, tables, fetchSeconds, replaySeconds } =
    result;
  return [
    heading(`${name} is restored and ${state} (files ${span(fetchSeconds)}, replay ${span(replaySeconds)})`),
    pairs({
      backup,
      "last commit": committed(before, "none in the WAL that was searched"),
      "next commit": committed(after, "the archive ends here"),
      ...(statement === undefined ? {} : { statement: described(statement) }),
      ...Object.fromEntries(tables.map(({ table, as, rows }) => [table, `${as}, ${count(rows, "row")}`])),
    }),
    ...(locked.length === 0
      ? []
      : [
          {
            type: "warning",
            text: `locked by an unfinished transaction until you promote: ${locked.join(", ")}`,
          } as const,
        ]),
    next(
      session({ container }),
      ...(state === "read-only" ? [command(`restore promote ${name}`)] : []),
      command(`restore drop ${name}`),
    ),
  ];
}

/** A dump is in a scratch server. */
function formatDumpRestored(result: DumpRestored): readonly Block[] {
  const { name, backup, at, tables, stack, fetchSeconds, loadSeconds, proofSeconds } = result;
  const failed = result.checks.filter(({ status }) => status === "failed").length;
  const times = `files ${span(fetchSeconds)}, load ${span(loadSeconds)}, proof ${span(proofSeconds)}`;
  return [
    checks(result.checks),
    heading(
      failed === 0
        ? `${name} is restored and proved (${times})`
        : `${name} is restored (${times}), and ${count(failed, "check")} failed`,
    ),
    pairs({
      backup,
      "committed by": `${utc(at)} UTC`,
      ...Object.fromEntries(tables.map(({ table, as, rows }) => [table, `${as}, ${count(rows, "row")}`])),
    }),
    next(session(result), command(`restore drop ${name} ${stack}`)),
  ];
}

/** `restore list`. */
export function formatRestoreList({ servers, unfinished }: RestoreListData): readonly Block[] {
  return [
    {
      type: "table",
      columns: [{ title: "NAME" }, { title: "MADE (UTC)" }, { title: "STATE" }, { title: "CONTAINER", priority: 1 }],
      rows: servers.map(({ name, createdAt, running, container }) => [
        name,
        utc(createdAt),
        running ? "running" : "stopped",
        container,
      ]),
    },
    heading(count(servers.length, "scratch server")),
    ...(unfinished === undefined ? [] : formatUnfinished(unfinished)),
  ];
}

/** `restore promote`. */
export function formatRestorePromote({ name, container }: ScratchInfo): readonly Block[] {
  return [heading(`${name} is writable`), next(session({ container }), command(`restore drop ${name}`))];
}

/** `restore drop`. */
export function formatRestoreDrop({ name, stack }: ScratchInfo): readonly Block[] {
  return [heading(`${name} is removed`), next(command(onStack("restore list", stack)))];
}

function described(statement: LossyStatement): string {
  return `${what(statement)}, committed ${stamp(statement.at)}`;
}

function session({ container, namespace }: Pick<ScratchInfo, "container" | "namespace">): NextCommand {
  if (namespace === undefined) return { shell: `docker exec --interactive --tty ${container} psql` };
  const pod = `--namespace ${namespace} exec --stdin --tty job/${container} --container scratch`;
  return { shell: `kubectl ${pod} -- psql` };
}
