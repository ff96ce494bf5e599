import { readFileSync } from "node:fs";
import OpenAI from "openai";
import { describe, expect, it } from "vitest";
import {
	deleted,
	expandRequest,
	inputItems,
	readState,
	recordOf,
	retrieved,
	type StoredResponse,
	watchResponse,
} from "./state.ts";

const file = (name: string) =>
	readFileSync(new URL(`./fixtures/${name}`, import.meta.url));
const bytes = (body: object) => Buffer.from(JSON.stringify(body));
const response = (id: string, text: string) => ({
	id,
	object: "response",
	created_at: 1_764_000_000,
	model: "m",
	status: "completed",
	output: [
		{
			id: `msg_${id}`,
			type: "message",
			role: "assistant",
			status: "completed",
			content: [{ type: "output_text", text, annotations: [] }],
		},
	],
});

function record(body: object, answer: object, known?: StoredResponse[]) {
	const found = recordOf(bytes(body), answer, known);
	if (!found) throw new Error("no record");
	return found;
}

function expanded(
	body: object | Uint8Array,
	chain: StoredResponse[],
	others?: StoredResponse[],
) {
	const outcome = expandRequest(
		body instanceof Uint8Array ? body : bytes(body),
		chain,
		others,
	);
	return outcome.ok
		? JSON.parse(Buffer.from(outcome.value).toString())
		: outcome.error.details?.field;
}

const first = record(
	{ model: "m", input: "My name is Ada.", instructions: "Be brief." },
	response("resp_1", "Hello, Ada."),
);
const second = record(
	{
		model: "m",
		input: [{ role: "user", content: "And yours?" }],
		previous_response_id: "resp_1",
	},
	response("resp_2", "I have none."),
);

describe("what is kept of a response", () => {
	it("is its own input and output, without instructions, under the response that it goes on from", () => {
		expect(first).toMatchObject({
			id: "resp_1",
			created: 1_764_000_000,
			model: "m",
			input: [{ type: "message", role: "user", id: "msg_dos_resp_1_in_0" }],
			output: [{ id: "msg_resp_1" }],
		});
		expect(first.previous).toBeUndefined();
		expect(JSON.stringify(first.input)).not.toContain("Be brief");
		expect(second).toMatchObject({
			previous: "resp_1",
			input: [{ content: "And yours?", id: "msg_dos_resp_2_in_0" }],
		});
		expect(second.response.previous_response_id).toBe("resp_1");
	});

	it("is nothing where no answer came to its end", () => {
		for (const bad of [
			undefined,
			"text",
			{},
			{ ...response("resp_1", ""), status: "failed" },
			{ ...response("resp_1", ""), status: "in_progress" },
			{ ...response("", "") },
		])
			expect(recordOf(bytes({ model: "m", input: "Hi" }), bad)).toBeUndefined();
		expect(recordOf(Buffer.from("{"), response("resp_1", ""))).toBeUndefined();
	});
});

