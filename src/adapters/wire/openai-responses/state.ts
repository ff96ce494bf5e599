import { accept, type Outcome } from "../../../kernel/outcome.ts";
import type { Json } from "../../../ports/translator.ts";
import { isRecord, recordsOf, textOf } from "../canonical/fields.ts";
import { json } from "../canonical/sse.ts";
import { dataOf, frameReader, watchFor } from "../event-frames.ts";
import { type Edit, splice } from "../json-members.ts";
import {
	invalid,
	type RequestBody,
	readBody,
	readMember,
	setMember,
} from "../request-body.ts";
import { ourId } from "./opaque.ts";
import { replay } from "./replay.ts";

/*
 * What is kept of responses, so that a client can go on from one by its id. Pure: where records are
 * kept, and whose they are, is not known here.
 */

/** A finished response with the input that was new in it; what came before is in the record that it goes on from. */
export interface StoredResponse {
	readonly id: string;
	/** Seconds since 1970 UTC. */
	readonly created: number;
	readonly model: string;
	/** The response that it goes on from. */
	readonly previous?: string;
	/** Items, each with an id. Instructions are none: they hold for one response. */
	readonly input: readonly Json[];
	readonly output: readonly Json[];
	/** The response as the client got it. */
	readonly response: Json;
}

/** What a request says of state. */
export interface StateAsked {
	/** Whether its response is to be kept: so unless it says no. */
	readonly store: boolean;
	/** The response to go on from. */
	readonly previous?: string;
	/** Ids of items that stand in for the items themselves. */
	readonly references: readonly string[];
}

const stateMembers: ReadonlySet<string> = new Set([
	"input",
	"store",
	"previous_response_id",
]);

/** Reads it from a body; refuses as the protocol's `read` does. */
export function readState(body: Uint8Array): Outcome<StateAsked> {
	const read = readBody(body, stateMembers);
	if (!read.ok) return read;
	const store = readMember(read.value, "store");
	if (store !== undefined && typeof store !== "boolean")
		return invalid("store", "must be true or false");
	const previous = readMember(read.value, "previous_response_id");
	if (
		previous !== undefined &&
		(typeof previous !== "string" || previous === "")
	)
		return invalid("previous_response_id", "must be a response's id");
	return accept({
		store: store ?? true,
		...(previous !== undefined && { previous }),
		references: referencesIn(read.value),
	});
}

function referencesIn(body: RequestBody): readonly string[] {
	// Most bodies have none: then the input need not be parsed.
	const types = body.members.get("input")?.types ?? [];
	if (!types.some(({ depth, value }) => depth === 2 && value === reference))
		return [];
	const ids = recordsOf(readMember(body, "input"))
		.filter(isReference)
		.map(({ id }) => id as string);
	return [...new Set(ids)];
}

const reference = "item_reference";

function isReference(item: Json): boolean {
	return item.type === reference && typeof item.id === "string";
}

/**
 * The body with everything in its input: the items of the responses that it goes on from, and items in
 * place of references to them. `chain` has the records from the first to the one that it names,
 * `others` records whose items it refers to beside them. Refuses what they do not have. All else
 * stays as it was sent.
 */
