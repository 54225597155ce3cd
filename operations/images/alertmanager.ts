import { createHash } from "node:crypto";
import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join, relative } from "node:path";
import { gunzipSync } from "node:zlib";
import { otherContent, pinsOf } from "./pins.ts";
import { download, unzip } from "./python.ts";

/** Alertmanager's Go module, in the version of Debian's package. The package has no web pages. */
export const ALERTMANAGER_MODULE = "github.com/prometheus/alertmanager@v0.25.0";

/** The module's file with the compiled pages, written by vfsgen. */
const EMBEDDED = "asset/assets_vfsdata.go";

/** One file of the pages in {@link EMBEDDED}: its path, how its content is stored, and the content in hexadecimal escapes. */
const FILE =
  /^\t\t"\/static\/([\w./-]+)": &vfsgen۰(?:Compressed)?FileInfo\{.*?\b(compressedContent|content): *\[\]byte\("((?:\\x[\da-f]{2})*)"\)/gmsu;

/** Writes Alertmanager's web pages into a folder, from its Go module. @throws UserError if the module is not available */
export async function alertmanagerPages(directory: string, signal?: AbortSignal): Promise<void> {
  const folder = await mkdtemp(join(tmpdir(), "exai-alertmanager-"));
  try {
    const proxy = /https?:[^,|]+/.exec(process.env.GOPROXY ?? "")?.[0] ?? "https://proxy.golang.org";
    const [name, version] = ALERTMANAGER_MODULE.split("@") as [string, string];
    const zip = join(folder, "module.zip");
    await download(`${proxy}/${name}/@v/${version}.zip`, zip, ALERTMANAGER_MODULE, signal);
    const unpacked = join(folder, "unpacked");
    await unzip(zip, unpacked, ALERTMANAGER_MODULE, { signal });
    const hash = await moduleHash(unpacked);
    if (!pinsOf(ALERTMANAGER_MODULE).includes(hash)) throw otherContent(ALERTMANAGER_MODULE);
    const text = await readFile(join(unpacked, ALERTMANAGER_MODULE, EMBEDDED), "utf8");
    for (const [path, content] of embeddedFiles(text)) {
      await mkdir(dirname(join(directory, path)), { recursive: true });
      await writeFile(join(directory, path), content);
    }
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

/** The files that vfsgen has embedded below `/static`, by path; pure. */
export function embeddedFiles(text: string): ReadonlyMap<string, Buffer> {
  const files = new Map<string, Buffer>();
  for (const [, path = "", kind, escapes = ""] of text.matchAll(FILE)) {
    const bytes = Buffer.from(escapes.replaceAll("\\x", ""), "hex");
    files.set(path, kind === "content" ? bytes : gunzipSync(bytes));
  }
  return files;
}

/** The hash of an unpacked module in go.sum: "h1" of golang.org/x/mod/sumdb/dirhash. */
async function moduleHash(folder: string): Promise<string> {
  const entries = await readdir(folder, { recursive: true, withFileTypes: true });
  const paths = entries.filter((entry) => entry.isFile()).map((entry) => join(entry.parentPath, entry.name));
  const all = createHash("sha256");
  for (const path of paths.sort()) {
    const one = createHash("sha256").update(await readFile(path));
    all.update(`${one.digest("hex")}  ${relative(folder, path)}\n`);
  }
  return `h1:${all.digest("base64")}`;
}
