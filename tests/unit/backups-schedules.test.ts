import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { parseCron } from "../../contract/cron.ts";
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

  it.each(["Mars/Olympus", "+02:00", "", "Europe/Berlin; drop"])("refuses the time zone %j", (timeZone) => {
    expect(() => backupSchedules({ ...settings, timeZone })).toThrow(/time zone/);
  });

  it.each([
    "0 2 * *",
    "60 2 * * *",
    "0 24 * * *",
    "0 2 0 * *",
    "0 2 * 13 *",
    "0 2 * * 8",
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

describe("cron expressions", () => {
  it("reads lists, ranges and steps", () => {
    expect([...parseCron("0,30 8-10 1 */6 1-7").minutes]).toEqual([0, 30]);
    expect([...parseCron("0 8-10 * * *").hours]).toEqual([8, 9, 10]);
    expect([...parseCron("0 0 * */6 *").months]).toEqual([1, 7]);
    expect([...parseCron("50/5 0 * * *").minutes]).toEqual([50, 55]);
  });

  it("accepts 0 and 7 for Sunday", () => {
    expect(parseCron("0 3 * * 0").weekdays).toEqual(parseCron("0 3 * * 7").weekdays);
  });

  it("has exactly the values of a range", () => {
    fc.assert(
      fc.property(fc.integer({ min: 0, max: 59 }), fc.integer({ min: 0, max: 59 }), (a, b) => {
        const [low, high] = a < b ? [a, b] : [b, a];
        const minutes = parseCron(`${low}-${high} * * * *`).minutes;
        expect(minutes.size).toBe(high - low + 1);
        expect(Math.min(...minutes)).toBe(low);
        expect(Math.max(...minutes)).toBe(high);
      }),
    );
  });
});
