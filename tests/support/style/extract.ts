import ts from "typescript";

/** A piece of text that people read: a string, a comment, or a page. */
export interface Passage {
  readonly kind: "string" | "comment" | "prose";
  readonly text: string;
  /** Line in the file, from 1, of an offset in {@link text}. */
  lineOf(offset: number): number;
}

/** A part of a passage, and its offset in the file; text that the file does not have (a placeholder) has the next one's. */
interface Part {
  readonly text: string;
  readonly offset: number;
}

/** What stands in a template's text for a value. */
const VALUE = "{}";

/**
 * The text of a file that people read. TypeScript and JavaScript: each string, template, regular expression and comment;
 * neighbouring line comments, and strings joined by `+`, are one passage. Any other file: one passage, without the marks of
 * comments.
 * @param path decides the language
 */
export function passagesOf(path: string, content: string): readonly Passage[] {
  return /\.[cm]?[jt]s$/.test(path) ? passagesOfScript(path, content) : [page(path, content)];
}

function page(path: string, content: string): Passage {
  const marks = path.endsWith(".md") ? /^[ \t]*>[ \t]?/ : /^[ \t]*(?:#+|--+|\/\/+|\/?\*+\/?|--!)[ \t]?/;
  return passage("prose", content, linesWithout(marks, content, 0));
}

function passagesOfScript(path: string, content: string): readonly Passage[] {
  const source = ts.createSourceFile(path, content, ts.ScriptTarget.Latest, true);
  const found: Passage[] = [];
  const comments = new Map<number, ts.CommentRange>();
  const collect = (ranges: readonly ts.CommentRange[] | undefined) => {
    for (const range of ranges ?? []) comments.set(range.pos, range);
  };
  const visit = (node: ts.Node): void => {
    if (ts.isImportDeclaration(node) || ts.isExportDeclaration(node)) {
      collect(ts.getLeadingCommentRanges(content, node.pos));
      collect(ts.getTrailingCommentRanges(content, node.end));
      return;
    }
    const parts = partsOf(node);
    if (parts !== undefined) found.push(passage("string", content, parts));
    const children = node.getChildren(source).filter((child) => !ts.isJSDoc(child));
    if (children.length === 0) {
      collect(ts.getLeadingCommentRanges(content, node.pos));
      collect(ts.getTrailingCommentRanges(content, node.end));
    }
    // The parts of a chain are in its passage already; values inside it are visited for their own strings.
    for (const child of children) if (parts === undefined || !isPiece(child)) visit(child);
  };
  visit(source);
  return [
    ...found,
    ...joined(
      content,
      [...comments.values()].sort((a, b) => a.pos - b.pos),
    ),
  ];
}

/** The text of a string, a template or a chain of them; undefined for any other node. */
function partsOf(node: ts.Node): readonly Part[] | undefined {
  if (ts.isStringLiteralLike(node)) return [{ text: node.text, offset: node.getStart() + 1 }];
  if (node.kind === ts.SyntaxKind.RegularExpressionLiteral) return [{ text: node.getText(), offset: node.getStart() }];
  if (ts.isTemplateExpression(node)) {
    const parts: Part[] = [{ text: node.head.text, offset: node.head.getStart() + 1 }];
    for (const { literal } of node.templateSpans)
      parts.push({ text: VALUE, offset: literal.getStart() }, { text: literal.text, offset: literal.getStart() + 1 });
    return parts;
  }
  if (!ts.isBinaryExpression(node) || node.operatorToken.kind !== ts.SyntaxKind.PlusToken) return undefined;
  const [left, right] = [partsOf(node.left), partsOf(node.right)];
  if (left === undefined && right === undefined) return undefined;
  const value = (operand: ts.Node): Part => ({ text: VALUE, offset: operand.getStart() });
  return [...(left ?? [value(node.left)]), ...(right ?? [value(node.right)])];
}

/** Whether a node's text is part of the passage of the node around it. */
function isPiece(node: ts.Node): boolean {
  return ts.isStringLiteralLike(node) || node.kind === ts.SyntaxKind.TemplateHead;
}

/** One passage per block comment and per run of line comments. */
function joined(content: string, ranges: readonly ts.CommentRange[]): Passage[] {
  const runs: ts.CommentRange[][] = [];
  for (const range of ranges) {
    const run = runs.at(-1);
    const last = run?.at(-1);
    const follows =
      last?.kind === ts.SyntaxKind.SingleLineCommentTrivia &&
      range.kind === ts.SyntaxKind.SingleLineCommentTrivia &&
      /^\r?\n[ \t]*$/.test(content.slice(last.end, range.pos));
    if (run !== undefined && follows) run.push(range);
    else runs.push([range]);
  }
  return runs.map((run) =>
    passage(
      "comment",
      content,
      run.flatMap(({ pos, end }) => [
        ...linesWithout(/^[ \t]*(?:\/\/+|\/\*+|\*+\/|\*)[ \t]?/, content.slice(pos, end), pos),
        { text: "\n", offset: end },
      ]),
    ),
  );
}

/** The lines of a text, each without what stands before it. */
function linesWithout(mark: RegExp, text: string, offset: number): Part[] {
  const parts: Part[] = [];
  let place = offset;
  for (const line of text.split(/(?<=\n)/)) {
    const length = mark.exec(line)?.[0].length ?? 0;
    parts.push({ text: line.slice(length), offset: place + length });
    place += line.length;
  }
  return parts;
}

function passage(kind: Passage["kind"], content: string, parts: readonly Part[]): Passage {
  return {
    kind,
    text: parts.map((part) => part.text).join(""),
    lineOf(offset) {
      let left = offset;
      for (const part of parts) {
        if (left < part.text.length) return content.slice(0, part.offset + left).split("\n").length;
        left -= part.text.length;
      }
      return content.split("\n").length;
    },
  };
}
