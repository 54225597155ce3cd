import type { Extension } from "@electric-sql/pglite";

/** The part of the file system of Emscripten, on which PGlite runs, that makes files. */
export interface FileSystem {
  mkdirTree(path: string): void;
  writeFile(path: string, content: string | Uint8Array, options?: { readonly canOwn: boolean }): void;
}

/** An extension that makes files before PostgreSQL starts. */
export function filesExtension(name: string, make: (files: FileSystem) => void): Extension {
  return {
    name,
    setup: (_, options: { readonly preRun?: readonly unknown[] }) =>
      Promise.resolve({
        emscriptenOpts: {
          ...options,
          preRun: [
            ...(options.preRun ?? []),
            ({ FS: files }: { readonly FS: FileSystem }) => {
              make(files);
            },
          ],
        },
      }),
  };
}
