import { afterEach, describe, expect, it } from "vitest";
import { openLedger } from "../../src/apps/ledger.ts";
import { mockVendor, startStudio, type TestStudio } from "../support/studio.ts";
import {
	type Answering,
	chatAnswer,
	chatFrames,
	sendFrames,
	sendJson,
	startUpstream,
	type Upstream,
} from "../support/upstream.ts";

const usage = { prompt: 1_000, completion: 500 };
const costOfOne = 200_000;
const plainAnswer: Answering = (_, response) =>
	sendJson(response, 200, chatAnswer("Hello there", usage));

let upstream: Upstream;
let studio: TestStudio;
let key: string;

async function start(
	answer: Answering,
	more = "",
	grant?: number,
): Promise<void> {
	upstream = await startUpstream(answer);
	studio = await startStudio(
		mockVendor(upstream.url, "openai-chat", more),
		grant === undefined ? {} : { grant },
	);
	key = await studio.key();
}

afterEach(async () => {
	await studio.close();
	await upstream.close();
});

function call(
	options: {
		body?: object;
		headers?: Record<string, string>;
		signal?: AbortSignal;
		url?: string;
	} = {},
): Promise<Response> {
	return fetch(`${options.url ?? studio.url}/v1/chat/completions`, {
		method: "POST",
		headers: {
			authorization: `Bearer ${key}`,
			"content-type": "application/json",
			...options.headers,
		},
		body: JSON.stringify({
			model: "mock/m",
			messages: [{ role: "user", content: "hi" }],
			max_tokens: 500,
			...options.body,
		}),
		...(options.signal ? { signal: options.signal } : {}),
	});
}

/** The resolution of the only call in the log. */
async function resolution(): Promise<{
	type: string;
	data: Record<string, unknown>;
}> {
	await until(() => studio.account().held === 0);
	const events = await studio.ledger.log.readStreamBackwards("account/main", {
		limit: 1,
	});
	return {
		type: events[0]?.type as string,
		data: JSON.parse(events[0]?.data as string),
	};
}

async function until(condition: () => boolean): Promise<void> {
	for (let tries = 0; !condition(); tries++) {
		if (tries > 500) throw new Error("It did not come about within 5 s.");
		await new Promise((resolve) => setTimeout(resolve, 10));
	}
}

