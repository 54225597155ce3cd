import { spawn } from "node:child_process";
import { once } from "node:events";
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { text } from "node:stream/consumers";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { downQuestion } from "../../../cli/format/stack.ts";
import { claimHome, MARK_FILE, readMark } from "../../../contract/machine/stack-home.ts";
import { homeEntries, removeHome } from "../../../platforms/compose/home.ts";
import { dockerStack, engineTarget } from "../../../platforms/compose/project.ts";
import { FileState } from "../../../platforms/compose/state.ts";
import { declaredStack } from "../../../platforms/declared.ts";

let folder: string;
let home: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "exai-home-"));
  home = join(folder, "home");
});
afterEach(() => {
  rmSync(folder, { recursive: true, force: true });
});

describe("the folder of a local stack", () => {
  it("is marked when it is created, and the mark stays", () => {
    const mark = claimHome(home, "exai");
    expect(claimHome(home, "exai")).toEqual(mark);
    expect(readMark(home)).toMatchObject({ schema: 1, instance: "exai" });
  });

  it("is marked before the engine writes its backend there, so that a preview does not make it look foreign", () => {
    engineTarget(dockerStack(declaredStack("local", { homeDirectory: home, instance: "exai-home" })));
    expect(readMark(home)).toMatchObject({ instance: "exai-home" });
  });

  it("is not one with files of something else", () => {
    mkdirSync(home);
    writeFileSync(join(home, "thesis.tex"), "");
    expect(() => claimHome(home, "exai")).toThrow("has files that are not of a stack (thesis.tex)");
    expect(() => new FileState(home, "exai").password("generated-jwt", 48)).toThrow("thesis.tex");
    expect(readdirSync(home)).toEqual(["thesis.tex"]);
  });

  it("belongs to one instance", () => {
    claimHome(home, "exai");
    expect(() => claimHome(home, "other")).toThrow("is the folder of instance exai, not of other");
    expect(() => removeHome(home, "other")).toThrow("is the folder of instance exai");
  });

  it("may be a folder into which secrets.json was restored", () => {
    mkdirSync(home);
    writeFileSync(join(home, "secrets.json"), '{"generated-postgres": "p"}');
    claimHome(home, "exai");
    expect(new FileState(home, "exai").password("generated-postgres", 48)).toBe("p");
  });

  it.each([
    ["{broken", "is not JSON"],
    ["{}", "is not the mark of a stack"],
  ])("with the damaged mark %s is left alone", (mark, problem) => {
    claimHome(home, "exai");
    writeFileSync(join(home, MARK_FILE), mark);
    for (const work of [() => claimHome(home, "exai"), () => removeHome(home, "exai")]) expect(work).toThrow(problem);
  });

  it("is not marked by a link to the mark of another folder", () => {
    claimHome(home, "exai");
    mkdirSync(join(folder, "foreign"));
    symlinkSync(join(home, MARK_FILE), join(folder, "foreign", MARK_FILE));
    expect(() => removeHome(join(folder, "foreign"), "exai")).toThrow("is not a regular file");
  });
});

describe("the removal of a stack's folder", () => {
  it("takes everything that operations made, and the folder", () => {
    new FileState(home, "exai").password("generated-jwt", 48);
    new FileState(home, "exai").setSlot("blue", "image");
    for (const name of ["files/server", "rollout/leases", "routes/.staging-3", "backend", "engine"])
      mkdirSync(join(home, name), { recursive: true });
    writeFileSync(join(home, "files/server/token"), "x");
    writeFileSync(join(home, "secrets.json.77.tmp"), "left by a killed process");
    expect(removeHome(home, "exai")).toEqual([]);
    expect(existsSync(home)).toBe(false);
  });

  it("takes nothing without the mark, even under the names that operations use", () => {
    mkdirSync(join(home, "files"), { recursive: true });
    writeFileSync(join(home, "files/photo.jpg"), "");
    writeFileSync(join(home, "secrets.json"), "{}");
    expect(homeEntries(home, "exai").own).toEqual([]);
    expect(removeHome(home, "exai")).toEqual([join(home, "files"), join(home, "secrets.json")]);
    expect(existsSync(join(home, "files/photo.jpg"))).toBe(true);
  });

  it("leaves what it did not make, and does not follow a link", () => {
    claimHome(home, "exai");
    const outside = join(folder, "outside");
    mkdirSync(outside);
    writeFileSync(join(outside, "kept"), "");
    mkdirSync(join(home, "files"));
    symlinkSync(outside, join(home, "files/link"));
    symlinkSync(outside, join(home, "routes"));
    writeFileSync(join(home, "notes.txt"), "");
    writeFileSync(join(home, "compose.yaml"), "");
    expect(removeHome(home, "exai")).toEqual(["files/link", "routes", "notes.txt"].map((name) => join(home, name)));
    expect(readdirSync(outside)).toEqual(["kept"]);
    expect(readdirSync(home).sort()).toEqual([MARK_FILE, "files", "notes.txt", "routes"]);
  });

  it("is asked about by name", () => {
    const plan = {
      name: "exai",
      data: true,
      volumes: ["exai-postgres-data"],
      home: "/x/home",
      files: ["secrets.json"],
    };
    expect(downQuestion(plan)).toBe(
      "This permanently deletes the volumes exai-postgres-data; and in /x/home: secrets.json.",
    );
    expect(downQuestion({ name: "exai", data: true, home: "/x", files: [] })).toContain(
      "everything, its data included",
    );
  });
});

describe("the passwords of a stack", () => {
  const state = new URL("../../../platforms/compose/state.ts", import.meta.url).href;

  it("are the same for processes that start at the same time on an empty folder", async () => {
    const code = `const { FileState } = await import(${JSON.stringify(state)});
      await new Promise((resolve) => process.stdin.once("data", resolve));
      const state = new FileState(${JSON.stringify(home)}, "exai");
      console.log(JSON.stringify(Object.fromEntries(["a", "b", "c"].map((name) => [name, state.password(name, 48)]))));
      process.exit();`;
    const children = Array.from({ length: 4 }, () => {
      const child = spawn(process.execPath, ["--input-type=module", "-e", code], {
        stdio: ["pipe", "pipe", "inherit"],
      });
      return { child, output: text(child.stdout) };
    });
    await Promise.all(children.map(({ child }) => once(child, "spawn")));
    for (const { child } of children) child.stdin.end("go\n");
    const used = await Promise.all(children.map(({ output }) => output));
    const stored: unknown = JSON.parse(readFileSync(join(home, "secrets.json"), "utf8"));
    for (const passwords of used) expect(JSON.parse(passwords)).toEqual(stored);
    expect(readdirSync(home).sort()).toEqual([MARK_FILE, "secrets.json"]);
  });

  it("are not generated again where the file cannot be read", () => {
    mkdirSync(join(home, "secrets.json"), { recursive: true });
    expect(() => new FileState(home, "exai")).toThrow("cannot be read (EISDIR)");
    expect(() => new FileState(join(home, "secrets.json"), "exai")).not.toThrow();
    writeFileSync(join(folder, "file"), "");
    expect(() => new FileState(join(folder, "file"), "exai")).toThrow("cannot be read (ENOTDIR)");
  });

  it("are generated although a killed process has left its lock", () => {
    claimHome(home, "exai");
    writeFileSync(join(home, "secrets.json.lock"), "");
    expect(new FileState(home, "exai").password("a", 48)).toHaveLength(48);
    expect(readdirSync(home).sort()).toEqual([MARK_FILE, "secrets.json"]);
  });
});
