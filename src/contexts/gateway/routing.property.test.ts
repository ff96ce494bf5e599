import fc from "fast-check";
import { expect, it } from "vitest";
import type { CatalogueSnapshot } from "../../ports/catalogue.ts";
import { allowsModel } from "../credits/index.ts";
import { mayAnswer } from "../routing/fixtures/oracle.ts";
import {
	catalogues,
	instants,
	policies,
	tables,
} from "../routing/fixtures/random.ts";
import {
	type DecisionRecord,
	defaultClasses,
	expand,
	type OwnerTable,
	type Policy,
	type RouteRequest,
} from "../routing/index.ts";
import {
	openTestGateway,
	streamHead,
	type TestGateway,
} from "./gateway.testing.ts";

/** Every row is one that can be called: `vendor/model`, once. */
const callable = catalogues.map(({ substrates, off }): CatalogueSnapshot => {
	const rows = new Map(
		substrates.map((row) => [
			`${row.vendor}/${row.model}`,
			{ ...row, id: `${row.vendor}/${row.model}` },
		]),
	);
	return { version: "c1", substrates: [...rows.values()], off };
});

/** What an upstream does; the rest of a call is the gateway's own affair. */
type Deed =
	| { readonly do: "status"; readonly status: number }
	| { readonly do: "fail"; readonly code: string }
	/** The client gets something; whatever comes next but an answer cuts it off. */
	| { readonly do: "begin" }
	| { readonly do: "answer" };

/** What happens between two deeds of the upstream. */
type Change =
	| { readonly to: "policy"; readonly policy: Policy }
	| { readonly to: "table"; readonly table: OwnerTable }
	| { readonly to: "rights"; readonly models: readonly string[] | undefined }
	| { readonly to: "time"; readonly milliseconds: number }
	| undefined;

const deed: fc.Arbitrary<Deed> = fc.oneof(
	{
		weight: 6,
		arbitrary: fc.record({
			do: fc.constant("status" as const),
			status: fc.constantFrom(429, 500, 503, 529, 401, 408),
		}),
	},
	{
		weight: 3,
		arbitrary: fc.record({
			do: fc.constant("fail" as const),
			code: fc.constantFrom(
				"upstream/connect",
				"upstream/reset",
				"upstream/first-byte-timeout",
			),
		}),
	},
	{ weight: 4, arbitrary: fc.constant({ do: "begin" as const }) },
	{ weight: 1, arbitrary: fc.constant({ do: "answer" as const }) },
);

const policy = policies(defaultClasses);

/** What the account may use. */
const models: fc.Arbitrary<readonly string[] | undefined> = fc.oneof(
	{ weight: 2, arbitrary: fc.constant(undefined) },
	{
		weight: 1,
		arbitrary: fc.constantFrom(
			["acme/*", "coil/*"],
			["bolt/*", "two"],
			["fast", "*/one"],
			[],
		),
	},
);

const change: fc.Arbitrary<Change> = fc.oneof(
	{ weight: 4, arbitrary: fc.constant(undefined) },
	{
		weight: 1,
		arbitrary: policy.map((policy) => ({ to: "policy" as const, policy })),
	},
	{
		weight: 1,
		arbitrary: tables.map((table) => ({ to: "table" as const, table })),
	},
	{
		weight: 1,
		arbitrary: models.map((models) => ({ to: "rights" as const, models })),
	},
	{
		weight: 2,
		arbitrary: fc
			.constantFrom(50, 5_000)
			.map((milliseconds) => ({ to: "time" as const, milliseconds })),
	},
);

const calls = fc.array(
	fc.record({
		asked: fc.constantFrom("auto", "fast", "one", "acme/one"),
		needs: fc.constantFrom(
			{},
			{ sovereignty: ["eu-processed"] },
			{ sovereignty: ["no-training"], channels: ["direct", "own-machine"] },
			{ costCeiling: 300_000_000 },
		),
		steps: fc.array(fc.tuple(deed, change), { minLength: 1, maxLength: 8 }),
	}),
	{ minLength: 1, maxLength: 4 },
);

/** Substrates that were asked in place of another in this run: the property must not hold for want of them. */
let fallbacks = 0;
/** Those among them that went on with an answer of which the client had some. */
let continuations = 0;

