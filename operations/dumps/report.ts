import type { DrillCheck } from "../restore/drill.ts";

/** What a program of the image has written, one `name=value` a line. */
export class Report {
  readonly #entries: readonly (readonly [name: string, value: string])[];

  constructor(text: string) {
    this.#entries = text.split("\n").flatMap((line) => {
      const [, name, value] = /^([a-z_]+)=(.*)$/.exec(line) ?? [];
      return name === undefined || value === undefined ? [] : [[name, value] as const];
    });
  }

  /** The last value of a name. */
  value(name: string): string | undefined {
    return this.all(name).at(-1);
  }

  /** A number of seconds, bytes or rows; null if there is none. */
  number(name: string): number | null {
    const value = this.value(name) ?? "";
    return value === "" ? null : Number(value);
  }

  all(name: string): readonly string[] {
    return this.#entries.flatMap(([each, value]) => (each === name ? [value] : []));
  }

  get checks(): readonly DrillCheck[] {
    return this.all("check").map((line) => {
      const [name = "", status, detail = ""] = line.split("|");
      return { name, status: status === "passed" ? "passed" : "failed", detail };
    });
  }
}

/** The last lines of a program that ended without a report. */
export function lastLines(text: string, lines = 3): string {
  const said = text.split("\n").filter((line) => line.trim() !== "");
  return said.slice(-lines).join("; ") || "it ended without a message";
}