export function expandRequest(
	body: Uint8Array,
	chain: readonly StoredResponse[],
	others: readonly StoredResponse[] = [],
): Outcome<Uint8Array> {
	const read = readBody(body, stateMembers);
	if (!read.ok) return read;
	const asked = readState(body);
	if (!asked.ok) return asked;
	const { previous, references } = asked.value;
	if (previous === undefined && references.length === 0) return accept(body);
	if (!isChain(chain, previous))
		return invalid(
			"previous_response_id",
			"names no response that is kept here",
		);
	const known = new Map<unknown, Json>();
	for (const record of [...others, ...chain])
		for (const item of [...record.input, ...record.output])
			known.set(item.id, item);

	const items = previous === undefined ? [] : chain.flatMap(itemsOf);
	const input = readMember(read.value, "input");
	if (typeof input === "string") items.push(messageOf(input));
	else if (Array.isArray(input)) {
		for (const [index, item] of input.entries()) {
			if (!isRecord(item))
				return invalid(`input.${index}`, "must be an object");
			const found = isReference(item) ? known.get(item.id) : item;
			if (!found)
				return invalid(`input.${index}.id`, "names no item that is kept here");
			items.push(found);
		}
	} else if (input !== undefined)
		return invalid("input", "must be a string or an array");
	const edits: Edit[] = [setMember(read.value, "input", JSON.stringify(items))];
	if (previous !== undefined)
		edits.push(setMember(read.value, "previous_response_id", "null"));
	return accept(splice(read.value.bytes, edits));
}

function isChain(
	chain: readonly StoredResponse[],
	last: string | undefined,
): boolean {
	let next = last;
	for (let index = chain.length - 1; index >= 0; index--) {
		const record = chain[index] as StoredResponse;
		if (record.id !== next) return false;
		next = record.previous;
	}
	return next === undefined;
}

function itemsOf({ input, output }: StoredResponse): readonly Json[] {
	return [...input, ...output];
}

function messageOf(text: string): Json {
	return {
		type: "message",
		role: "user",
		content: [{ type: "input_text", text }],
	};
}

/**
 * The record of a finished response. `body` is the request as the client sent it, before it was
 * expanded; `known` resolves the items that it referred to. Undefined for what is no finished
 * response, and for one that failed.
 */
export function recordOf(
	body: Uint8Array,
	response: unknown,
	known: readonly StoredResponse[] = [],
): StoredResponse | undefined {
	const read = readBody(body, stateMembers);
	if (!read.ok || !isRecord(response)) return undefined;
	const { id, created_at: created, model, status } = response;
	if (typeof id !== "string" || id === "") return undefined;
	if (status !== "completed" && status !== "incomplete") return undefined;
	const input = readMember(read.value, "input");
	const previous = readMember(read.value, "previous_response_id");
	const items = new Map<unknown, Json>();
	for (const record of known)
		for (const item of itemsOf(record)) items.set(item.id, item);
	return {
		id,
		created: typeof created === "number" ? created : 0,
		model: textOf(model) ?? "",
		...(typeof previous === "string" && { previous }),
		input: (typeof input === "string"
			? [messageOf(input)]
			: recordsOf(input).map((item) =>
					isReference(item) ? (items.get(item.id) ?? item) : item,
				)
		).map((item, index) => withId(item, id, index)),
		output: recordsOf(response.output),
		response:
			typeof previous === "string"
				? { ...response, previous_response_id: previous }
				: response,
	};
}

/** Items of the input have ids of their own once they are kept. */
function withId(item: Json, response: string, index: number): Json {
	if (typeof item.id === "string" && item.id !== "") return item;
	const type = item.type ?? "message";
	const kind = idPrefixes.get(type) ?? "item";
	return { ...item, type, id: ourId(kind, `${response}_in`, index) };
}

const idPrefixes: ReadonlyMap<unknown, string> = new Map([
	["message", "msg"],
	["reasoning", "rs"],
	["function_call", "fc"],
	["function_call_output", "fco"],
	["custom_tool_call", "ctc"],
	["custom_tool_call_output", "ctco"],
]);

/** Watches an answer as it goes to the client, for the response that it ends with. */
export interface ResponseWatch {
	push(chunk: Uint8Array): void;
	/** After the last chunk: the finished response, or undefined when there was none. */
	finish(): Json | undefined;
}

const watch = watchFor("incomplete_details", "value:response.completed");

/** Answers are kept up to this size; larger ones are answered, and not kept. */
export const recordLimit: number = 8 * 1024 * 1024;

export function watchResponse(contentType: string): ResponseWatch {
	return /^\s*text\/event-stream\b/i.test(contentType)
		? watchStream()
		: watchWhole();
}

