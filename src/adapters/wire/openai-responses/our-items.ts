import type { Json } from "../../../ports/translator.ts";
import { isRecord, present, textOf } from "../canonical/fields.ts";
import { isSealed, unseal } from "../canonical/seal.ts";
import { type RequestBody, readMember } from "../request-body.ts";
import { carriedBy, isOurs, ownData } from "./opaque.ts";

/**
 * The input without what only we understand, as JSON: a conversation that began with a vendor of
 * another protocol and goes on with one of this. Reasoning that was sealed goes back as it was where
 * such a vendor made it, and is left out otherwise; items lose the ids that we gave them, or are left
 * out where they need one. Undefined when there is nothing of the kind, as is nearly always so.
 */
export function withoutOurItems(body: RequestBody): string | undefined {
	if (!body.bytes.includes("_dos_") && !body.bytes.includes('"dos1.'))
		return undefined;
	const input = readMember(body, "input");
	if (!Array.isArray(input)) return undefined;
	let changed = false;
	const items = input.flatMap((item: unknown) => {
		const kept = isRecord(item) ? vendorsItem(item) : item;
		if (kept !== item) changed = true;
		return kept === undefined ? [] : [kept];
	});
	return changed ? JSON.stringify(items) : undefined;
}

function vendorsItem(item: Json): Json | undefined {
	const encrypted = textOf(item.encrypted_content);
	if (encrypted !== undefined && isSealed(encrypted)) {
		const data = ownData(unseal(encrypted));
		if (!data || carriedBy(item)) return undefined;
		// A seal proves nothing: were more of it taken, the item could become any other, which nobody priced.
		const { encrypted_content: _, ...rest } = item;
		const { id = item.id, encrypted_content } = data;
		return present({ ...rest, id, encrypted_content });
	}
	if (!isOurs(item.id)) return item;
	const { id: _, ...rest } = item;
	return needsNoId.has(item.type ?? "message") ? rest : undefined;
}

const needsNoId: ReadonlySet<unknown> = new Set([
	"message",
	"function_call",
	"function_call_output",
	"custom_tool_call",
	"custom_tool_call_output",
]);
