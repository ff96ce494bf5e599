import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { inspect } from "node:util";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { readAddress } from "../../src/adapters/postgres/address.ts";
import { mockVendor, startStudio, type TestStudio } from "../support/studio.ts";
import {
	chatAnswer,
	sendJson,
	startUpstream,
	type Upstream,
} from "../support/upstream.ts";

/** Words are planted wherever a client or a vendor can put some, and everything that is written or said is searched. */
describe("secrets and prompts", () => {
	const prompt = "PLANTED-PROMPT-7d1f";
	const answer = "PLANTED-ANSWER-88ab";
	const vendorKey = "vendor-secret-key-123456";
	let upstream: Upstream;
	let studio: TestStudio;
	let key: string;

	beforeEach(async () => {
		upstream = await startUpstream((_, response) =>
			sendJson(
				response,
				200,
				chatAnswer(answer, { prompt: 10, completion: 5 }),
			),
		);
		studio = await startStudio(mockVendor(upstream.url));
		key = await studio.key();
	});
	afterEach(async () => {
		await studio.close();
		await upstream.close();
	});

	async function call(
		body: string | object,
		headers: Record<string, string> = {},
	): Promise<string> {
		const response = await fetch(`${studio.url}/v1/chat/completions`, {
			method: "POST",
			headers: {
				authorization: `Bearer ${key}`,
				"content-type": "application/json",
				...headers,
			},
			body: typeof body === "string" ? body : JSON.stringify(body),
		});
		return `${JSON.stringify([...response.headers])} ${await response.text()}`;
	}

	const good = {
		model: "mock/m",
		messages: [{ role: "user", content: prompt }],
		user: prompt,
		metadata: { note: prompt },
	};

	/** Everything in the home folder, the database and its journal included, as text. */
	function written(): string {
		return readdirSync(studio.home.folder, {
			recursive: true,
			withFileTypes: true,
		})
			.filter((entry) => entry.isFile())
			.map((entry) =>
				readFileSync(join(entry.parentPath, entry.name), "latin1"),
			)
			.join("\n");
	}

	it("no prompt, answer or key is written down, and no key is told", async () => {
		const said = [
			await call(good),
			await call(good, { "x-planted": prompt, "user-agent": prompt }),
		];
		upstream.answer = (_, response) =>
			sendJson(
				response,
				401,
				JSON.stringify({ error: { message: vendorKey } }),
			);
		said.push(await call(good));
		upstream.answer = (_, response) =>
			sendJson(
				response,
				400,
				JSON.stringify({ error: { message: `Bad key ${vendorKey}` } }),
			);
		said.push(await call(good));
		upstream.answer = (_, response) => {
			response.destroy();
		};
		said.push(await call(good));
		said.push(await call(`${JSON.stringify(good)}]`));
		said.push(await call({ ...good, model: `mock/${"m".repeat(600)}` }));
		await studio.settled();

		const inFiles = written();
		expect(inFiles).toContain("credits-settled");
		for (const word of [prompt, answer, key, vendorKey]) {
			expect(inFiles).not.toContain(word);
			expect(studio.reports.join("\n")).not.toContain(word);
		}
		for (const text of said) {
			expect(text).not.toContain(key);
			expect(text).not.toContain(vendorKey);
		}
		expect(JSON.stringify(upstream.received)).not.toContain(key);
	});

	it("an answer is written down only for a retry that was announced, and the log still holds none of it", async () => {
		await call(good, { "idempotency-key": "again" });
		expect(written()).toContain(answer);
		expect(written()).not.toContain(prompt);
		for await (const batch of studio.ledger.log.read(0)) {
			expect(JSON.stringify(batch)).not.toContain(answer);
		}
	});

	it("no key that came in an address, and nothing of a body in any protocol, is written down or goes on", async () => {
		const said: string[] = [];
		const paths: Record<string, object> = {
			"/v1/chat/completions": good,
			"/v1/responses": {
				model: "mock/m",
				input: prompt,
				store: false,
				[prompt]: prompt,
			},
			"/v1/messages": {
				model: "mock/m",
				max_tokens: 5,
				system: prompt,
				messages: good.messages,
				tools: [
					{
						name: "t",
						input_schema: { type: "object", [prompt]: prompt },
					},
				],
			},
			"/v1beta/models/mock%2Fm:generateContent": {
				contents: [{ role: "user", parts: [{ text: prompt }] }],
				labels: { [prompt]: prompt },
				[prompt]: prompt,
			},
			[`/v1beta/models/mock%2Fm:${prompt}`]: {},
			"/v1/embeddings": { model: "mock/m", input: prompt, [prompt]: prompt },
		};
		const post = async (
			path: string,
			body: string | FormData,
		): Promise<void> => {
			const asked = `${studio.url}${path}?key=${key}&alt=sse&x=${prompt}`;
			const inQuery = path.startsWith("/v1beta/");
			const response = await fetch(asked, {
				method: "POST",
				headers: {
					...(inQuery ? {} : { authorization: `Bearer ${key}` }),
					...(typeof body === "string" && {
						"content-type": "application/json",
					}),
				},
				body,
			});
			said.push(
				`${JSON.stringify([...response.headers])} ${await response.text()}`,
			);
		};
		for (const protocol of [
			"openai-chat",
			"google-generate",
			"anthropic-messages",
			"bedrock-converse",
		]) {
			await studio.close();
			studio = await startStudio(mockVendor(upstream.url, protocol));
			key = await studio.key();
			for (const status of [200, 400, 500]) {
				upstream.answer = (_, response) =>
					sendJson(
						response,
						status,
						JSON.stringify({ error: { message: `${vendorKey} ${answer}` } }),
					);
				for (const [path, body] of Object.entries(paths))
					await post(path, JSON.stringify(body));
			}
			const form = new FormData();
			form.set("model", "mock/m");
			form.set("prompt", prompt);
			form.set("file", new Blob([prompt]), `${prompt}.wav`);
			await post("/v1/audio/transcriptions", form);
			await studio.settled();
			const places = [
				written(),
				studio.reports.join("\n"),
				await (await fetch(`${studio.url}/metrics`)).text(),
			];
			for (const place of places)
				for (const word of [prompt, answer, key, vendorKey])
					expect(place).not.toContain(word);
			for (const text of said) {
				expect(text).not.toContain(key);
				expect(text).not.toContain(vendorKey);
			}
			expect(JSON.stringify(upstream.received)).not.toContain(key);
			for (const { path } of upstream.received)
				expect(path).not.toMatch(/key=|PLANTED/);
		}
		expect(upstream.received.length).toBeGreaterThan(20);
	});

	it("no password of a database's address is told, whatever is wrong with it", () => {
		for (const wrong of [
			`postgres://owner:${vendorKey}@host:notaport/db`,
			`postgres://owner:${vendorKey}@host/db?unknown=${vendorKey}`,
			`postgres://owner:${vendorKey}@host/db?schema=${vendorKey}`,
			`postgres://owner:${vendorKey}@host/db?sslmode=${vendorKey}`,
			`postgres://owner:${vendorKey}%@host/db`,
			`mysql://owner:${vendorKey}@host/db`,
		]) {
			let fault: unknown;
			try {
				readAddress(wrong);
			} catch (thrown) {
				fault = thrown;
			}
			expect(fault).toMatchObject({ code: "store/bad-address" });
			expect(inspect(fault, { depth: 9 })).not.toContain(vendorKey);
		}
		const { name } = readAddress(`postgres://owner:${vendorKey}@localhost/db`);
		expect(name).not.toContain(vendorKey);
	});
});
