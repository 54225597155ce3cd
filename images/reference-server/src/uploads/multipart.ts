import { randomBytes } from "node:crypto";

/** A form with one file (RFC 7578), sent while the file is read. */
export interface Multipart {
  readonly headers: Readonly<Record<string, string>>;
  readonly body: AsyncIterable<Uint8Array>;
}

/** What the file of a form is called. */
export interface FormFile {
  readonly name: string;
  readonly mediaType: string;
  readonly size: number;
  readonly content: AsyncIterable<Uint8Array>;
}

/** The form. Its length is known before the file is read, so that a server can refuse it early. */
export function multipart(fields: Readonly<Record<string, string>>, file: FormFile): Multipart {
  const boundary = `exai-${randomBytes(16).toString("hex")}`;
  const part = (disposition: string) => `--${boundary}\r\ncontent-disposition: form-data; ${disposition}\r\n`;
  const head = Buffer.from(
    Object.entries(fields)
      .map(([name, value]) => `${part(`name="${quoted(name)}"`)}\r\n${value}\r\n`)
      .join("") +
      part(`name="file"; filename="${quoted(file.name)}"`) +
      `content-type: ${file.mediaType}\r\n\r\n`,
  );
  const tail = Buffer.from(`\r\n--${boundary}--\r\n`);
  return {
    headers: {
      "content-type": `multipart/form-data; boundary=${boundary}`,
      "content-length": String(head.length + file.size + tail.length),
    },
    body: (async function* () {
      yield head;
      yield* file.content;
      yield tail;
    })(),
  };
}

/** As browsers escape names in forms (HTML, section 4.10.21.8): a user's name for a file must not end the header. */
function quoted(name: string): string {
  return name.replace(/["\r\n]/g, (character) => encodeURIComponent(character));
}
