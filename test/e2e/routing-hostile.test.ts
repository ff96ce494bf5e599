import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { applyRouting } from "../../src/apps/routing.ts";
import { readRouting } from "../../src/contexts/routing/index.ts";
import { type RoutedVendors, row, startVendors } from "../support/routed.ts";
import { startStudio, type TestStudio } from "../support/studio.ts";

/** What a client may try with what it says to the router. */
let vendors: RoutedVendors;
let studio: TestStudio;
let key: string;
let stranger: string;
const forwarded: { body: string; headers: object }[] = [];

const routing = {
	table: { aliases: { "alpha/owned": [{ vendor: ["beta"] }] } },
	postures: [
		{
			id: "no-gpt",
			by: "the owner",
			why: "a test",
			from: "2026-01-01",
			deny: [{ model: ["gpt-x*"] }],
		},
	],
};

beforeAll(async () => {
	vendors = await startVendors({ alpha: "openai-chat", beta: "openai-chat" });
	studio = await startStudio(
		JSON.stringify({
			vendors: vendors.settings,
			prices: [{ vendor: "*", model: "*", prices: { input: 1, output: 2 } }],
			models: { "beta/aliased": "alpha/shared" },
			catalogue: {
				substrates: {
					"alpha/shared": row("DE", { name: "shared" }),
					"beta/shared": row("US", { name: "shared" }),
				},
			},
		}),
	);
	await applyRouting(
		studio.ledger,
		readRouting(routing, studio.ledger.digest.text),
		"owner",
	);
	await studio.run({ type: "open-account", account: "other", name: "other" });
	await studio.run({ type: "grant", account: "other", amount: 1_000_000_000 });
	key = await studio.key();
	stranger = await studio.key({ account: "other" });
});

afterAll(async () => {
	await studio.close();
	await vendors.close();
});

async function ask(
	model: string,
	{
		headers = {},
		body = {},
		secret = key,
	}: { headers?: Record<string, string>; body?: object; secret?: string } = {},
) {
	const answer = await fetch(`${studio.url}/v1/chat/completions`, {
		method: "POST",
		headers: {
			authorization: `Bearer ${secret}`,
			"content-type": "application/json",
			...headers,
		},
		body: JSON.stringify({
			model,
			max_tokens: 20,
			messages: [{ role: "user", content: "Hello" }],
			...body,
		}),
	});
	const text = await answer.text();
	return {
		status: answer.status,
		text,
		code: answer.ok ? undefined : JSON.parse(text).error.code,
		substrate: answer.headers.get("x-dos-substrate"),
		call: answer.headers.get("x-dos-call-id") ?? "",
		replayed: answer.headers.get("x-dos-replayed"),
	};
}

/** What the log keeps of calls' decisions. */
async function routes() {
	const all: {
		call: string;
		route: { r?: unknown; request: { h?: string } };
	}[] = [];
	for await (const batch of studio.ledger.log.read(0))
		for (const { type, data } of batch)
			if (type === "credits-held") all.push(JSON.parse(data));
	return all;
}

