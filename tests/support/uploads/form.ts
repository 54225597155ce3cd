/** A form with one file, as a small server receives it. */
export interface ReceivedForm {
  readonly fields: Readonly<Record<string, string>>;
  readonly fileName: string;
  readonly file: Buffer;
}

/** Reads `multipart/form-data` (RFC 7578). Throws if the body is none. */
export function readForm(body: Buffer, contentType: string | undefined): ReceivedForm {
  const boundary = /^multipart\/form-data; boundary=(\S+)$/.exec(contentType ?? "")?.[1];
  if (boundary === undefined) throw new Error(`not a form: ${contentType ?? ""}`);
  const fields: Record<string, string> = {};
  let fileName = "";
  let file = Buffer.alloc(0);
  const delimiter = `--${boundary}`;
  for (let from = body.indexOf(delimiter); ;) {
    const start = from + delimiter.length + 2;
    const end = body.indexOf(`\r\n${delimiter}`, start);
    if (end === -1) break;
    const head = body.subarray(start, body.indexOf("\r\n\r\n", start)).toString();
    const content = body.subarray(start + Buffer.byteLength(head) + 4, end);
    const name = /; name="([^"]*)"/.exec(head)?.[1] ?? "";
    const named = /; filename="([^"]*)"/.exec(head)?.[1];
    if (named === undefined) fields[name] = content.toString();
    else [fileName, file] = [named, Buffer.from(content)];
    from = end + 2;
  }
  if (!body.subarray(-delimiter.length - 4).equals(Buffer.from(`${delimiter}--\r\n`)))
    throw new Error("the form has no end");
  return { fields, fileName, file };
}