describe("a request that goes on from a response", () => {
	it("gets all that was said before in front of its input, and changes in nothing else", () => {
		const body = Buffer.from(
			'{ "model":"m",  "previous_response_id":"resp_2", "temperature":0.70, "input":"Who am I?" }',
		);
		const outcome = expandRequest(body, [first, second]);
		if (!outcome.ok) throw new Error(outcome.error.message);
		const text = Buffer.from(outcome.value).toString();
		expect(text).toContain(
			'"previous_response_id":null, "temperature":0.70, "',
		);
		expect(
			JSON.parse(text).input.map(
				(item: { role: string; content: string | { text: string }[] }) =>
					`${item.role}: ${typeof item.content === "string" ? item.content : item.content[0]?.text}`,
			),
		).toEqual([
			"user: My name is Ada.",
			"assistant: Hello, Ada.",
			"user: And yours?",
			"assistant: I have none.",
			"user: Who am I?",
		]);
	});

	it("may have no input of its own", () => {
		expect(
			expanded({ model: "m", previous_response_id: "resp_1" }, [first]).input,
		).toHaveLength(2);
	});

	it("is refused unless every response before it is there, in order", () => {
		const body = { model: "m", input: "Hi", previous_response_id: "resp_2" };
		for (const chain of [
			[],
			[second],
			[first],
			[second, first],
			[first, first, second],
		])
			expect(expanded(body, chain)).toBe("previous_response_id");
		expect(expanded({ model: "m", input: "Hi" }, [first])).toMatchObject({
			input: "Hi",
		});
	});

	it("gets items in place of references to them, and keeps those", () => {
		const body = {
			model: "m",
			input: [
				{ type: "item_reference", id: "msg_resp_1" },
				{ role: "user", content: "Again?" },
			],
		};
		const { input } = expanded(body, [], [first]);
		expect(input[0]).toEqual(first.output[0]);
		expect(expanded(body, [], [second])).toBe("input.0.id");
		const kept = record(body, response("resp_3", "Yes."), [first]);
		expect(kept.input[0]).toEqual(first.output[0]);
	});

	it("stays the very same bytes when it refers to nothing", () => {
		const body = file("codex-request.json");
		const outcome = expandRequest(body, []);
		expect(outcome.ok && outcome.value).toBe(body);
	});
});

describe("what a request says of state", () => {
	const stateOf = (body: object) => {
		const outcome = readState(bytes(body));
		return outcome.ok ? outcome.value : outcome.error.details?.field;
	};

	it("keeps what does not say no", () => {
		expect(stateOf({ input: "Hi" })).toEqual({ store: true, references: [] });
		expect(stateOf({ input: "Hi", store: null })).toMatchObject({
			store: true,
		});
		expect(stateOf({ input: "Hi", store: false })).toMatchObject({
			store: false,
		});
		expect(stateOf({ input: "Hi", store: "no" })).toBe("store");
	});

	it("names what it goes on from and refers to", () => {
		expect(
			stateOf({
				previous_response_id: "resp_1",
				input: [
					{ type: "item_reference", id: "a" },
					{ type: "item_reference", id: "a" },
					{ role: "user", content: "item_reference" },
				],
			}),
		).toEqual({ store: true, previous: "resp_1", references: ["a"] });
		expect(stateOf({ previous_response_id: 7 })).toBe("previous_response_id");
		expect(stateOf({ previous_response_id: "" })).toBe("previous_response_id");
	});
});

describe("an answer that is watched", () => {
	it.each([
		["openai-stream.txt", "text/event-stream; charset=utf-8"],
		["openai-response.json", "application/json"],
	])("gives the response that %s ends with", (name, type) => {
		const watch = watchResponse(type);
		for (const byte of file(name)) watch.push(Uint8Array.of(byte));
		expect(watch.finish()).toEqual(
			JSON.parse(file("openai-response.json").toString()),
		);
	});

	it.each([
		["openai-failed-stream.txt", "text/event-stream"],
		["openai-error-stream.txt", "text/event-stream"],
	])("gives none where %s failed", (name, type) => {
		const watch = watchResponse(type);
		watch.push(file(name));
		expect(watch.finish()).toBeUndefined();
	});

	it("gives none for what is no JSON", () => {
		const watch = watchResponse("application/json");
		watch.push(Buffer.from("<html>"));
		expect(watch.finish()).toBeUndefined();
	});
});

function shown(kept: StoredResponse, query = ""): Uint8Array {
	const outcome = retrieved(kept, query);
	if (!outcome.ok) throw new Error(outcome.error.message);
	return outcome.value.body;
}

