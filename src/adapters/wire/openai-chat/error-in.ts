import type { VendorError } from "../../../ports/canonical.ts";
import type { Json } from "../../../ports/translator.ts";
import { isRecord, recordOf, recordsOf, textOf } from "../canonical/fields.ts";
import { json } from "../canonical/sse.ts";

const longest = 2_000;

/** What a vendor's error body says, in any of the shapes that compatible vendors send. */
export function readError(status: number, body: Uint8Array): VendorError {
	const text = Buffer.from(body).toString();
	const parsed = json(text);
	const found = errorIn(Array.isArray(parsed) ? parsed[0] : parsed);
	if (found) return found;
	const plain = parsed === undefined ? text.trim() : "";
	return {
		message: (plain || `The vendor answered with status ${status}.`).slice(
			0,
			longest,
		),
	};
}

/**
 * An error within a body or a chunk: `error` as an object (OpenAI and most) or a text; the members
 * themselves (Mistral and vLLM, with `object: "error"`); `detail` (FastAPI). Undefined when there is none.
 */
export function errorIn(body: unknown): VendorError | undefined {
	const record = recordOf(body);
	if (!record) return undefined;
	if (typeof record.error === "string") return said(record.error, record);
	if (isRecord(record.error))
		return said(messageOf(record.error), record.error);
	if (record.error === true || record.object === "error")
		return said(messageOf(record), record);
	if (record.choices !== undefined) return undefined;
	const message = textOf(record.message) ?? detailOf(record.detail);
	return message === undefined ? undefined : said(message, record);
}

/** OpenRouter keeps the words of the vendor behind it under `metadata.raw`. */
function messageOf(error: Json): string {
	const message = textOf(error.message) ?? detailOf(error.detail) ?? "";
	const raw = textOf(recordOf(error.metadata)?.raw);
	return raw === undefined ? message : `${message}: ${raw}`;
}

function detailOf(detail: unknown): string | undefined {
	if (typeof detail === "string") return detail;
	const messages = recordsOf(detail).flatMap((each) => textOf(each.msg) ?? []);
	return messages.length > 0 ? messages.join("; ") : undefined;
}

function said(message: string, { code, type }: Json): VendorError {
	const kind = [code, type].find(
		(each) =>
			(typeof each === "string" && each !== "") || typeof each === "number",
	);
	return {
		message: (message || "The vendor gave no reason.").slice(0, longest),
		...(kind === undefined ? {} : { code: String(kind).slice(0, 100) }),
	};
}
