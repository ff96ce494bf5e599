/**
 * How long deciding takes over 300 substrates and 20 postures: `node benchmarks/routing.ts`. Medians and 99th
 * percentiles of single decisions, as a route is waited for by one call at a time.
 */
import {
	emptyPolicy,
	fact,
	priced,
	request,
	substrate,
} from "../src/contexts/routing/fixtures/substrates.ts";
import {
	createRouter,
	type DecisionRecord,
	defaultTable,
	type Health,
	type HealthSnapshot,
	type OwnerTable,
	type Policy,
	type RouteRequest,
	readPostures,
	recordOf,
	replay,
} from "../src/contexts/routing/index.ts";
import type { CatalogueSnapshot } from "../src/ports/catalogue.ts";

const countries = ["DE", "FR", "US", "US", "SG"];
const tiers = ["flagship", "balanced", "small"] as const;

const catalogue: CatalogueSnapshot = {
	version: "c-300",
	off: {},
	substrates: Array.from({ length: 300 }, (_, at) =>
		substrate(`vendor-${at % 20}/model-${at}`, {
			tier: fact(tiers[at % 3] ?? "small"),
			countries: fact([countries[at % 5] ?? "DE"]),
			weights: fact(at % 4 === 0 ? "open" : "closed"),
			prices: fact(priced(10_000_000 * (1 + (at % 37)), 40_000_000, 1_000_000)),
		}),
	),
};

const { postures, broken } = readPostures(
	Array.from({ length: 20 }, (_, at) => ({
		id: `posture-${at}`,
		by: "the owner",
		why: "a benchmark",
		from: "2026-01-01",
		...(at % 2 === 0 ? {} : { scope: { accounts: ["acme", `other-${at}`] } }),
		deny: [{ lineage: [`vendor-${at}-barred`], country: ["CN"] }],
		require: [{ retentionDaysAtMost: 30 }],
		prefer: [{ country: ["EU"] }],
	})),
);
const policy: Policy = { ...emptyPolicy, version: "p-20", postures, broken };
const table: OwnerTable = { ...defaultTable, version: "t-1" };
const now = Date.parse("2026-11-21");

function healthAt(second: number): HealthSnapshot {
	return {
		version: `h-${second}`,
		of: new Map<string, Health>(
			catalogue.substrates.map(({ id }, at) => [
				id,
				{ firstByte: 100 + ((at * 37 + second) % 4000), errors: at % 300 },
			]),
		),
	};
}

function asking(
	number: number,
	changes: Partial<RouteRequest> = {},
): RouteRequest {
	const { inferred } = request();
	return request({
		account: "acme",
		key: `key-${number % 50}`,
		inferred: {
			...inferred,
			capabilities: ["tools", "streaming"],
			difficulty: number % 3 === 0 ? "hard" : "easy",
			input: 1024 * (1 + (number % 8)),
		},
		seed: number,
		...changes,
	});
}

function measure(
	name: string,
	target: number,
	times: number,
	run: (number: number) => unknown,
	prepare: (number: number) => void = () => {},
): void {
	const taken: number[] = [];
	for (let number = -times; number < times; number++) {
		prepare(number);
		const start = process.hrtime.bigint();
		run(number);
		// The first half only warms up.
		if (number >= 0) taken.push(Number(process.hrtime.bigint() - start) / 1000);
	}
	taken.sort((one, other) => one - other);
	const at = (part: number) =>
		(taken[Math.floor(taken.length * part)] ?? 0).toFixed(1).padStart(8);
	console.log(
		`${name.padEnd(52)} ${at(0.5)} µs median ${at(0.99)} µs p99   target ${target}`,
	);
}

const health = healthAt(0);
const router = createRouter();
measure("needs repeat, session and seed differ", 20, 20_000, (number) =>
	router.decide(
		asking(number, {
			sticky: `vendor-3/model-${(Math.abs(number) * 20 + 3) % 300}`,
		}),
		catalogue,
		policy,
		health,
		table,
		now,
	),
);
measure("the same, with a budget that drops some", 20, 20_000, (number) =>
	router.decide(
		asking(number, { budget: 500_000 }),
		catalogue,
		policy,
		health,
		table,
		now,
	),
);
measure("needs never seen", 300, 2000, (number) =>
	router.decide(
		asking(number, { rights: [["vendor-*", `new-${number}`]] }),
		catalogue,
		policy,
		health,
		table,
		now,
	),
);
let fresh = createRouter();
measure(
	"nothing seen: a new catalogue, policy or table",
	300,
	300,
	() => fresh.decide(asking(1), catalogue, policy, health, table, now),
	() => {
		fresh = createRouter();
	},
);
let second = 0;
let moved = health;
measure(
	"health has changed",
	300,
	2000,
	(number) =>
		router.decide(asking(number), catalogue, policy, moved, table, now),
	() => {
		moved = healthAt(++second);
	},
);

const lines = Array.from({ length: 20_000 }, (_, number) =>
	JSON.stringify(
		recordOf(
			router.decide(
				asking(number),
				catalogue,
				policy,
				healthAt(number % 60),
				table,
				now + number,
			),
		),
	),
);
const inputs = {
	catalogue: () => catalogue,
	policy: () => policy,
	table: () => table,
};
const started = process.hrtime.bigint();
let differing = 0;
for (const line of lines) {
	const outcome = replay(JSON.parse(line) as DecisionRecord, inputs, router);
	if (!outcome.ok || outcome.value.differs.length > 0) differing++;
}
const seconds = Number(process.hrtime.bigint() - started) / 1e9;
console.log(
	`${"replays, from their JSON".padEnd(52)} ${Math.round(lines.length / seconds)} a second, ${differing} differ   target 10000`,
);
const sizes = lines
	.map((line) => line.length)
	.sort((one, other) => one - other);
console.log(
	`${"bytes of a record".padEnd(52)} ${sizes[sizes.length >> 1]} median, ${sizes.at(-1)} at most   target 1024`,
);