function watchStream(): ResponseWatch {
	let response: Json | undefined;
	const reader = frameReader(watch, false, (frame) => {
		if (frame.values.every((at) => at < 0)) return undefined;
		const event = json(dataOf(frame) ?? "");
		if (
			isRecord(event) &&
			(event.type === "response.completed" ||
				event.type === "response.incomplete") &&
			isRecord(event.response)
		)
			response = event.response;
		return undefined;
	});
	return {
		push: (chunk) => void reader.push(chunk),
		finish() {
			reader.end();
			return response;
		},
	};
}

function watchWhole(): ResponseWatch {
	let chunks: Uint8Array[] = [];
	let size = 0;
	return {
		push(chunk) {
			size += chunk.length;
			if (size <= recordLimit) chunks.push(chunk);
			else chunks = [];
		},
		finish() {
			if (size > recordLimit) return undefined;
			const response = json(Buffer.concat(chunks, size).toString());
			return isRecord(response) ? response : undefined;
		},
	};
}

/**
 * The answer to `GET /v1/responses/{id}`: the response, or with `stream=true` its events, from the
 * first after the one that `starting_after` numbers.
 */
export function retrieved(
	{ response }: StoredResponse,
	query: string,
): Outcome<{ readonly contentType: string; readonly body: Uint8Array }> {
	const asked = new URLSearchParams(query);
	const stream = asked.get("stream") ?? "false";
	if (stream !== "true" && stream !== "false")
		return invalid("stream", "must be true or false");
	if (stream === "false")
		return accept({ contentType: "application/json", body: encode(response) });
	const after = asked.get("starting_after") ?? "-1";
	if (!/^(?:-1|\d{1,15})$/.test(after))
		return invalid("starting_after", "must be the number of an event");
	return accept({
		contentType: "text/event-stream; charset=utf-8",
		body: replay(response, Number(after)),
	});
}

/** The answer to `DELETE /v1/responses/{id}`. */
export function deleted(id: string): Uint8Array {
	return encode({ id, object: "response", deleted: true });
}

/**
 * The answer to `GET /v1/responses/{id}/input_items`, newest first unless the query says otherwise.
 * `chain` ends with the response itself: what stands in the records before it was its input too.
 */
export function inputItems(
	chain: readonly StoredResponse[],
	query: string,
): Outcome<Uint8Array> {
	const asked = new URLSearchParams(query);
	const limit = Number(asked.get("limit") ?? 20);
	if (!Number.isInteger(limit) || limit < 1 || limit > 100)
		return invalid("limit", "must be a whole number from 1 to 100");
	const order = asked.get("order") ?? "desc";
	if (order !== "asc" && order !== "desc")
		return invalid("order", 'must be "asc" or "desc"');
	const items = chain.flatMap((record, index) =>
		index === chain.length - 1 ? record.input : itemsOf(record),
	);
	if (order === "desc") items.reverse();
	const after = asked.get("after");
	const start =
		after === null ? 0 : items.findIndex(({ id }) => id === after) + 1;
	if (after !== null && start === 0)
		return invalid("after", "names no item of this response");
	const data = items.slice(start, start + limit);
	return accept(
		encode({
			object: "list",
			data: data.map(asListed),
			first_id: data[0]?.id ?? null,
			last_id: data.at(-1)?.id ?? null,
			has_more: start + limit < items.length,
		}),
	);
}

/** A message's content is a list, whichever way it was sent. */
function asListed(item: Json): Json {
	if (item.type !== "message" || typeof item.content !== "string") return item;
	const type = item.role === "assistant" ? "output_text" : "input_text";
	return {
		...item,
		status: item.status ?? "completed",
		content: [
			{
				type,
				text: item.content,
				...(type === "output_text" && { annotations: [] }),
			},
		],
	};
}

function encode(value: Json): Uint8Array {
	return Buffer.from(JSON.stringify(value));
}
