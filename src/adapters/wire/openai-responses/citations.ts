import type { Citation, TokenLogprob } from "../../../ports/canonical.ts";
import type { Json } from "../../../ports/translator.ts";
import {
	isRecord,
	numberOf,
	present,
	recordsOf,
	textOf,
} from "../canonical/fields.ts";
import { own, ownData } from "./opaque.ts";

/** What an annotation says of the text; those that are no page's keep their own words too. */
export function citationOf(
	annotation: Readonly<Record<string, unknown>>,
): Citation {
	const citation = present({
		url: textOf(annotation.url),
		title: textOf(annotation.title) ?? textOf(annotation.filename),
		start: numberOf(annotation.start_index),
		end: numberOf(annotation.end_index),
	});
	return annotation.type === "url_citation"
		? citation
		: { ...citation, opaque: own(annotation) };
}

/** `length` is how much text there is so far: a citation that names no place is for all of it. */
export function annotationOf(
	{ url, document, title, start, end, opaque }: Citation,
	length: number,
): Json {
	const data = ownData(opaque);
	if (data) return data;
	if (url === undefined && document !== undefined) {
		return {
			type: "file_citation",
			file_id: `document_${document}`,
			filename: title ?? "",
			index: document,
		};
	}
	return {
		type: "url_citation",
		start_index: start ?? 0,
		end_index: end ?? length,
		title: title ?? "",
		url: url ?? "",
	};
}

/** Log probabilities as the vendor lists them; of those in a stream some leave the bytes out. */
export function logprobsOf(value: unknown): readonly TokenLogprob[] {
	return recordsOf(value).flatMap((each) => {
		const token = tokenOf(each);
		if (!token) return [];
		const top = recordsOf(each.top_logprobs).flatMap((other) => {
			const found = tokenOf(other);
			return found ? [found] : [];
		});
		return [top.length > 0 ? { ...token, top } : token];
	});
}

function tokenOf(
	each: Readonly<Record<string, unknown>>,
): Omit<TokenLogprob, "top"> | undefined {
	const { token, logprob, bytes } = each;
	if (typeof token !== "string" || typeof logprob !== "number")
		return undefined;
	return Array.isArray(bytes) && bytes.every((byte) => typeof byte === "number")
		? { token, logprob, bytes }
		: { token, logprob };
}

export function writtenLogprobs(tokens: readonly TokenLogprob[]): Json[] {
	return tokens.map((each) => ({
		...written(each),
		top_logprobs: (each.top ?? []).map(written),
	}));
}

function written({ token, logprob, bytes }: Omit<TokenLogprob, "top">): Json {
	return { token, logprob, bytes: bytes ?? [...Buffer.from(token)] };
}

/** The searches of a web search call, and what they found. */
export function searchOf(item: Readonly<Record<string, unknown>>): {
	readonly query?: string;
	readonly results?: readonly { readonly url: string }[];
} {
	const action = isRecord(item.action) ? item.action : {};
	const queries = Array.isArray(action.queries) ? action.queries : [];
	const query = textOf(action.query) ?? textOf(queries[0]);
	const results = recordsOf(action.sources).flatMap(({ url }) =>
		typeof url === "string" ? [{ url }] : [],
	);
	return {
		...(query !== undefined && { query }),
		...(results.length > 0 && { results }),
	};
}
