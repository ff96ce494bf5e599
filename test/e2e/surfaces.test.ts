import Anthropic from "@anthropic-ai/sdk";
import { GoogleGenAI } from "@google/genai";
import OpenAI, { NotFoundError } from "openai";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { startStudio, type TestStudio } from "../support/studio.ts";
import { startUpstream } from "../support/upstream.ts";

/** What a client meets beside calls of models, over the loopback substrate: stored responses, lists of models, counts of tokens. */
const model = "loopback/loopback";
let studio: TestStudio;
let key: string;
let openai: OpenAI;

beforeAll(async () => {
	studio = await startStudio();
	key = await studio.key();
	openai = clientOf(key);
});
afterAll(() => studio.close());

function clientOf(apiKey: string): OpenAI {
	return new OpenAI({ apiKey, baseURL: `${studio.url}/v1`, maxRetries: 0 });
}

describe("stored responses", () => {
	it("are gone on from, with all that was said before in the request", async () => {
		const first = await openai.responses.create({ model, input: "I am Ann." });
		const second = await openai.responses.create({
			model,
			input: "Who am I?",
			previous_response_id: first.id,
		});
		expect(second.previous_response_id).toBe(first.id);
		expect(second.usage?.input_tokens).toBeGreaterThan(
			2 * (first.usage?.input_tokens ?? 0),
		);
		const third = await openai.responses
			.stream({ model, input: "And now?", previous_response_id: second.id })
			.finalResponse();
		const items = await openai.responses.inputItems.list(third.id, {
			order: "asc",
		});
		const said = items.data.map((item) =>
			"content" in item && Array.isArray(item.content)
				? item.content.map((part) => ("text" in part ? part.text : ""))
				: [],
		);
		expect(said.flat()).toEqual([
			"I am Ann.",
			first.output_text,
			"Who am I?",
			second.output_text,
			"And now?",
		]);
	});

	it("are given again as they were, whole ones and streamed ones", async () => {
		const whole = await openai.responses.create({ model, input: "Hello" });
		const streamed = await openai.responses
			.stream({ model, input: "Hello again" })
			.finalResponse();
		for (const { id, output_text } of [whole, streamed]) {
			const again = await openai.responses.retrieve(id);
			expect([again.id, again.output_text]).toEqual([id, output_text]);
		}
	});

	it("are told again as events, from the first or from where the client was", async () => {
		const { id, output_text } = await openai.responses.create({
			model,
			input: "Hello",
		});
		const types: string[] = [];
		let text = "";
		for await (const event of await openai.responses.retrieve(id, {
			stream: true,
		})) {
			types.push(event.type);
			if (event.type === "response.output_text.delta") text += event.delta;
		}
		expect(types[0]).toBe("response.created");
		expect(types.at(-1)).toBe("response.completed");
		expect(text).toBe(output_text);
		const rest: string[] = [];
		for await (const event of await openai.responses.retrieve(id, {
			stream: true,
			starting_after: 1,
		}))
			rest.push(event.type);
		expect(rest).toEqual(types.slice(2));
		const helper = openai.responses.stream({ response_id: id });
		expect((await helper.finalResponse()).output_text).toBe(output_text);
	});

	it("have ended, and so are refused to those who would cancel them", async () => {
		const { id } = await openai.responses.create({ model, input: "Hello" });
		await expect(openai.responses.cancel(id)).rejects.toMatchObject({
			status: 400,
			code: "response/ended",
			type: "invalid_request_error",
		});
		await expect(openai.responses.cancel("resp_other")).rejects.toThrow(
			NotFoundError,
		);
		expect((await openai.responses.retrieve(id)).id).toBe(id);
	});

	it("are unknown to other accounts, once deleted, and when they were not to be stored", async () => {
		const kept = await openai.responses.create({ model, input: "Secret" });
		await studio.run({ type: "open-account", account: "other", name: "other" });
		await studio.run({
			type: "grant",
			account: "other",
			amount: 100_000_000,
			note: "",
		} as never);
		const stranger = clientOf(await studio.key({ account: "other" }));
		await expect(stranger.responses.retrieve(kept.id)).rejects.toThrow(
			NotFoundError,
		);
		await expect(stranger.responses.delete(kept.id)).rejects.toThrow(
			NotFoundError,
		);
		await expect(
			stranger.responses.create({
				model,
				input: "Go on",
				previous_response_id: kept.id,
			}),
		).rejects.toThrow(NotFoundError);
		expect(await openai.responses.delete(kept.id)).toMatchObject({
			id: kept.id,
			deleted: true,
		});
		await expect(openai.responses.retrieve(kept.id)).rejects.toMatchObject({
			status: 404,
			code: "response/unknown",
		});
		const unkept = await openai.responses.create({
			model,
			input: "Secret",
			store: false,
		});
		await expect(openai.responses.retrieve(unkept.id)).rejects.toThrow(
			NotFoundError,
		);
	});

	it("need a key that may: reading with `read`, deleting with `call`", async () => {
		const kept = await openai.responses.create({ model, input: "Hello" });
		const url = `${studio.url}/v1/responses/${kept.id}`;
		expect((await fetch(url)).status).toBe(401);
		const reader = await studio.key({ scopes: { can: ["read"] } });
		const headers = { authorization: `Bearer ${reader}` };
		expect((await fetch(url, { headers })).status).toBe(200);
		expect((await fetch(url, { method: "DELETE", headers })).status).toBe(403);
		expect((await fetch(url, { method: "PUT", headers })).status).toBe(405);
		expect(
			(await fetch(`${studio.url}/v1/responses/`, { headers })).status,
		).toBe(404);
	});

	it("survive a restart of the gateway's head, as the log has them", async () => {
		const kept = await openai.responses.create({ model, input: "Hello" });
		const [event] = await studio.ledger.log.findByKey([
			`response/main/${kept.id}`,
		]);
		expect(event).toMatchObject({ type: "response-stored" });
	});
});

