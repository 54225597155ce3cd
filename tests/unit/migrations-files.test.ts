import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { migrationFiles, readMigrations } from "../../contract/sql/files.ts";
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

  it("may have any name and version that the CLI takes", () => {
    write("20261201090000_Add-Title.sql", "0001_init.sql", "20260102_b.sql");
    expect(migrationFiles(root).map(({ version }) => version)).toEqual(["0001", "20260102", "20261201090000"]);
  });

  it.each(["077a_fix_policies.sql", "notes.sql", "20260102000000_b.SQL", "20200102000000_init.sql"])(
    "are refused if the CLI would skip %s",
    (name) => {
      write(name);
      expect(() => migrationFiles(root)).toThrow(/skip it/);
    },
  );

  it("are refused if the CLI applies them in another order than their numbers have", () => {
    write("2_b.sql", "10_a.sql");
    expect(() => migrationFiles(root)).toThrow(/is applied before 2_b.sql/);
  });

  it.each([
    ["UTF-16", Buffer.from("\uFEFFselect 1;", "utf16le")],
    ["UTF-16LE", Buffer.from("select 1;", "utf16le")],
    ["another encoding than UTF-8", Buffer.from("-- \xe9t\xe9", "latin1")],
  ])("are refused in %s", (encoding, bytes) => {
    write("20260101000000_a.sql");
    writeFileSync(join(root, "supabase/migrations/20260102000000_b.sql"), bytes);
    expect(() => migrationFiles(root)).toThrow(`is encoded in ${encoding}`);
    expect(readMigrations(root).files.map(({ file }) => file)).toEqual(["20260101000000_a.sql"]);
  });

  it("are read without a byte order mark", () => {
    writeFileSync(join(root, "supabase/migrations/20260102000000_b.sql"), "\uFEFFselect 1;");
    expect(migrationFiles(root)[0]?.sql).toBe("select 1;");
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
