import { parse } from "smol-toml";
import type { SourcePosition } from "../../../contract/graph.ts";

/** The comment above a setting that declares it as meant, with a reason. */
const DECLARATION = /^\s*#\s*declared:\s*(\S.{9,})$/;

interface Found {
  readonly path: readonly string[];
  readonly line: number;
}

/** Where the keys of a TOML file stand. The parser gives no positions of values. */
export class LineIndex {
  readonly #file: string;
  readonly #lines: readonly string[];
  /** Line numbers from 1, by the key's path as JSON. The first one counts. */
  readonly #places = new Map<string, number>();
  /** Line numbers of the sections that have a header, likewise. */
  readonly #headers = new Map<string, number>();

  constructor(file: string, text: string) {
    this.#file = file;
    this.#lines = text.split(/\r?\n/);
    let section: readonly string[] = [];
    for (const [index, line] of this.#lines.entries()) {
      const header = /^\s*\[{1,2}([^[\]]+)\]{1,2}\s*(?:#.*)?$/.exec(line)?.[1];
      const key =
        header ?? /^\s*((?:[\w-]+|"[^"]*"|'[^']*')(?:\s*\.\s*(?:[\w-]+|"[^"]*"|'[^']*'))*)\s*=/.exec(line)?.[1];
      if (key === undefined) continue;
      const path = [...(header === undefined ? section : []), ...pathOf(key)];
      if (header !== undefined) {
        section = path;
        this.#headers.set(JSON.stringify(path), index + 1);
      }
      for (let length = 1; length <= path.length; length++) {
        const name = JSON.stringify(path.slice(0, length));
        if (!this.#places.has(name)) this.#places.set(name, index + 1);
      }
    }
  }

  /** The place of a key, or of the innermost one above it that has a line: in the section of a remote first. */
  at(path: readonly string[], remote?: string): SourcePosition {
    return { file: this.#file, line: this.#find(path, remote, 1)?.line ?? 1 };
  }

  /**
   * The reason that a comment directly above a key declares. For a key of a separate section, such as a function, it may stand above
   * the section.
   */
  declared(path: readonly string[], remote?: string): string | undefined {
    const found = this.#find(path, remote, path.length - 1);
    if (found === undefined) return undefined;
    const header = path.length > 2 ? this.#headers.get(JSON.stringify(found.path.slice(0, -1))) : undefined;
    return this.#above(found.line) ?? (header === undefined ? undefined : this.#above(header));
  }

  /** The line of the longest part of a path, of at least so many keys. */
  #find(path: readonly string[], remote: string | undefined, least: number): Found | undefined {
    const own = remote === undefined ? [] : [["remotes", remote, ...path]];
    const shorter = Array.from({ length: path.length - least + 1 }, (_, index) => path.slice(0, path.length - index));
    for (const tried of [...own, ...shorter]) {
      const line = this.#places.get(JSON.stringify(tried));
      if (line !== undefined) return { path: tried, line };
    }
    return undefined;
  }

  #above(line: number): string | undefined {
    for (let at = line - 1; at > 0 && /^\s*#/.test(this.#lines[at - 1] ?? ""); at--) {
      const reason = DECLARATION.exec(this.#lines[at - 1] ?? "")?.[1];
      if (reason !== undefined) return reason.trim();
    }
    return undefined;
  }
}

/** The parts of a key, which may be quoted. */
function pathOf(key: string): string[] {
  try {
    const path: string[] = [];
    let table: unknown = parse(`${key} = 0`);
    while (typeof table === "object" && table !== null) {
      const [[name, below] = ["", 0]] = Object.entries(table);
      path.push(name);
      table = below;
    }
    return path;
  } catch {
    return [key];
  }
}
