import { describe, expect, test } from "vitest";
import { memoryEventLog } from "../../adapters/event-log/memory.ts";
import { nodeDigest } from "../../adapters/runtime/digest.ts";
import type { Clock } from "../../ports/clock.ts";
import { type Head, openHead } from "../log/index.ts";
import { createRouter } from "./decide.ts";
import { openDesk, recordedInputs } from "./desk.ts";
import { request, substrate } from "./fixtures/substrates.ts";
import { recordOf, replay } from "./record.ts";
import { type RoutingCommand, routing } from "./recorded.ts";
import { readRouting } from "./settings.ts";
import { withUnlisted } from "./unlisted.ts";

const clock: Clock = {
	now: () => Date.parse("2026-11-21"),
	soon: (run) => queueMicrotask(run),
} as Clock;
const catalogue = {
	version: "c-1",
	substrates: [substrate("acme/one"), substrate("bolt/two")],
	off: {},
};
const bar = {
	id: "bar",
	by: "o",
	why: "w",
	from: "2026-01-01",
	until: "2027-01-01",
	deny: [{ vendor: ["acme"] }],
};
const { text } = nodeDigest;

async function open() {
	const log = memoryEventLog();
	const head: Head<{ routing: typeof routing }> = await openHead({
		log,
		deciders: { routing },
		clock,
		digest: nodeDigest,
	});
	const desk = openDesk({
		state: () => head.state("routing"),
		catalogue,
		digest: nodeDigest,
	});
	const execute = async (command: RoutingCommand) => {
		const done = await head.execute("routing", command, { actor: "operator" });
		expect(done.ok).toBe(true);
	};
	return { log, head, desk, execute };
}

const health = { version: "h", of: new Map() };

describe("the desk", () => {
	test("has the defaults until something is recorded, then what is newest", async () => {
		const { desk, execute } = await open();
		const defaults = readRouting(undefined, text);
		expect(desk.current().policy).toEqual(defaults.policy);
		expect(desk.current().catalogue).toBe(catalogue);
		const { policy, table } = readRouting({ postures: [bar] }, text);
		await execute({ type: "record-policy", policy, by: "owner" });
		expect(desk.current().policy).toEqual(policy);
		expect(desk.current().table).toEqual(table);
		expect(desk.current()).toBe(desk.current());
	});

	test("stops what a recorded policy or table means that is not understood here", async () => {
		const { desk, execute } = await open();
		const { policy, table } = readRouting({ postures: [bar] }, text);
		const [posture] = policy.postures;
		const newer = {
			...policy,
			classes: [
				...policy.classes,
				{ id: "moon", says: "x", require: [{ planet: ["moon"] }] },
			],
			postures: [{ ...posture, deny: [{ planet: ["mars"] }] }],
		} as unknown as typeof policy;
		await execute({ type: "record-policy", policy: newer, by: "owner" });
		const understood = desk.current().policy;
		expect(understood.version).not.toBe(policy.version);
		expect(understood.classes).toEqual(policy.classes);
		expect(understood.postures).toEqual([]);
		expect(understood.broken).toMatchObject([
			{ id: "bar", from: posture?.from, until: posture?.until },
		]);
		await execute({
			type: "record-table",
			table: { ...table, killed: [{ planet: ["mars"] } as never] },
			by: "owner",
		});
		expect(desk.current().table.killed).toEqual([{ substrate: ["*"] }]);
	});

	test("knows the profile of a key and of an account", async () => {
		const { desk, execute } = await open();
		const profile = { tags: ["federal"] };
		await execute({ type: "set-profile", of: "key", id: "k", profile });
		expect(desk.profile("key", "k")).toEqual(profile);
		expect(desk.profile("account", "k")).toBeUndefined();
	});
});

describe("recorded inputs", () => {
	test("are found in the log by the versions that a record names", async () => {
		const { log, desk, execute } = await open();
		await execute({ type: "record-catalogue", catalogue });
		const read = readRouting(
			{ postures: [bar], table: { killed: [{ vendor: ["coil"] }] } },
			text,
		);
		await execute({ type: "record-policy", policy: read.policy, by: "owner" });
		await execute({ type: "record-table", table: read.table, by: "owner" });
		const router = createRouter();
		for (const at of [catalogue, withUnlisted(catalogue, "coil", "new")]) {
			const { policy, table } = desk.current();
			const decision = router.decide(
				request(),
				at,
				policy,
				health,
				table,
				clock.now(),
			);
			const record = JSON.parse(JSON.stringify(recordOf(decision)));
			const inputs = recordedInputs(log, nodeDigest);
			await inputs.look(record);
			expect(inputs.look(record)).toBeUndefined();
			expect(inputs.catalogue(record.catalogue)).toBe(
				inputs.catalogue(record.catalogue),
			);
			const again = replay(record, inputs, createRouter());
			expect(again).toMatchObject({ ok: true, value: { differs: [] } });
		}
	});

	test("of a version that nobody recorded are missing, and the defaults never are", async () => {
		const { log, desk } = await open();
		const inputs = recordedInputs(log, nodeDigest);
		const { policy, table } = desk.current();
		const record = recordOf(
			createRouter().decide(
				request(),
				catalogue,
				policy,
				health,
				table,
				clock.now(),
			),
		);
		await inputs.look(record);
		expect(inputs.policy(record.policy)).toEqual(policy);
		expect(inputs.table(record.table)).toEqual(table);
		expect(replay(record, inputs, createRouter())).toMatchObject({
			ok: false,
			error: { code: "route/inputs-missing" },
		});
	});
});
