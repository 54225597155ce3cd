import { command, onStack } from "../../contract/fix.ts";
import type { BackupRecord } from "../../operations/backups/history.ts";
import type { BackupResult } from "../../operations/backups/request.ts";
import type { BackupVerification } from "../../operations/backups/verify.ts";
import type { BackupListData } from "../results.ts";
import type { Block } from "./block.ts";
import { count, size, span, utc } from "./units.ts";

/** `backup now`. */
export function formatBackupNow({ outcome, backup, seconds, stack }: BackupResult): readonly Block[] {
  const name = `backup ${backup.label ?? backup.id}`;
  const heading = (text: string, ...next: readonly string[]): readonly Block[] => [
    { type: "heading", text },
    { type: "next", commands: next.map(command) },
  ];
  switch (outcome) {
    case "completed":
      return heading(
        `${name} is complete and verified: ${bytes(backup.storedBytes)} stored for a ${stack === undefined ? "database" : "dump"} of ${bytes(backup.sizeBytes)}`,
        onStack("backup list", stack),
      );
    case "failed":
      return heading(
        `${name} failed: ${backup.error ?? "no reason was recorded"}`,
        stack === undefined ? "logs backup-runner" : `backup verify ${stack}`,
      );
    case "verification-failed":
      return heading(
        `${name} was made, but the verification of the repository failed`,
        "backup list",
        "logs backup-runner",
      );
    case "verification-timeout":
      return heading(`${name} was made, but not verified after ${span(seconds)}`, "logs backup-runner");
    case "not-claimed":
      return heading(
        `no runner took ${name} within ${span(seconds)}; the request was withdrawn`,
        "status",
        "logs backup-runner",
      );
  }
}

/** `backup list`. */
export function formatBackupList({ backups, unreachable, stack }: BackupListData): readonly Block[] {
  const restorable = backups.filter(
    ({ status, expiredAt, stored }) => status === "completed" && expiredAt === null && stored !== false,
  );
  const failed = backups.filter(({ status }) => status === "failed");
  return [
    {
      type: "table",
      columns: [
        { title: "REQUESTED (UTC)" },
        { title: "SCHEDULE", priority: 3 },
        { title: "KIND", priority: 1 },
        { title: "STATE" },
        { title: "VERIFIED" },
        { title: "TOOK", priority: 4, align: "right" },
        { title: "STORED", priority: 2, align: "right" },
        { title: "LABEL", priority: 5 },
      ],
      rows: backups.map((backup) => [
        utc(backup.requestedAt),
        backup.schedule ?? backup.trigger,
        backup.kind,
        backup.stored === false ? "missing" : backup.expiredAt === null ? backup.status.replace("_", " ") : "expired",
        backup.verification ?? "",
        took(backup),
        bytes(backup.storedBytes),
        backup.label ?? backup.error?.split("\n")[0] ?? "",
      ]),
    },
    {
      type: "heading",
      text: `${count(restorable.length, "backup")} can be restored, ${String(failed.length)} failed`,
    },
    ...(unreachable === undefined
      ? []
      : [
          {
            type: "warning",
            text: `only what the repository has: the history cannot be read: ${unreachable}`,
          } as const,
        ]),
    ...(backups.length === 0
      ? [{ type: "next", commands: [command(onStack("backup now --kind full", stack))] } as const]
      : []),
  ];
}

/** `backup verify`. */
export function formatBackupVerify({
  outcome,
  findings,
  sample,
  recorded,
  seconds,
  stack,
}: BackupVerification): readonly Block[] {
  const restored = sample === undefined ? "" : `; ${sample.label} was restored in ${span(sample.seconds)}`;
  const sound = outcome === "sound";
  return [
    ...(sound
      ? []
      : [
          {
            type: "table",
            columns: [{ title: "FINDING" }, { title: "SUBJECT" }, { title: "DETAIL", priority: 1 }],
            rows: findings.map(({ code, subject, detail }) => [code, subject, detail]),
          } as const,
        ]),
    {
      type: "heading",
      text: sound
        ? `the repository is sound (${span(seconds)})${restored}`
        : `the repository is damaged: ${count(findings.length, "finding")}${restored}`,
    },
    ...(recorded
      ? []
      : [{ type: "warning", text: "the database does not answer: the result is not recorded" } as const]),
    {
      type: "next",
      commands: sound
        ? [command(onStack("backup list", stack))]
        : [
            command(onStack("backup now --kind full", stack)),
            command(stack === undefined ? "logs backup-runner" : `backup list ${stack}`),
          ],
    },
  ];
}

function took({ startedAt, finishedAt }: BackupRecord): string {
  if (startedAt === null || finishedAt === null) return "";
  return `${((finishedAt.getTime() - startedAt.getTime()) / 1000).toFixed(1)} s`;
}

function bytes(number: number | null): string {
  return number === null ? "" : size(number);
}
