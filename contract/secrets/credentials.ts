import { decodedTexts } from "./decoded.ts";
import { isNamedCredential } from "./names.ts";
import { hasRandomWord, isPublicName } from "./randomness.ts";
import { credentialShape, isEncrypted } from "./shapes.ts";

/**
 * Why a value may be a credential: its format, its name, or its randomness. Undefined if it is not one. Encoded texts are decoded.
 *
 * @param name of the variable, key, label or option
 * @param place `free` for a place whose names are the user's own; `field` for a field of a schema, where `secret` and `token` are often
 *   names of other objects
 */
export function credentialIn(value: string, name = "", place: "free" | "field" = "free"): string | undefined {
  if (isEncrypted(value)) return undefined;
  if (isNamedCredential(name, value) && (place === "free" || !isObjectName(name, value)))
    return "its name is typical of a credential";
  const { reason, random } = inside(value);
  return reason ?? (random && !isPublicName(name) ? "it is as random as a credential" : undefined);
}

/** What a text contains under any name. */
interface Contents {
  /** Why it may be a credential. */
  readonly reason: string | undefined;
  /** Whether it has a random word. */
  readonly random: boolean;
}

/** What was found in texts: most are strings of several resources, and of each stack. */
const FOUND = new Map<string, Contents>();

/** Texts whose contents are remembered, which bounds the memory of a process that judges many stacks. */
const MOST = 50_000;

function inside(value: string): Contents {
  const known = FOUND.get(value);
  if (known !== undefined) return known;
  const reason = searched(value);
  const contents = { reason, random: reason === undefined && hasRandomWord(value) };
  if (FOUND.size === MOST) FOUND.clear();
  FOUND.set(value, contents);
  return contents;
}

/** Why a text, or what is encoded in it, may contain a credential. */
function searched(value: string): string | undefined {
  for (const text of decodedTexts(value)) {
    const encoded = text === value ? "it has the format of" : "it is encoded, and has the format of";
    const shape = credentialShape(text);
    if (shape !== undefined) return `${encoded} ${shape}`;
    const assigned = assignedCredential(text);
    if (assigned !== undefined) return `it sets ${assigned}`;
  }
  return undefined;
}

/** Whether the value of a field is the name of another object, such as a Secret. A password is never one. */
function isObjectName(name: string, value: string): boolean {
  return !/pass|pwd/i.test(name) && /^[a-z\d]([a-z\d.-]*[a-z\d])?$/.test(value);
}

/** A name with its value in a longer text: of a shell, an option, an INI, YAML or JSON file, a connection string. */
const ASSIGNMENT =
  /(?<=^|[\s"'`{,;&?([/:-])([A-Za-z_][\w.-]{2,60})["']?(?:\s*=\s*|:\s*(?:[>|][+-]?\s*\n\s*)?|\s+(?=["']))(?=("[^"\n\s]{4,}"|'[^'\n\s]{4,}'|[^\s"'`,;&(){}[\]<>|]{4,})(\(?))/g;

/** A name with its value in XML: `<password>…</password>`, `<add key="Password" value="…"/>`. */
const ELEMENT =
  /<([\w.:-]{3,60})>([^<>\s]{4,})<\/\1>|\b(?:key|name)\s*=\s*["']([\w.:-]{3,60})["']\s+value\s*=\s*["']([^"'\s]{4,})["']/gi;

/** A line of YAML, of an INI file or of a file of variables that has nothing but a name and a word. */
const LINE =
  /^[ \t]*(?:- |export )?([A-Za-z_][\w.-]{2,60})(?::[ \t]+|[ \t]*=[ \t]*)([^\s"'`,;&(){}[\]<>|#]{4,})[ \t]*$/gm;

/** A password in the environment of a command: `PGPASSWORD=word psql`. */
const ENVIRONMENT = /(?<=^|[\s;&])([A-Z][A-Z\d_]*)=([^\s"'$`;&|(){}<>]{4,})(?=[\s;&]|$)/g;

/** The name of a credential that a text sets to a literal value. */
function assignedCredential(text: string): string | undefined {
  if (!/pass|pwd|secret|token|key|credential|authorization/i.test(text)) return undefined;
  for (const [, name = "", given = "", call] of text.matchAll(ASSIGNMENT)) {
    const quoted = /^["']/.test(given);
    const value = quoted ? given.slice(1, -1) : given;
    // Without quotes, words and dotted names are variables of a program, or prose.
    if (call === "(" || (!quoted && !/\d/.test(value)) || /^[\w$]+(?:\.[A-Za-z_$][\w$]*)+$/.test(value)) continue;
    if (isNamedCredential(name, value) && !/^[A-Z][A-Z_]*$/.test(value)) return name;
  }
  for (const [, name = "", value = ""] of text.matchAll(ENVIRONMENT))
    if (/PASS|PWD/.test(name) && isNamedCredential(name, value)) return name;
  if (text.includes("<"))
    for (const [, tag, content, key, given] of text.matchAll(ELEMENT)) {
      const [name = "", value = ""] = tag === undefined ? [key, given] : [tag, content];
      if (isNamedCredential(name, value)) return name;
    }
  if (text.includes("\n"))
    for (const [, name = "", value = ""] of text.matchAll(LINE))
      if (/pass|pwd/i.test(name) && isNamedCredential(name, value)) return name;
  return undefined;
}