describe("every ending settles exactly once", () => {
	it("a client that leaves in mid-stream: the vendor is told, and what was delivered is paid as an estimate", async () => {
		await start((_, response) =>
			sendFrames(
				response,
				[...chatFrames(Array.from({ length: 400 }, () => "word "))],
				5,
			),
		);
		const abort = new AbortController();
		const response = await call({
			body: { stream: true },
			signal: abort.signal,
		});
		const reader = (response.body as ReadableStream<Uint8Array>).getReader();
		for (let read = 0; read < 5; read++) await reader.read();
		abort.abort();
		await upstream.received[0]?.cancelled;
		const { type, data } = await resolution();
		expect(type).toBe("credits-settled");
		expect(data).toMatchObject({ ending: "client-gone", basis: "estimated" });
		const output = (data.usage as { output: number }).output;
		expect(output).toBeGreaterThan(0);
		expect(output).toBeLessThan(500);
	});

	it("a client that leaves before the first byte pays for the input the vendor was sent, and no output", async () => {
		await start(() => new Promise(() => {}));
		const abort = new AbortController();
		const asked = call({ signal: abort.signal }).catch(() => {});
		await until(() => upstream.received.length === 1);
		abort.abort();
		await asked;
		await upstream.received[0]?.cancelled;
		const { type, data } = await resolution();
		expect(type).toBe("credits-settled");
		expect(data).toMatchObject({ ending: "client-gone", basis: "estimated" });
		expect(data.usage).not.toHaveProperty("output");
	});

	it.each([400, 404, 429, 500, 503, 529])(
		"a vendor's %i is passed on and costs nothing",
		async (status) => {
			const error = JSON.stringify({
				error: {
					message: "Vendor says no",
					type: "server_error",
					param: null,
					code: null,
				},
			});
			await start((_, response) =>
				sendJson(response, status, error, { "retry-after": "70" }),
			);
			const response = await call();
			expect(response.status).toBe(status);
			expect(await response.text()).toBe(error);
			expect(response.headers.get("retry-after")).toBe("70");
			expect(response.headers.get("x-dos-credits")).toBe("0");
			expect(await resolution()).toMatchObject({
				type: "credits-released",
				data: { ending: "vendor-error", status },
			});
			expect(studio.account().spent).toBe(0);
		},
	);

	it.each([401, 403])(
		"a vendor's %i is about the owner's key: the client hears 502, and no piece of the key",
		async (status) => {
			await start((_, response) =>
				sendJson(
					response,
					status,
					JSON.stringify({
						error: {
							message: "Incorrect API key provided: vendor-secret-key-123456",
						},
					}),
				),
			);
			const response = await call();
			expect(response.status).toBe(502);
			const text = await response.text();
			expect(text).toContain("vendor/unauthorised");
			expect(text).not.toContain("vendor-secret");
			expect(studio.reports.join()).toContain("vendor/unauthorised");
			expect(studio.reports.join()).not.toContain("vendor-secret");
			expect(studio.account().spent).toBe(0);
		},
	);

	it("a stream that breaks off is ended with an error frame, and what was delivered is paid", async () => {
		await start((_, response) => {
			response.writeHead(200, { "content-type": "text/event-stream" });
			for (const frame of chatFrames(["some ", "words"]).slice(0, 3))
				response.write(frame);
			setTimeout(() => response.destroy(), 50);
		});
		const text = await (await call({ body: { stream: true } })).text();
		expect(text).toContain("some ");
		expect(text).toContain('"error"');
		const { type, data } = await resolution();
		expect(type).toBe("credits-settled");
		expect(data).toMatchObject({
			ending: "vendor-broke-off",
			basis: "estimated",
		});
		expect((data.usage as { output: number }).output).toBeGreaterThan(0);
	});

	it("a vendor that delivers nothing is owed nothing", async () => {
		await start((_, response) => {
			response.destroy();
		});
		const response = await call();
		expect(response.status).toBe(502);
		expect(await resolution()).toMatchObject({ type: "credits-released" });
		expect(studio.account().spent).toBe(0);
	});

	it("a vendor that cannot be reached is tried again once, and owed nothing", async () => {
		await start(plainAnswer);
		await upstream.close();
		const response = await call();
		expect(response.status).toBe(502);
		expect(await response.json()).toMatchObject({
			error: { code: "upstream/connect" },
		});
		expect(await resolution()).toMatchObject({
			type: "credits-released",
			data: { ending: "not-sent" },
		});
	});

	it("a vendor that never begins is given up after the first-byte timeout", async () => {
		await start(() => new Promise(() => {}), "timeouts: { firstByte: 200ms }");
		const response = await call();
		expect(response.status).toBe(504);
		expect(await response.json()).toMatchObject({
			error: { code: "upstream/first-byte-timeout" },
		});
		expect(await resolution()).toMatchObject({
			type: "credits-released",
			data: { ending: "timeout" },
		});
	});

	it("a vendor that falls silent in mid-stream is given up, and what was delivered is paid", async () => {
		await start((_, response) => {
			response.writeHead(200, { "content-type": "text/event-stream" });
			for (const frame of chatFrames(["some ", "words"]).slice(0, 3))
				response.write(frame);
		}, "timeouts: { idle: 200ms }");
		const text = await (await call({ body: { stream: true } })).text();
		expect(text).toContain("upstream/idle-timeout");
		expect(await resolution()).toMatchObject({
			type: "credits-settled",
			data: { ending: "timeout", basis: "estimated" },
		});
	});

	it("usage that makes no sense is thrown away, estimated, marked and shown", async () => {
		await start((_, response) =>
			sendJson(
				response,
				200,
				chatAnswer("Hello there", { prompt: -5, completion: 1e15 }),
			),
		);
		const response = await call();
		expect(response.status).toBe(200);
		const { data } = await resolution();
		expect(data).toMatchObject({ basis: "estimated", ending: "finished" });
		expect((data.notes as string[]).join(" ")).toMatch(/thrown away/);
		expect((data.usage as { output: number }).output).toBeLessThanOrEqual(11);
	});
});

