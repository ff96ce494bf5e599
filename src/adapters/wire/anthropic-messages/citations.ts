import type { Citation } from "../../../ports/canonical.ts";
import type { Json } from "../../../ports/translator.ts";
import { isRecord, numberOf, present, textOf } from "../canonical/fields.ts";
import { ours, unsigned } from "./opaque.ts";

/** A citation of any kind; the whole of it goes along, for the place within the document. */
export function readCitation(value: unknown): Citation | undefined {
	if (!isRecord(value) || typeof value.type !== "string") return undefined;
	return present({
		url: textOf(value.url) ?? textOf(value.source),
		document: numberOf(value.document_index),
		title: textOf(value.document_title) ?? textOf(value.title),
		quote: textOf(value.cited_text),
		opaque: isOwn(value) ? ours(value) : undefined,
	});
}

/** Not one that we wrote for another vendor. */
function isOwn({ encrypted_index, end_char_index }: Json): boolean {
	return encrypted_index !== unsigned && end_char_index !== 0;
}

/** Ours as it came. Another vendor's says no place within a document, and no search of ours: such fields stand empty. */
export function writeCitation(citation: Citation): Json {
	const { url, document, title, quote = "", opaque } = citation;
	if (opaque?.protocol === "anthropic-messages" && isRecord(opaque.data))
		return opaque.data;
	if (document !== undefined && url === undefined) {
		return {
			type: "char_location",
			cited_text: quote,
			document_index: document,
			document_title: title ?? null,
			start_char_index: 0,
			end_char_index: 0,
			file_id: null,
		};
	}
	return {
		type: "web_search_result_location",
		url: url ?? "",
		title: title ?? null,
		cited_text: quote,
		encrypted_index: unsigned,
	};
}

/** For a request: what only answers have is left out. */
export function citationParam(citation: Citation): Json | undefined {
	const { opaque } = citation;
	if (opaque?.protocol !== "anthropic-messages" || !isRecord(opaque.data))
		return undefined;
	const { file_id, ...param } = opaque.data;
	return param;
}
