import type { Json } from "../../../ports/translator.ts";
import { recordsOf, textOf } from "../canonical/fields.ts";
import { sse } from "../canonical/sse.ts";

/** An event: its number follows from its place. */
type Say = (type: string, members: Json) => void;

/**
 * A finished response told once more in the events of a stream, the same each time: what stood in
 * pieces comes in one piece. Items are the very ones that were kept, those of kinds not known here
 * too. Events up to the number `after` are left out, and keep their numbers.
 */
export function replay(response: Json, after: number): Uint8Array {
	const frames: string[] = [];
	let number = 0;
	const say: Say = (type, members) => {
		const sequence_number = number++;
		if (sequence_number <= after) return;
		frames.push(
			sse(JSON.stringify({ type, sequence_number, ...members }), type),
		);
	};
	const begun = {
		...response,
		status: "in_progress",
		...("completed_at" in response && { completed_at: null }),
		incomplete_details: null,
		output: [],
		usage: null,
	};
	say("response.created", { response: begun });
	say("response.in_progress", { response: begun });
	for (const [index, item] of recordsOf(response.output).entries())
		tellItem(item, index, say);
	say(`response.${response.status}`, { response });
	return Buffer.from(frames.join(""));
}

function tellItem(item: Json, output_index: number, say: Say): void {
	const place = { item_id: item.id, output_index };
	const text = texts.get(item.type);
	const empty = {
		...item,
		...("status" in item && { status: "in_progress" }),
		...(text && { [text.member]: "" }),
	};
	if (item.type === "message") {
		say("response.output_item.added", {
			output_index,
			item: { ...empty, content: [] },
		});
		for (const [index, part] of recordsOf(item.content).entries())
			tellContent(part, { ...place, content_index: index }, say);
	} else if (item.type === "reasoning") {
		const { content: _, encrypted_content: __, ...bare } = empty as Json;
		say("response.output_item.added", {
			output_index,
			item: { ...bare, summary: [] },
		});
		for (const [index, part] of recordsOf(item.summary).entries())
			tellSummary(part, { ...place, summary_index: index }, say);
		for (const [index, part] of recordsOf(item.content).entries())
			tellContent(part, { ...place, content_index: index }, say);
	} else {
		say("response.output_item.added", { output_index, item: empty });
		if (text) {
			const value = textOf(item[text.member]) ?? "";
			say(`${text.event}.delta`, { ...place, delta: value });
			say(`${text.event}.done`, {
				...place,
				...(item.type === "function_call" && { name: item.name }),
				[text.member]: value,
			});
		}
		for (const phase of phases.get(item.type) ?? [])
			say(`response.${item.type}.${phase}`, place);
	}
	say("response.output_item.done", { output_index, item });
}

/** Items whose one text is told in pieces. */
const texts: ReadonlyMap<
	unknown,
	{ readonly member: string; readonly event: string }
> = new Map([
	[
		"function_call",
		{ member: "arguments", event: "response.function_call_arguments" },
	],
	[
		"custom_tool_call",
		{ member: "input", event: "response.custom_tool_call_input" },
	],
	["mcp_call", { member: "arguments", event: "response.mcp_call_arguments" }],
	[
		"code_interpreter_call",
		{ member: "code", event: "response.code_interpreter_call_code" },
	],
]);

/** What the vendor's own tools say of how far they are. */
const phases: ReadonlyMap<unknown, readonly string[]> = new Map([
	["web_search_call", ["in_progress", "searching", "completed"]],
	["file_search_call", ["in_progress", "searching", "completed"]],
]);

function tellContent(part: Json, place: Json, say: Say): void {
	const kind = contents.get(part.type);
	if (!kind) {
		say("response.content_part.added", { ...place, part });
		say("response.content_part.done", { ...place, part });
		return;
	}
	const { member, event } = kind;
	const value = textOf(part[member]) ?? "";
	const isText = part.type === "output_text";
	const logprobs = recordsOf(part.logprobs);
	say("response.content_part.added", {
		...place,
		part: {
			...part,
			[member]: "",
			...(isText && { annotations: [], logprobs: [] }),
		},
	});
	if (value !== "")
		say(`${event}.delta`, {
			...place,
			delta: value,
			...(isText && { logprobs }),
		});
	for (const [index, annotation] of recordsOf(part.annotations).entries())
		say("response.output_text.annotation.added", {
			...place,
			annotation_index: index,
			annotation,
		});
	say(`${event}.done`, {
		...place,
		[member]: value,
		...(isText && { logprobs }),
	});
	say("response.content_part.done", { ...place, part });
}

/** Parts of content that are told in pieces. */
const contents: ReadonlyMap<
	unknown,
	{ readonly member: string; readonly event: string }
> = new Map([
	["output_text", { member: "text", event: "response.output_text" }],
	["reasoning_text", { member: "text", event: "response.reasoning_text" }],
	["refusal", { member: "refusal", event: "response.refusal" }],
]);

function tellSummary(part: Json, place: Json, say: Say): void {
	const text = textOf(part.text) ?? "";
	say("response.reasoning_summary_part.added", {
		...place,
		part: { ...part, text: "" },
	});
	if (text !== "")
		say("response.reasoning_summary_text.delta", { ...place, delta: text });
	say("response.reasoning_summary_text.done", { ...place, text });
	say("response.reasoning_summary_part.done", { ...place, part });
}