describe("caps and balances", () => {
	// Bun's `fetch`, which these callers use, opens at most 256 connections in a process.
	const parallel = process.versions.bun === undefined ? 1_000 : 200;
	const paid = parallel / 10;

	it.each([
		["with a limit of their own", 500],
		["without one", undefined],
	])(
		`${parallel} parallel calls (%s) on an account that can pay for ${paid} settle exactly ${paid}`,
		async (_, limit) => {
			await start(plainAnswer, "", paid * costOfOne);
			const statuses = await Promise.all(
				Array.from({ length: parallel }, async () => {
					const response = await call({ body: { max_tokens: limit } });
					await response.text();
					return response.status;
				}),
			);
			expect(statuses.filter((status) => status === 200)).toHaveLength(paid);
			expect(statuses.filter((status) => status === 402)).toHaveLength(
				parallel - paid,
			);
			expect(studio.account()).toEqual({
				granted: paid * costOfOne,
				spent: paid * costOfOne,
				held: 0,
				available: 0,
			});
			expect(upstream.received).toHaveLength(paid);
		},
		60_000,
	);

	it("two servers on one home share one balance, and neither overdraws it", async () => {
		await start(plainAnswer, "", paid * costOfOne);
		const second = await startStudio(mockVendor(upstream.url), {
			home: studio.home,
			keepHome: true,
		});
		try {
			const urls = [studio.url, second.url];
			const statuses = await Promise.all(
				Array.from({ length: 150 }, async (_, index) => {
					const response = await call({ url: urls[index % 2] as string });
					await response.text();
					return response.status;
				}),
			);
			await studio.settled();
			const settled = statuses.filter((status) => status === 200).length;
			expect(settled).toBe(Math.min(150, paid));
			await studio.ledger.head.refresh();
			expect(studio.account()).toMatchObject({
				spent: settled * costOfOne,
				held: 0,
			});
		} finally {
			await second.close();
		}
	}, 60_000);

	it("a refusal says what is needed, what is there, and how to top up", async () => {
		await start(plainAnswer, "", 50);
		const response = await call();
		expect(response.status).toBe(402);
		const { error } = (await response.json()) as {
			error: { code: string; message: string; dos: Record<string, unknown> };
		};
		expect(error.code).toBe("credits/insufficient");
		expect(error.dos).toMatchObject({ available: 50 });
		expect(error.dos.needed).toBeGreaterThan(50);
		expect(`${error.message} ${JSON.stringify(error.dos)}`).toContain(
			"dos credits grant",
		);
	});

	it("a revoked key is refused at once, also when another process revoked it", async () => {
		await start(plainAnswer);
		expect((await call()).status).toBe(200);
		const other = await openLedger(studio.home);
		const [id] = [...other.head.state("credits").keys.keys()];
		await other.head.execute(
			"credits",
			{ type: "revoke-key", key: id as string },
			{ actor: "operator" },
		);
		await other.close();
		const response = await call();
		expect(response.status).toBe(401);
		expect(await response.json()).toMatchObject({
			error: { code: "key/revoked" },
		});
	});

	it("a key made by another process works at once", async () => {
		await start(plainAnswer);
		const other = await openLedger(studio.home);
		const hash = other.digest.text("dos_sk_made-elsewhere-0123456789");
		await other.head.execute(
			"credits",
			{
				type: "create-key",
				account: "main",
				key: "elsewhere",
				name: "x",
				hash,
				hint: "dos_sk_…",
				scopes: { can: ["call"] },
			},
			{ actor: "operator" },
		);
		await other.close();
		key = "dos_sk_made-elsewhere-0123456789";
		expect((await call()).status).toBe(200);
	});

	it("an unknown price refuses the call, or the owner's ceiling is used", async () => {
		await start(plainAnswer);
		const more =
			"\nmodels: { dear: mock/m }\nceiling: { input: 10, output: 10 }";
		await studio.close();
		studio = await startStudio(
			mockVendor(upstream.url).replace('model: "*"', "model: other"),
		);
		key = await studio.key();
		const refused = await call();
		expect(refused.status).toBe(422);
		expect(await refused.json()).toMatchObject({
			error: { code: "price/unknown" },
		});
		expect(upstream.received).toHaveLength(0);
		await studio.close();
		studio = await startStudio(
			mockVendor(upstream.url, "openai-chat", more).replace(
				'model: "*"',
				"model: other",
			),
		);
		key = await studio.key();
		expect((await call({ body: { model: "dear" } })).status).toBe(200);
		expect(studio.account().spent).toBe(1_500_000);
	});
});

