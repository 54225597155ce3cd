import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { parseCron } from "../../contract/cron/expression.ts";
import { longestGap } from "../../contract/cron/gaps.ts";
import { isTimeZone } from "../../contract/cron/zones.ts";
import { schedulesVariable } from "../../components/backups/docker.ts";
import { backupSchedules, checkSchedule, type Schedule } from "../../components/backups/schedules.ts";
import { UserError } from "../../contract/errors.ts";

const settings = { timeZone: "Europe/Berlin", dailyRetentionDays: 30, hourlyRetentionDays: 7, weeklyRetentionDays: 90 };
const [daily] = backupSchedules(settings) as [Schedule];

describe("the stack's schedules", () => {
  it("are a nightly full backup at 02:00, an hourly incremental one, and a weekly one on Sundays at 03:00", () => {
    expect(
      backupSchedules(settings).map(({ name, kind, cron, retentionDays }) => [name, kind, cron, retentionDays]),
    ).toEqual([
      ["daily", "full", "0 2 * * *", 30],
      ["hourly", "incremental", "0 * * * *", 7],
      ["weekly", "differential", "0 3 * * 0", 90],
    ]);
    expect(backupSchedules(settings).every(({ timeZone }) => timeZone === "Europe/Berlin")).toBe(true);
  });

  it("refuses a retention outside 7-90 days and names the setting", () => {
    for (const days of [6, 91, 7.5, Number.NaN]) {
      const refused = () => backupSchedules({ ...settings, hourlyRetentionDays: days });
      expect(refused).toThrow(UserError);
      expect(refused).toThrow(/outside 7-90/);
    }
    try {
      backupSchedules({ ...settings, weeklyRetentionDays: 91 });
      expect.unreachable();
    } catch (error) {
      expect(String((error as UserError).fix)).toContain("exai:weeklyRetentionDays");
    }
  });

  it.each(["Mars/Olympus", "+02:00", "", "Europe/Berlin; drop", "Europe/berlin", "asia/Kolkata", "EST5", "Local"])(
    "refuses the time zone %j",
    (timeZone) => {
      expect(() => backupSchedules({ ...settings, timeZone })).toThrow(/time zone/);
    },
  );

  it.each([
    "0 2 * *",
    "60 2 * * *",
    "0 24 * * *",
    "0 2 0 * *",
    "0 2 * 13 *",
    "0 2 * * 8",
    "0 2 * * 7",
    "0 2 * * sun",
    "@daily",
    "0 2 ? * *",
    "a 2 * * *",
    "0 2-1 * * *",
    "*/0 * * * *",
  ])("refuses the cron expression %j", (cron) => {
    expect(() => {
      checkSchedule({ ...daily, cron });
    }).toThrow(/cron expression/);
  });

  it("are passed to the runner field by field", () => {
    expect(schedulesVariable(backupSchedules(settings))).toBe(
      "daily|full|daily|0 2 * * *|Europe/Berlin|30;" +
        "hourly|incremental|hourly|0 * * * *|Europe/Berlin|7;" +
        "weekly|differential|weekly|0 3 * * 0|Europe/Berlin|90",
    );
  });
});

