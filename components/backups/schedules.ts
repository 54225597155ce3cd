import type * as pulumi from "@pulumi/pulumi";
import { parseCron, type CronEngine } from "../../contract/cron/expression.ts";
import { isTimeZone } from "../../contract/cron/zones.ts";
import { UserError } from "../../contract/errors.ts";
import { ExaiComponent } from "../core/component.ts";

/** How a backup relates to earlier ones; values of the table `backup_schedules`. */
export const BACKUP_KINDS = ["full", "incremental", "differential"] as const;

/** One of {@link BACKUP_KINDS}. */
export type BackupKind = (typeof BACKUP_KINDS)[number];

/** How often a schedule is due; values of the table `backup_schedules`. */
export type BackupFrequency = "hourly" | "daily" | "weekly";

/** What runs schedules: the queue of the migrations on Docker, CronJobs on a cluster. One declaration is for both. */
const ENGINES: readonly CronEngine[] = ["queue", "kubernetes"];

/** Fewest and most days that a backup is kept. */
export const RETENTION_DAYS = { min: 7, max: 90 } as const;

/** When backups are due and how long they are kept. */
export interface Schedule {
  /** Label of the metrics, part of object names: lower case, digits, dashes. */
  readonly name: string;
  readonly kind: BackupKind;
  readonly frequency: BackupFrequency;
  /** Five cron fields. */
  readonly cron: string;
  /** IANA name; the schedule follows its wall clock. */
  readonly timeZone: string;
  readonly retentionDays: number;
}

/** When restore drills are due. */
export interface DrillTimes {
  readonly name: string;
  /** Five cron fields. */
  readonly cron: string;
  /** IANA name; the schedule follows its wall clock. */
  readonly timeZone: string;
  /** The longest that a restore may take. */
  readonly deadlineMinutes: number;
}

/** A restore drill on the second day of each month, when no backup is due but the hourly one. */
export function drillTimes(timeZone: string): DrillTimes {
  return { name: "monthly-drill", cron: "0 4 2 * *", timeZone, deadlineMinutes: 59 };
}

/** A stack's settings for its backups. */
export interface ScheduleSettings {
  readonly timeZone: string;
  readonly dailyRetentionDays: number;
  readonly hourlyRetentionDays: number;
  readonly weeklyRetentionDays: number;
}

/**
 * The stack's schedules: a full backup every night, an incremental one every hour and a differential one every Sunday,
 * an hour after the night's full backup, for long-term retention.
 *
 * @throws UserError if a retention or the time zone is out of bounds
 */
export function backupSchedules(settings: ScheduleSettings): readonly Schedule[] {
  const { timeZone } = settings;
  const schedules: Schedule[] = [
    {
      name: "daily",
      kind: "full",
      frequency: "daily",
      cron: "0 2 * * *",
      timeZone,
      retentionDays: settings.dailyRetentionDays,
    },
    {
      name: "hourly",
      kind: "incremental",
      frequency: "hourly",
      cron: "0 * * * *",
      timeZone,
      retentionDays: settings.hourlyRetentionDays,
    },
    {
      name: "weekly",
      kind: "differential",
      frequency: "weekly",
      cron: "0 3 * * 0",
      timeZone,
      retentionDays: settings.weeklyRetentionDays,
    },
  ];
  for (const schedule of schedules) checkSchedule(schedule);
  return schedules;
}

/** Validates a schedule before the database, pg_cron or Kubernetes do. @throws UserError */
export function checkSchedule(schedule: Schedule): void {
  const where = `backup schedule ${schedule.name}`;
  const { min, max } = RETENTION_DAYS;
  if (!/^[a-z][a-z0-9-]{0,30}$/.test(schedule.name))
    throw new UserError(
      "invalid-setting",
      where,
      "has a name that object names cannot carry",
      "use lower-case letters, digits and dashes",
    );
  if (!Number.isInteger(schedule.retentionDays) || schedule.retentionDays < min || schedule.retentionDays > max)
    throw new UserError(
      "invalid-setting",
      where,
      `keeps backups for ${schedule.retentionDays} days, outside ${min}-${max}`,
      `set exai:${schedule.name}RetentionDays to ${min}-${max}`,
    );
  if (!isTimeZone(schedule.timeZone))
    throw new UserError(
      "invalid-setting",
      where,
      `names the time zone ${schedule.timeZone}, which is not a name of the IANA database`,
      "set exai:backupTimeZone to a name such as Europe/Berlin",
    );
  try {
    for (const engine of ENGINES) parseCron(schedule.cron, engine);
  } catch (error) {
    throw new UserError(
      "invalid-setting",
      where,
      `has the cron expression "${schedule.cron}": ${(error as Error).message}`,
      'use five fields, e.g. "0 2 * * *"',
    );
  }
}

/** A declared schedule. Its runner differs per platform; this resource is the same on both. */
export class BackupSchedule extends ExaiComponent {
  constructor(schedule: Schedule, opts?: pulumi.ComponentResourceOptions) {
    const { name, kind, cron, timeZone, retentionDays } = schedule;
    super(
      "exai:backups:BackupSchedule",
      `backup-${name}`,
      { name, kind, schedule: cron, timeZone, retentionDays },
      opts,
    );
    this.registerOutputs({});
  }
}

/** The declared schedule of the restore drills. */
export class DrillSchedule extends ExaiComponent {
  constructor({ name, cron, timeZone, deadlineMinutes }: DrillTimes, opts?: pulumi.ComponentResourceOptions) {
    const inputs = { name, kind: "drill", schedule: cron, timeZone, deadlineMinutes };
    super("exai:backups:DrillSchedule", name, inputs, opts);
    this.registerOutputs({});
  }
}
