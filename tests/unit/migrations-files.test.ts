import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { migrationFiles } from "../../operations/migrations/files.ts";
import { parseTap } from "../../operations/migrations/tap.ts";
import { databaseUrl } from "../../operations/migrations/url.ts";

describe("migration files", () => {
  let root: string;
  const write = (...names: string[]) => {
    for (const name of names) writeFileSync(join(root, "supabase/migrations", name), "select 1;");
  };
  beforeEach(() => {
    root = mkdtempSync(join(tmpdir(), "exai-migrations-"));
    mkdirSync(join(root, "supabase/migrations"), { recursive: true });
  });
  afterEach(() => {
    rmSync(root, { recursive: true });
  });

  it("come in the order of their versions", () => {
    write("20260102000000_b.sql", "20260101000000_z.sql", "notes.md");
    expect(migrationFiles(root).map((file) => `${file.version} ${file.name}`)).toEqual([
      "20260101000000 z",
      "20260102000000 b",
    ]);
  });

  it("are refused if the CLI would skip a file", () => {
    write("20260102_b.sql");
    expect(() => migrationFiles(root)).toThrow(/skip it/);
  });

  it("are refused if two files have the same version", () => {
    write("20260101000000_a.sql", "20260101000000_b.sql");
    expect(() => migrationFiles(root)).toThrow(/version of another/);
  });

  it("are refused if there is none", () => {
    expect(() => migrationFiles(root)).toThrow(/contains no migration/);
  });
});

describe("database URLs", () => {
  it("are split, so that no message contains the password", () => {
    const { url, password, display } = databaseUrl(
      "postgres://postgres:p%40ss@127.0.0.1:5432/postgres?sslmode=disable",
    );
    expect(password).toBe("p@ss");
    expect(url).toBe("postgres://postgres@127.0.0.1:5432/postgres?sslmode=disable");
    expect(display).toBe("127.0.0.1:5432/postgres");
  });

  it.each(["", "localhost:5432", "mysql://u:secret@h/db", "postgres://:secret@"])(
    "refuses %j without repeating it",
    (text) => {
      try {
        databaseUrl(text);
        expect.unreachable();
      } catch (error) {
        expect(String(error)).toContain("not a PostgreSQL URL");
        expect(String(error)).not.toContain("secret");
      }
    },
  );
});

describe("TAP", () => {
  it("counts what passed and keeps what failed with its diagnostics", () => {
    const result = parseTap(["1..3", "ok 1 - a", "not ok 2 - b", '# Failed test 2: "b"', "#   have: 1", "ok 3 - c"]);
    expect(result.passed).toBe(2);
    expect(result.failures).toEqual([{ title: "b", diagnostics: ['Failed test 2: "b"', "  have: 1"] }]);
  });

  it.each([
    ["no plan", ["ok 1 - a"]],
    ["empty plan", ["1..0"]],
    ["wrong plan", ["1..2", "ok 1 - a"]],
  ])("takes %s for a failure", (title, lines) => {
    expect(parseTap(lines).failures.map((failure) => failure.title)).toEqual([title]);
  });
});