describe("the engines of schedules", () => {
  it.each([
    ["0 3 * * 7", "kubernetes"],
    ["0 3 $ * *", "kubernetes"],
    ["30 seconds", "kubernetes"],
    ["CRON_TZ=UTC 0 3 * * *", "kubernetes"],
    ["0 3 * jan *", "queue"],
    ["0  3 * * *", "queue"],
    ["60 seconds", "pg_cron"],
    ["0 3 ? * *", "debian"],
    ["@every 1h", "debian"],
  ] as const)("%s is refused by %s", (expression, engine) => {
    expect(() => parseCron(expression, engine)).toThrow();
  });

  it.each([
    ["0 3 * * sun", "kubernetes", 10_080],
    ["0 3 ? * *", "kubernetes", 1440],
    ["@every 1h30m", "kubernetes", 90],
    ["0 3 * * 7", "queue", 10_080],
    ["30 seconds", "pg_cron", 0.5],
    ["0 3 $ * *", "pg_cron", 31 * 1440],
    ["0 3 31 2 *", "kubernetes", Infinity],
    // A step restricts the day of the month for a CronJob, so that either day suffices; Vixie cron needs both.
    ["0 3 */2 * 1", "kubernetes", 2 * 1440],
    ["0 3 */2 * 1", "debian", 21 * 1440],
  ] as const)("%s has for %s a longest gap of %d minutes", (expression, engine, minutes) => {
    expect(longestGap(parseCron(expression, engine), "UTC").minutes).toBe(minutes);
  });

  it.each([
    // 02:00 is skipped by a CronJob in spring, and is run twice in autumn.
    ["0 2 * * *", "kubernetes", "Europe/Berlin", 47 * 60],
    ["0 2 * * *", "kubernetes", "America/New_York", 47 * 60],
    ["0 2 * * *", "kubernetes", "Europe/London", 25 * 60],
    ["0 1 * * *", "kubernetes", "Europe/London", 47 * 60],
    ["30 2 * * *", "kubernetes", "Australia/Lord_Howe", 24 * 60 + 30],
    ["0 2 * * *", "kubernetes", "Asia/Kolkata", 1440],
    ["0 * * * *", "kubernetes", "Europe/Berlin", 60],
    // The queue and Vixie cron run it after the change; the night of autumn has 25 hours.
    ["0 2 * * *", "queue", "Europe/Berlin", 25 * 60],
    ["0 2 * * *", "debian", "Europe/Berlin", 25 * 60],
    ["0 2 * * *", "pg_cron", "UTC", 1440],
  ] as const)("%s by %s in %s leaves %d minutes", (expression, engine, zone, minutes) => {
    expect(longestGap(parseCron(expression, engine), zone).minutes).toBe(minutes);
  });
});

describe("cron expressions", () => {
  it("reads lists, ranges and steps", () => {
    expect([...parseCron("0,30 8-10 1 */6 1-7", "queue").minutes]).toEqual([0, 30]);
    expect([...parseCron("0 8-10 * * *", "queue").hours]).toEqual([8, 9, 10]);
    expect([...parseCron("0 0 * */6 *", "queue").months]).toEqual([1, 7]);
    expect([...parseCron("50/5 0 * * *", "queue").minutes]).toEqual([50, 55]);
  });

  it("accepts 0 and 7 for Sunday", () => {
    expect(parseCron("0 3 * * 0", "queue").weekdays).toEqual(parseCron("0 3 * * 7", "queue").weekdays);
  });

  it("has exactly the values of a range", () => {
    fc.assert(
      fc.property(fc.integer({ min: 0, max: 59 }), fc.integer({ min: 0, max: 59 }), (a, b) => {
        const [low, high] = a < b ? [a, b] : [b, a];
        const minutes = parseCron(`${low}-${high} * * * *`, "queue").minutes;
        expect(minutes.size).toBe(high - low + 1);
        expect(Math.min(...minutes)).toBe(low);
        expect(Math.max(...minutes)).toBe(high);
      }),
    );
  });
});

describe("time zones", () => {
  it.each([
    "UTC",
    "Europe/Berlin",
    "Asia/Kolkata",
    "Asia/Calcutta",
    "Europe/Kyiv",
    "US/Pacific",
    "Etc/GMT+5",
    "America/Port-au-Prince",
    "America/Argentina/Buenos_Aires",
    "Africa/Dar_es_Salaam",
    "Antarctica/DumontDUrville",
    "Australia/NSW",
  ])("%s is one", (name) => {
    expect(isTimeZone(name)).toBe(true);
  });

  it.each([
    "Europe/berlin",
    "europe/Berlin",
    "EUROPE/BERLIN",
    "us/pacific",
    "Asia/KOLKATA",
    "Asia/kolkata",
    "+02:00",
    "Mars/Olympus",
    "",
  ])("%j is none", (name) => {
    expect(isTimeZone(name)).toBe(false);
  });

  it("every name that the runtime lists is one", () => {
    expect(Intl.supportedValuesOf("timeZone").filter((name) => !isTimeZone(name))).toEqual([]);
  });
});
