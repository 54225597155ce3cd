import type { Provider } from "../environment.ts";

const MEBIBYTE = 1024 * 1024;

/** Largest file of an upload that goes to no provider, in bytes. */
export const LARGEST_FILE = 512 * MEBIBYTE;

/** Uploads that one user may have begun and not ended. */
export const OPEN_UPLOADS = 20;

/** What a provider takes. */
interface ProviderLimits {
  /** In bytes. */
  readonly size: number;
  /** What its API requires as the purpose of a file. */
  readonly purpose: string;
  /** Endings of file names. */
  readonly types: ReadonlySet<string>;
}

const words = (text: string): ReadonlySet<string> => new Set(text.split(" "));

// cspell:ignore dib pjp pjpeg svgz jfif avif apng mobi
/** Of their reference: https://platform.kimi.ai/docs/api/files-upload and https://docs.z.ai/api-reference/agents/file-upload. */
export const PROVIDER_LIMITS: Readonly<Record<Provider, ProviderLimits>> = {
  kimi: {
    size: 100 * MEBIBYTE,
    purpose: "file-extract",
    types: words(
      "pdf txt csv doc docx xls xlsx ppt pptx md jpeg jpg png bmp gif svg svgz webp ico xbm dib pjp tif pjpeg avif dot apng epub " +
        "tiff jfif html json mobi log go h c cpp cxx cc cs java js css jsp php py py3 asp yaml yml ini conf ts tsx",
    ),
  },
  glm: { size: 100 * MEBIBYTE, purpose: "agent", types: words("pdf doc xlsx ppt txt jpg png") },
};

/** A file that cannot be taken. */
export interface Objection {
  readonly status: 413 | 415;
  readonly reason: "too-large" | "file-type";
  readonly error: string;
}

/** What is wrong with a file of this name and size, before its first byte is sent. */
export function objection(name: string, size: number, provider: Provider | undefined): Objection | undefined {
  const limits = provider === undefined ? undefined : PROVIDER_LIMITS[provider];
  const most = limits?.size ?? LARGEST_FILE;
  if (size > most) {
    const who = provider ?? "this server";
    return { status: 413, reason: "too-large", error: `${who} takes files of at most ${most} bytes, not ${size}` };
  }
  const ending = /\.([^.]+)$/.exec(name)?.[1]?.toLowerCase() ?? "";
  if (limits === undefined || limits.types.has(ending)) return undefined;
  return {
    status: 415,
    reason: "file-type",
    error: `${provider ?? ""} does not read files of the type '${ending}'; it reads ${[...limits.types].join(", ")}`,
  };
}
