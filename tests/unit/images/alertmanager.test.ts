import { gzipSync } from "node:zlib";
import { expect, test } from "vitest";
import { ALERTMANAGER_MODULE, embeddedFiles } from "../../../operations/images/alertmanager.ts";
import { pinsOf } from "../../../operations/images/pins.ts";

const escaped = (bytes: Buffer) => [...bytes].map((byte) => `\\x${byte.toString(16).padStart(2, "0")}`).join("");

test("the pages of Alertmanager are the files that vfsgen has embedded, without its templates", () => {
  const text = `
	fs := vfsgen۰FS{
		"/static": &vfsgen۰DirInfo{
			name:    "static",
		},
		"/static/script.js": &vfsgen۰CompressedFileInfo{
			name:             "script.js",
			uncompressedSize: 4,

			compressedContent: []byte("${escaped(gzipSync("Elm!"))}"),
		},
		"/static/lib/a-1.0/font.woff2": &vfsgen۰FileInfo{
			name:    "font.woff2",
			content: []byte("${escaped(Buffer.from([0, 255]))}"),
		},
		"/templates/default.txt": &vfsgen۰CompressedFileInfo{
			name:             "default.txt",

			compressedContent: []byte("${escaped(gzipSync("x"))}"),
		},
	}`;
  expect([...embeddedFiles(text)]).toEqual([
    ["script.js", Buffer.from("Elm!")],
    ["lib/a-1.0/font.woff2", Buffer.from([0, 255])],
  ]);
});

test("the module that has them is pinned", () => {
  expect(pinsOf(ALERTMANAGER_MODULE)).toHaveLength(1);
});