describe("headers that choose a version or features in test", () => {
	it("reach a vendor of the client's protocol as they came, and no other", async () => {
		const upstream = await startUpstream((_, response) => {
			response.writeHead(500).end();
		});
		const vendor = (protocol: string) =>
			`{ protocol: ${protocol}, base: "${upstream.url}/v1", key: k }`;
		const gateway = await startStudio(
			[
				"ceiling: { input: 1, output: 1 }",
				"vendors:",
				`  own: ${vendor("anthropic-messages")}`,
				`  other: ${vendor("openai-chat")}`,
			].join("\n"),
		);
		const asked = {
			"anthropic-version": "2026-10-21",
			"anthropic-beta": "first-2026-01-01,second-2026-02-02",
		};
		for (const name of ["own", "other"])
			await fetch(`${gateway.url}/v1/messages`, {
				method: "POST",
				headers: { ...asked, "x-api-key": await gateway.key() },
				body: JSON.stringify({
					model: `${name}/m`,
					max_tokens: 5,
					messages: [{ role: "user", content: "Hi" }],
				}),
			});
		const headers = upstream.received.map((each) => each.headers);
		await gateway.close();
		await upstream.close();
		expect(headers[0]).toMatchObject(asked);
		for (const name of Object.keys(asked))
			expect(headers.at(-1)).not.toHaveProperty(name);
		expect(upstream.received.at(-1)?.path).toBe("/v1/chat/completions");
	});
});

describe("models", () => {
	it("are listed and shown to each protocol's clients in their own shape", async () => {
		expect((await openai.models.list()).data.map(({ id }) => id)).toContain(
			model,
		);
		expect((await openai.models.retrieve(model)).id).toBe(model);
		const anthropic = new Anthropic({ apiKey: key, baseURL: studio.url });
		expect((await anthropic.models.list()).data.map(({ id }) => id)).toContain(
			model,
		);
		expect((await anthropic.models.retrieve(model)).type).toBe("model");
		for (const apiVersion of ["v1", "v1beta"]) {
			const google = new GoogleGenAI({
				apiKey: key,
				apiVersion,
				httpOptions: { baseUrl: studio.url },
			});
			const names: (string | undefined)[] = [];
			for await (const { name } of await google.models.list()) names.push(name);
			expect(names).toContain(`models/${model}`);
			expect((await google.models.get({ model })).name).toBe(`models/${model}`);
		}
	});

	it("that are not there are 404 in each shape", async () => {
		await expect(openai.models.retrieve("nobody/x")).rejects.toMatchObject({
			status: 404,
			code: "model/unknown",
		});
		const google = await fetch(`${studio.url}/v1beta/models/x?key=${key}`);
		expect([google.status, await google.json()]).toMatchObject([
			404,
			{ error: { code: 404, status: "NOT_FOUND" } },
		]);
	});
});

describe("tokens that no vendor counts for us", () => {
	it("are estimated, say so, and cost nothing", async () => {
		const before = studio.account();
		const anthropic = new Anthropic({ apiKey: key, baseURL: studio.url });
		const { data, response } = await anthropic.messages
			.countTokens({
				model,
				messages: [{ role: "user", content: "word ".repeat(400) }],
			})
			.withResponse();
		expect(data.input_tokens).toBeGreaterThan(50);
		expect(data.input_tokens).toBeLessThan(2_200);
		expect(response.headers.get("x-dos-warnings")).toBe("changed tokens");
		const google = new GoogleGenAI({
			apiKey: key,
			httpOptions: { baseUrl: studio.url },
		});
		const counted = await google.models.countTokens({
			model,
			contents: "word ".repeat(400),
		});
		expect(counted.totalTokens).toBeGreaterThan(50);
		expect(studio.account()).toEqual(before);
	});
});