describe("idempotency keys", () => {
	it("the same key and body give the stored first answer, charged once", async () => {
		await start(plainAnswer);
		const headers = { "idempotency-key": "order-1" };
		const first = await call({ headers });
		const second = await call({ headers });
		expect(await second.text()).toBe(await first.text());
		expect(second.status).toBe(200);
		expect(second.headers.get("x-dos-replayed")).toBe("true");
		expect(second.headers.get("x-dos-call-id")).toBe(
			first.headers.get("x-dos-call-id"),
		);
		expect(upstream.received).toHaveLength(1);
		expect(studio.account().spent).toBe(costOfOne);
	});

	it("a stream is replayed byte for byte", async () => {
		await start((_, response) =>
			sendFrames(
				response,
				chatFrames(["a", "b"], { prompt: 10, completion: 2 }),
			),
		);
		const options = {
			headers: { "idempotency-key": "s" },
			body: { stream: true },
		};
		const first = await (await call(options)).text();
		expect(await (await call(options)).text()).toBe(first);
		expect(upstream.received).toHaveLength(1);
	});

	it("the same key with another body is refused", async () => {
		await start(plainAnswer);
		await call({ headers: { "idempotency-key": "k" } });
		const other = await call({
			headers: { "idempotency-key": "k" },
			body: { max_tokens: 499 },
		});
		expect(other.status).toBe(409);
		expect(await other.json()).toMatchObject({
			error: { code: "idempotency/mismatch" },
		});
	});

	it("a retry while the first is in flight is told to wait", async () => {
		let go = (): void => {};
		const gate = new Promise<void>((resolve) => {
			go = resolve;
		});
		await start(async (received, response) => {
			await gate;
			return plainAnswer(received, response);
		});
		const headers = { "idempotency-key": "k" };
		const first = call({ headers });
		await until(() => upstream.received.length === 1);
		const second = await call({ headers });
		expect(second.status).toBe(409);
		expect(second.headers.get("retry-after")).toBe("1");
		expect(await second.json()).toMatchObject({
			error: { code: "idempotency/in-flight" },
		});
		go();
		expect((await first).status).toBe(200);
	});

	it("a call that failed and cost nothing may be tried again under its key", async () => {
		// The first call fails twice: it is tried once more by itself.
		let failures = 2;
		await start((received, response) =>
			failures-- > 0
				? sendJson(response, 500, "{}")
				: plainAnswer(received, response),
		);
		const headers = { "idempotency-key": "k" };
		expect((await call({ headers })).status).toBe(500);
		expect((await call({ headers })).status).toBe(200);
		expect((await call({ headers })).headers.get("x-dos-replayed")).toBe(
			"true",
		);
		expect(studio.account().spent).toBe(costOfOne);
	});

	it("an answer that is no longer kept is never paid a second time", async () => {
		await start(plainAnswer);
		const headers = { "idempotency-key": "k" };
		await call({ headers });
		studio.ledger.store.file?.durable.exec("DELETE FROM answer");
		const retry = await call({ headers });
		expect(retry.status).toBe(409);
		expect(await retry.json()).toMatchObject({
			error: { code: "idempotency/answer-gone" },
		});
		expect(studio.account().spent).toBe(costOfOne);
	});
});