describe("a kept response that is told again", () => {
	const events = (kept: StoredResponse, query: string) =>
		Buffer.from(shown(kept, query))
			.toString()
			.split("\n\n")
			.filter((frame) => frame !== "")
			.map((frame) => {
				const [name, data] = frame.split("\n");
				const event = JSON.parse(data?.slice("data: ".length) ?? "");
				expect(name).toBe(`event: ${event.type}`);
				return event;
			});
	const told = (name: string) =>
		record({ model: "m", input: "Hi" }, JSON.parse(file(name).toString()));

	it.each([
		"openai-response.json",
		"openai-text.json",
		"openai-tools.json",
		"openai-web-search.json",
		"xai-response.json",
	])("has every item of %s as it was, in events that are numbered", (name) => {
		const kept = told(name);
		const all = events(kept, "stream=true");
		expect(all.map(({ sequence_number }) => sequence_number)).toEqual(
			all.map((_, index) => index),
		);
		expect(all[0]).toMatchObject({
			type: "response.created",
			response: { id: kept.id, status: "in_progress", output: [] },
		});
		expect(all.at(-1)).toMatchObject({
			type: "response.completed",
			response: kept.response,
		});
		expect(
			all
				.filter(({ type }) => type === "response.output_item.done")
				.map(({ item }) => item),
		).toEqual(kept.output);
		// A reader of the pieces alone gets the same texts.
		const pieces = all
			.filter(({ type }) => /\.delta$/.test(type))
			.map(({ delta }) => delta)
			.join("");
		for (const item of kept.output) {
			const {
				arguments: text,
				content,
				summary,
			} = item as {
				arguments?: string;
				content?: { text?: string }[];
				summary?: { text: string }[];
			};
			for (const part of [...(content ?? []), ...(summary ?? []), { text }])
				expect(pieces).toContain(part.text ?? "");
		}
	});

	it("is what a client's own reader takes for the answer", () => {
		const kept = told("openai-response.json");
		const watch = watchResponse("text/event-stream");
		watch.push(shown(kept, "stream=true"));
		expect(watch.finish()).toEqual(kept.response);
	});

	it("begins after the event that is numbered, and refuses other words", () => {
		const all = events(first, "stream=true");
		expect(events(first, "stream=true&starting_after=3")).toEqual(all.slice(4));
		expect(events(first, "stream=true&starting_after=999")).toEqual([]);
		for (const [query, field] of [
			["stream=yes", "stream"],
			["stream=true&starting_after=x", "starting_after"],
			["stream=true&starting_after=-2", "starting_after"],
		] as const) {
			const outcome = retrieved(first, query);
			expect(outcome.ok || outcome.error.details?.field).toBe(field);
		}
	});

	it("ends as it ended", () => {
		const cut = record(
			{ model: "m", input: "Hi" },
			{ ...response("resp_9", "Hel"), status: "incomplete" },
		);
		expect(events(cut, "stream=true").at(-1)?.type).toBe("response.incomplete");
	});
});

describe("the openai client", () => {
	const client = (body: Uint8Array) =>
		new OpenAI({
			apiKey: "dos_sk_test",
			maxRetries: 0,
			fetch: async () =>
				new Response(Buffer.from(body), {
					headers: { "content-type": "application/json" },
				}),
		});

	it("retrieves and deletes a kept response", async () => {
		const found = await client(shown(second)).responses.retrieve("resp_2");
		expect(found.output_text).toBe("I have none.");
		await expect(
			client(deleted("resp_2")).responses.delete("resp_2"),
		).resolves.not.toThrow();
	});

	it("lists input items page by page, in either order", async () => {
		const list = async (query: string) => {
			const outcome = inputItems([first, second], query);
			if (!outcome.ok) return outcome.error.details?.field;
			const page = await client(outcome.value).responses.inputItems.list(
				"resp_2",
			);
			return {
				ids: page.data.map(({ id }) => id),
				more: page.has_more,
			};
		};
		expect(await list("")).toEqual({
			ids: ["msg_dos_resp_2_in_0", "msg_resp_1", "msg_dos_resp_1_in_0"],
			more: false,
		});
		expect(await list("order=asc&limit=2")).toEqual({
			ids: ["msg_dos_resp_1_in_0", "msg_resp_1"],
			more: true,
		});
		expect(await list("order=asc&after=msg_resp_1")).toEqual({
			ids: ["msg_dos_resp_2_in_0"],
			more: false,
		});
		expect(await list("limit=0")).toBe("limit");
		expect(await list("order=up")).toBe("order");
		expect(await list("after=other")).toBe("after");
	});
});
