/** A part of a word: text, a variable, or what a command prints. */
export type Part =
  | { readonly kind: "text"; readonly text: string }
  | { readonly kind: "variable"; readonly name: string }
  | { readonly kind: "output"; readonly script: string };

export type Word = readonly Part[];

export interface Command {
  readonly words: readonly Word[];
  /** The command whose output it reads. */
  readonly input: Command | undefined;
  /** Files that it writes by redirection. */
  readonly writes: readonly Word[];
}

/** The commands of a script of a POSIX shell, as far as it decides which programs run. */
export function commandsOf(script: string): readonly Command[] {
  return new Script(script).commands();
}

class Script {
  readonly #text: string;
  #at = 0;

  constructor(text: string) {
    this.#text = text;
  }

  commands(): readonly Command[] {
    const commands: Command[] = [];
    let [words, writes]: [Word[], Word[]] = [[], []];
    let input: Command | undefined;
    let redirects = false;
    let document: string | undefined;
    const end = (pipes: boolean) => {
      const command = words.length + writes.length === 0 ? undefined : { words, input, writes };
      if (command !== undefined) commands.push(command);
      [words, writes, redirects] = [[], [], false];
      input = pipes ? command : undefined;
    };
    while (this.#at < this.#text.length) {
      const sign = this.#text[this.#at] ?? "";
      if (sign === "\n" && document !== undefined) {
        this.#skipDocument(document);
        document = undefined;
        end(false);
      } else if (sign === "#" && /(^|[\s;])$/.test(this.#text.slice(0, this.#at))) this.#skip(/[^\n]*/y);
      else if (/[ \t\r]/.test(sign) || this.#skip(/\\\n/y)) this.#at += /[ \t\r]/.test(sign) ? 1 : 0;
      else if (this.#skip(/\|\|/y)) end(false);
      else if (this.#skip(/\|&?/y)) end(true);
      else if (this.#skip(/[\n;&()]+/y)) end(false);
      else if (/^\d*<<-?\s*["']?\w/.test(this.#text.slice(this.#at, this.#at + 40))) {
        this.#skip(/\d*<<-?\s*/y);
        document = this.#word()
          .flatMap((part) => (part.kind === "text" ? part.text : []))
          .join("");
      } else if (this.#skip(/\d*<<<\s*/y)) redirects = false;
      else if (this.#skip(/\d*<\(/y))
        words.push([
          { kind: "text", text: "<(" },
          { kind: "output", script: this.#until(")") },
        ]);
      else if (this.#skip(/\d*(?:>>?\|?|<<?-?)&?\s*/y)) redirects = true;
      else {
        const word = this.#word();
        if (redirects) writes.push(word);
        else words.push(word);
        redirects = false;
      }
    }
    end(false);
    return commands;
  }

  #skip(pattern: RegExp): boolean {
    pattern.lastIndex = this.#at;
    const found = pattern.exec(this.#text)?.[0];
    if (found === undefined || found === "") return false;
    this.#at += found.length;
    return true;
  }

  /** A here-document: the lines up to its delimiter. */
  #skipDocument(delimiter: string): void {
    const lines = this.#text.slice(this.#at + 1).split("\n");
    const last = lines.findIndex((line) => line.trim() === delimiter);
    this.#at += 1 + (last < 0 ? lines : lines.slice(0, last + 1)).join("\n").length;
  }

  #word(): Word {
    const parts: Part[] = [];
    const add = (text: string) => {
      const last = parts.at(-1);
      if (last?.kind === "text") parts[parts.length - 1] = { kind: "text", text: last.text + text };
      else parts.push({ kind: "text", text });
    };
    let quoted = false;
    const from = this.#at;
    while (this.#at < this.#text.length) {
      const sign = this.#text[this.#at] ?? "";
      if (!quoted && /[\s|;&()<>]/.test(sign)) break;
      this.#at += 1;
      if (sign === '"') quoted = !quoted;
      else if (sign === "'" && !quoted) add(this.#until("'"));
      else if (sign === "\\") {
        const next = this.#text[this.#at] ?? "";
        this.#at += 1;
        if (next !== "\n") add(next);
      } else if (sign === "`") parts.push({ kind: "output", script: this.#until("`") });
      else if (sign === "$") this.#expansion(parts, add);
      else add(sign);
    }
    if (this.#at === from) this.#at += 1;
    return parts.length === 0 ? [{ kind: "text", text: "" }] : parts;
  }

  #expansion(parts: Part[], add: (text: string) => void): void {
    const rest = this.#text.slice(this.#at);
    if (rest.startsWith("((")) {
      const end = rest.indexOf("))");
      this.#at += end < 0 ? rest.length : end + 2;
      parts.push({ kind: "variable", name: "(())" });
    } else if (rest.startsWith("(")) {
      this.#at += 1;
      parts.push({ kind: "output", script: this.#until(")") });
    } else if (rest.startsWith("{")) {
      this.#at += 1;
      const [, name = "?", more = ""] = /^(\w+|[@*#?!$-])(.*)$/s.exec(this.#until("}")) ?? [];
      parts.push({ kind: "variable", name: more === "" ? name : `${name}${more}` });
    } else if (rest.startsWith("'")) {
      this.#at += 1;
      parts.push({ kind: "output", script: `printf ${this.#until("'")}` });
    } else {
      const name = /^(?:[A-Za-z_]\w*|[@*#?!$0-9-])/.exec(rest)?.[0];
      this.#at += name?.length ?? 0;
      if (name === undefined) add("$");
      else parts.push({ kind: "variable", name });
    }
  }

  /** The text up to a sign outside of quotes and inner parentheses, which it leaves behind. */
  #until(closing: string): string {
    const from = this.#at;
    let depth = 0;
    while (this.#at < this.#text.length) {
      const sign = this.#text[this.#at] ?? "";
      this.#at += 1;
      if (sign === closing && depth === 0) return this.#text.slice(from, this.#at - 1);
      if (closing === "'" || closing === "`") continue;
      if (sign === "\\") this.#at += 1;
      else if (sign === "'" || sign === '"') {
        while (this.#at < this.#text.length && this.#text[this.#at] !== sign)
          this.#at += this.#text[this.#at] === "\\" ? 2 : 1;
        this.#at += 1;
      } else if (sign === (closing === ")" ? "(" : "{")) depth += 1;
      else if (sign === closing) depth -= 1;
    }
    return this.#text.slice(from);
  }
}
