import type { Json } from "../../../ports/translator.ts";
import { isRecord, listOf, recordsOf } from "../canonical/fields.ts";
import { isSealed } from "../canonical/seal.ts";
import type { Edit } from "../json-members.ts";
import { type RequestBody, readMember, setMember } from "../request-body.ts";

const mark = Buffer.from('"dos1.');

/**
 * The change that takes out of a conversation what we sealed into it while another vendor answered:
 * this protocol's own vendors refuse signatures that they did not make. Undefined when there is
 * nothing: then the messages are not even parsed.
 */
export function withoutSeals(body: RequestBody): Edit | undefined {
	if (!body.bytes.includes(mark)) return undefined;
	const messages = listOf(readMember(body, "messages"));
	const kept = messages.flatMap((each) => {
		if (!isRecord(each) || !Array.isArray(each.content)) return [each];
		const content = withoutSealed(each.content);
		if (same(content, each.content)) return [each];
		return content.length > 0 ? [{ ...each, content }] : [];
	});
	return same(kept, messages)
		? undefined
		: setMember(body, "messages", JSON.stringify(kept));
}

function same(one: readonly unknown[], other: readonly unknown[]): boolean {
	return (
		one.length === other.length &&
		one.every((each, index) => each === other[index])
	);
}

function withoutSealed(content: readonly unknown[]): readonly unknown[] {
	const searches = new Set<unknown>();
	for (const block of recordsOf(content)) {
		if (recordsOf(block.content).some(sealedResult))
			searches.add(block.tool_use_id);
	}
	return content.flatMap((block) => {
		if (!isRecord(block)) return [block];
		if (sealed(block.signature) || sealed(block.data)) return [];
		if (searches.has(block.tool_use_id) || searches.has(block.id)) return [];
		return [withoutCitations(block)];
	});
}

function sealedResult({ encrypted_content: content }: Json): boolean {
	return sealed(content);
}

function withoutCitations(block: Json): Json {
	const citations = recordsOf(block.citations);
	const own = citations.filter(
		({ encrypted_index }) => !sealed(encrypted_index),
	);
	if (own.length === citations.length) return block;
	const { citations: _, ...rest } = block;
	return own.length > 0 ? { ...rest, citations: own } : rest;
}

function sealed(value: unknown): boolean {
	return typeof value === "string" && isSealed(value);
}