it("no byte leaves to a substrate that a filter excludes at that moment", async () => {
	await fc.assert(
		fc.asyncProperty(
			callable,
			policy,
			tables,
			calls,
			instants,
			fc.constantFrom(0, 20, 4_000),
			fc.subarray(["federal", "school"]),
			models,
			async (catalogue, policy, table, calls, start, before, tags, models) => {
				const bench = await openTestGateway({
					catalogue,
					vendors: ["acme", "bolt", "coil"].filter(
						(id) => !Object.hasOwn(catalogue.off, id),
					),
					attempts: { attempts: 3, fallbacks: 4 },
					grant: 1_000_000_000,
					// Shortly before midnight, when what is dated comes into force.
					start: start - before,
				});
				if (tags.length > 0)
					await bench.route({
						type: "set-profile",
						of: "key",
						id: "key",
						profile: { tags },
					});
				const inForce = openPolicies(bench);
				await inForce.set(policy);
				await inForce.setTable(table);
				await inForce.setModels(models);
				for (const { asked, needs, steps } of calls) {
					const call = bench.call({
						model: asked,
						max: 2_000,
						dos: { needs, resume: "continue" },
						stream: true,
					});
					await bench.clock.settle();
					for (const [deed, change] of steps) {
						const asked = bench.upstreams.length;
						const hadSome = call.body !== "";
						await inForce.check(catalogue);
						await inForce.change(change);
						const upstream = bench.upstreams.at(-1);
						if (upstream) act(upstream, deed);
						await bench.clock.settle();
						if (hadSome) continuations += bench.upstreams.length - asked;
					}
					await inForce.check(catalogue);
					call.leave();
					await bench.clock.advance(61_000);
					await call.done;
					await inForce.check(catalogue);
				}
				expect(bench.violations).toEqual([]);
				expect(bench.account()).toMatchObject({ held: 0, holds: 0 });
			},
		),
		{ numRuns: 450 },
	);
	expect(fallbacks).toBeGreaterThan(50);
	expect(continuations).toBeGreaterThan(1);
});

function act(upstream: TestGateway["upstreams"][number], deed: Deed): void {
	if (deed.do === "begin") {
		upstream.head(200, streamHead);
		upstream.data("t:hel");
	} else if (deed.do === "fail") upstream.fail(deed.code);
	else if (deed.do === "status") {
		upstream.head(deed.status);
		upstream.end();
	} else {
		upstream.head(200, streamHead);
		for (const word of ["t:hello", "u:10,5", "d"]) upstream.data(word);
		upstream.end();
	}
}

/** What is in force, from when on, and a check of what was sent under it. */
function openPolicies(bench: TestGateway) {
	let version = 0;
	let checked = 0;
	let holds = 0;
	let policy: Policy | undefined;
	let table: OwnerTable | undefined;
	let models: readonly string[] | undefined;
	let record: DecisionRecord | undefined;
	const self = {
		async set(next: Policy) {
			policy = { ...next, version: `p-${version++}` };
			await bench.route({ type: "record-policy", policy, by: "owner" });
		},
		async setTable(next: OwnerTable) {
			table = { ...next, version: `t-${version++}` };
			await bench.route({ type: "record-table", table, by: "owner" });
		},
		async setModels(next: readonly string[] | undefined) {
			models = next;
			await bench.run({
				type: "set-account-models",
				account: "main",
				...(next && { models: next }),
			});
		},
		async change(change: Change) {
			if (change?.to === "policy") await self.set(change.policy);
			if (change?.to === "table") await self.setTable(change.table);
			if (change?.to === "rights") await self.setModels(change.models);
			if (change?.to === "time") {
				await bench.clock.advance(change.milliseconds);
				await self.check(undefined);
			}
		},
		/** All that was sent since the last check, under what has been in force since then. */
		async check(catalogue: CatalogueSnapshot | undefined) {
			self.catalogue = catalogue ?? self.catalogue;
			const held = await bench.events("credits-held");
			const sent = bench.upstreams.slice(checked);
			checked = bench.upstreams.length;
			if (held.length > holds) {
				holds = held.length;
				record = held.at(-1)?.data.route;
			} else fallbacks += sent.length;
			for (const { request, at } of sent) {
				const vendor = new URL(request.url).hostname.replace(".test", "");
				const { model } = JSON.parse(
					new TextDecoder().decode(request.body),
				) as { model: string };
				const facts = self.catalogue?.substrates.find(
					({ id }) => id === `${vendor}/${model}`,
				);
				const { accountRights: _, ...asked } = expand(
					(record as DecisionRecord).request,
				);
				const may = allowsModel({ models }, nameOf(asked)) ? undefined : models;
				if (facts)
					expect(
						mayAnswer(
							facts,
							self.catalogue?.off ?? {},
							{ ...asked, ...(may && { accountRights: may }) },
							policy as Policy,
							table as OwnerTable,
							at,
						),
						`${facts.id} at ${new Date(at).toISOString()}`,
					).toBe(true);
				else expect(asked.asked).toMatchObject({ kind: "substrate" });
			}
		},
		catalogue: undefined as CatalogueSnapshot | undefined,
	};
	return self;
}

/** As the caller wrote it. */
function nameOf({ asked }: RouteRequest): string {
	if (asked.kind === "auto") return "auto";
	return asked.kind === "substrate" ? asked.id : asked.name;
}