describe("what a client says to the router", () => {
	it("goes no further than here", async () => {
		vendors.deeds.set("alpha/seen", [
			(response, { body, headers }) => {
				forwarded.push({ body, headers });
				response.writeHead(500).end("{}");
			},
		]);
		await ask("alpha/seen", {
			headers: { "x-dos-needs": "call-type=chat", "x-dos-session": "s-1" },
			body: { dos: { needs: { difficulty: "easy" }, session: "s-2" } },
		});
		expect(forwarded).toHaveLength(1);
		expect(JSON.stringify(forwarded)).not.toMatch(/dos|call-type|s-[12]/);
	});

	it("is bounded in all that is remembered or recorded of it", async () => {
		const invalid = { status: 400, code: "request/invalid" };
		const long = "s".repeat(201);
		expect(
			await ask("shared", { headers: { "x-dos-session": long } }),
		).toMatchObject(invalid);
		for (const dos of [
			{ session: long },
			{ session: "" },
			{ needs: { sovereignty: ["c".repeat(101)] } },
			{ needs: { sovereignty: Array.from({ length: 33 }, (_, n) => `c${n}`) } },
			{ needs: { channels: Array.from({ length: 10_000 }, () => "direct") } },
			{
				needs: { capabilities: Array.from({ length: 10_000 }, () => "tools") },
			},
			{ needs: { callType: "x".repeat(41) } },
			{ base: "http://169.254.169.254/" },
			{ needs: { vendor: "beta" } },
			{ tags: ["anything"] },
			{ profile: {} },
			"text",
			[],
		])
			expect(await ask("shared", { body: { dos } })).toMatchObject(invalid);
		expect((await ask(`alpha/${"m".repeat(600)}`)).status).toBe(400);
		const before = studio.ledger.head.position();
		for (let n = 0; n < 60; n++)
			await ask("shared", {
				headers: { "x-dos-needs": `sovereignty=no-${n}` },
			});
		expect(studio.ledger.head.position() - before).toBeLessThanOrEqual(31);
	});

	it("in a session's name is its account's alone", async () => {
		const headers = { "x-dos-session": "shared-name" };
		await ask("shared", { headers });
		await studio.settled();
		const own = await ask("shared", { headers });
		const others = await ask("shared", { headers, secret: stranger });
		await studio.settled();
		const all = await routes();
		const sticky = (id: string) =>
			all.find(({ call }) => call === id)?.route.request.h;
		expect(sticky(own.call)).toBeDefined();
		expect(sticky(others.call)).toBeUndefined();
	});

	it("belongs to what an idempotency key is for", async () => {
		const headers = { "idempotency-key": "once" };
		const first = await ask("shared", { headers });
		expect(first.status).toBe(200);
		await studio.settled();
		expect(await ask("shared", { headers })).toMatchObject({
			status: 200,
			replayed: "true",
		});
		expect(
			(
				await ask("shared", {
					headers: { ...headers, "x-dos-needs": "channels=direct" },
				})
			).status,
		).toBe(409);
	});
});

describe("a name", () => {
	it("of the owner's for a model goes before the model, and is what a key may use", async () => {
		expect((await ask("beta/aliased")).substrate).toBe("alpha/shared");
		// An alias with the name of a substrate: the owner has said what that name means.
		expect((await ask("alpha/owned")).substrate).toBe("beta/shared");
		const secret = await studio.key({
			scopes: { can: ["call"], models: ["alpha/owned"] },
		});
		expect((await ask("alpha/owned", { secret })).substrate).toBe(
			"beta/shared",
		);
		expect((await ask("beta/shared", { secret })).status).toBe(403);
	});

	it("is barred however it is written, listed or not", async () => {
		for (const name of [
			"alpha/gpt-x",
			"beta/GPT-X",
			"alpha/gpt-x@2026",
			"beta/gpt-X+a/b",
			"alpha/gpt-x ",
		])
			expect(await ask(name)).toMatchObject({ status: 403 });
		expect(vendors.asked.filter((each) => /gpt-x/i.test(each))).toEqual([]);
	});

	it("of any characters is a name, and nothing else", async () => {
		for (const name of [
			"a@b",
			"a+b",
			"a b",
			"a%2e%2e",
			"ä",
			"__proto__",
			"constructor",
			'"quoted"',
			"a?b#c",
		])
			expect([name, (await ask(`alpha/${name}`)).status]).toEqual([name, 200]);
		for (const name of ["a\u202eb", "a\r\nx: y"])
			expect((await ask(`alpha/${name}`)).status).toBe(400);
		for (const name of ["..", "a/../b", ".", "\ud800"])
			expect((await ask(`alpha/${name}`)).status).toBe(404);
		for (const name of [
			"auto ",
			"AUTO",
			"__proto__",
			"constructor",
			"toString",
		])
			expect([403, 404]).toContain((await ask(name)).status);
	});
});
