/**
 * How long deciding takes over 300 substrates and 20 postures: `node benchmarks/routing.ts`. Medians and 99th
 * percentiles of single decisions, as a route is waited for by one call at a time; and the first decisions of a
 * process, before any code is compiled.
 */
import { execFileSync } from "node:child_process";
import { memoryEventLog } from "../src/adapters/event-log/memory.ts";
import { systemClock } from "../src/adapters/runtime/clock.ts";
import { nodeDigest } from "../src/adapters/runtime/digest.ts";
import { openHead } from "../src/contexts/log/index.ts";
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
	openReplays,
	type Policy,
	type RouteRequest,
	readPostures,
	recordedInputs,
	recordOf,
	retell,
	routing,
	withUnlisted,
} from "../src/contexts/routing/index.ts";
import { sealEvent } from "../src/kernel/event.ts";
import type { CatalogueSnapshot } from "../src/ports/catalogue.ts";

const countries = ["DE", "FR", "US", "US", "SG"];
const tiers = ["flagship", "balanced", "small"] as const;

/** The same content in other objects, as a program has it that just read it. */
function copied<Content>(content: Content): Content {
	return JSON.parse(JSON.stringify(content)) as Content;
}

const catalogue: CatalogueSnapshot = copied({
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
});

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
const policy: Policy = copied({
	...emptyPolicy,
	version: "p-20",
	postures,
	broken,
});
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

if (process.argv[2] === "first") {
	const taken = [1, 2, 3, 4, 5].map((number) => {
		const start = process.hrtime.bigint();
		router.decide(asking(number), catalogue, policy, health, table, now);
		return Number(process.hrtime.bigint() - start) / 1e6;
	});
	console.log(taken.map((each) => each.toFixed(2)).join(" "));
	process.exit();
}

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
const file = JSON.stringify([catalogue, policy, table]);
let [a, b, c] = [catalogue, policy, table];
measure(
	"the same, and all of it just read from JSON",
	300,
	300,
	() => fresh.decide(asking(1), a, b, health, c, now),
	() => {
		fresh = createRouter();
		[a, b, c] = JSON.parse(file);
	},
);
measure(
	"a new table, the rest is known",
	300,
	300,
	() => router.decide(asking(1), catalogue, policy, health, c, now),
	(number) => {
		c = { ...copied(table), version: `t-${number}` };
	},
);
measure("a name that no catalogue lists", 300, 300, (number) =>
	router.decide(
		asking(1, { asked: { kind: "substrate", id: `vendor-1/new-${number}` } }),
		withUnlisted(catalogue, "vendor-1", `new-${number}`),
		policy,
		health,
		table,
		now,
	),
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

const firsts = Array.from({ length: 5 }, () =>
	String(
		execFileSync(process.execPath, [import.meta.filename, "first"]),
	).trim(),
).sort((one, other) => Number.parseFloat(one) - Number.parseFloat(other));
console.log(
	`${"the first five of a process".padEnd(52)} ${firsts[2]} ms (of five processes, the middle one)`,
);

/** Health changes at most once a second: of a log with 50 calls a second. */
const lines = Array.from({ length: 20_000 }, (_, number) =>
	JSON.stringify(
		recordOf(
			router.decide(
				asking(number),
				catalogue,
				policy,
				healthAt(Math.floor(number / 50) % 60),
				table,
				now + number,
			),
		),
	),
);
const log = memoryEventLog();
const head = await openHead({
	log,
	deciders: { routing },
	clock: systemClock,
	digest: nodeDigest,
});
for (const command of [
	{ type: "record-catalogue", catalogue },
	{ type: "record-policy", policy, by: "owner" },
	{ type: "record-table", table, by: "owner" },
] as const)
	await head.execute("routing", command, { actor: "operator" });
const tip = await log.tip();
let { position, hash: previous } = tip;
await log.write((head) =>
	head.append(
		lines.map((line, number) => {
			const { winner } = JSON.parse(line) as DecisionRecord;
			const event = sealEvent(
				{
					position: ++position,
					previous,
					time: tip.time,
					stream: "account/acme",
					version: number + 1,
					type: "credits-held",
					actor: "key/key-1",
					data: `{"call":"${number}","account":"acme","substrate":"${winner}","route":${line}}`,
				},
				nodeDigest.text,
			);
			previous = event.hash;
			return event;
		}),
	),
);
const replays = openReplays();
const started = process.hrtime.bigint();
let differing = 0;
for await (const retold of retell({
	log,
	inputs: recordedInputs(log, nodeDigest),
	router: createRouter({ worlds: 32 }),
}))
	differing += replays.check(retold).length;
const seconds = Number(process.hrtime.bigint() - started) / 1e9;
console.log(
	`${"replays, as dos audit replay does them".padEnd(52)} ${Math.round(replays.decisions() / seconds)} a second, ${differing} differ   target 10000`,
);
const sizes = lines
	.map((line) => line.length)
	.sort((one, other) => one - other);
console.log(
	`${"bytes of a record".padEnd(52)} ${sizes[sizes.length >> 1]} median, ${sizes.at(-1)} at most   target 1024`,
);
