/** Version of tus (https://tus.io/protocols/resumable-upload) that the server and the object store speak. */
export const TUS_VERSION = "1.0.0";

/** The number in a header such as `upload-offset`; undefined if it is none. */
export function wholeNumber(text: string | string[] | undefined): number | undefined {
  const value = typeof text === "string" && /^\d{1,16}$/.test(text) ? Number(text) : NaN;
  return Number.isSafeInteger(value) ? value : undefined;
}

/** `filename d29ybGQ=,is_final`, the header `upload-metadata`: pairs of a name and a value in Base64, which may be absent. */
export function readMetadata(header: string | string[] | undefined): ReadonlyMap<string, string> {
  const pairs = (typeof header === "string" ? header : "").split(",").map((pair) => pair.trim().split(/ +/));
  return new Map(
    pairs.flatMap(([name = "", value = ""]) =>
      name === "" ? [] : [[name, Buffer.from(value, "base64").toString("utf8")] as const],
    ),
  );
}
