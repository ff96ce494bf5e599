import { expect, it } from "vitest";
import { memoryEventLog } from "../../adapters/event-log/memory.ts";
import { nodeDigest } from "../../adapters/runtime/digest.ts";
import { manualClock } from "../../adapters/runtime/manual-clock.ts";
import { openHead } from "../log/index.ts";
import { ledgerDeciders } from "./deciders.ts";
import { faultyLog, openTestGateway } from "./gateway.testing.ts";
import type { LedgerDeciders } from "./model.ts";
import { recoverHolds, sweepHolds } from "./recovery.ts";

async function openBooks() {
	const clock = manualClock();
	const log = faultyLog(memoryEventLog());
	const head = await openHead<LedgerDeciders>({
		log,
		deciders: ledgerDeciders,
		clock,
		digest: nodeDigest,
	});
	const reports: string[] = [];
	const run = (command: Parameters<typeof head.execute<"credits">>[1]) =>
		head.execute("credits", command, { actor: "operator" });
	await run({ type: "open-account", account: "main", name: "main" });
	await run({ type: "grant", account: "main", amount: 100 });
	const hold = (call: string, holder: string, lasts = 1_000) =>
		run({
			type: "hold",
			call,
			account: "main",
			amount: 10,
			expires: clock.now() + lasts,
			holder,
			substrate: "s/m",
			model: "m",
			operation: "chat",
			sheet: "s",
		});
	const held = () => [...head.state("credits").holds.keys()];
	const report = (line: string) => void reports.push(line);
	return { clock, log, head, reports, report, run, hold, held };
}

it("releases what dead processes held, once, and leaves the living alone", async () => {
	const { log, head, hold, held, report, reports } = await openBooks();
	await hold("dead1", "dead");
	await hold("dead2", "dead");
	await hold("alive", "alive");
	const gone = async (holders: readonly string[]) =>
		new Set(holders.filter((holder) => holder !== "alive"));
	const released = await recoverHolds(head, gone, report);
	expect(released.map(({ call }) => call)).toEqual(["dead1", "dead2"]);
	expect(held()).toEqual(["alive"]);
	const [last] = await log.readStreamBackwards("account/main", { limit: 1 });
	expect(last).toMatchObject({ type: "credits-released", actor: "system" });
	expect(JSON.parse(last?.data as string).ending).toBe("crashed");
	expect(reports).toHaveLength(1);
	expect(await recoverHolds(head, gone, report)).toEqual([]);
	expect(reports).toHaveLength(1);
});

it("rejects when the log refuses: nobody serves on books that are not in order", async () => {
	const { head, hold, held, report, log } = await openBooks();
	await hold("dead", "dead");
	log.fault = "log/full";
	await expect(
		recoverHolds(head, async (all) => new Set(all), report),
	).rejects.toMatchObject({
		code: "log/full",
	});
	expect(held()).toEqual(["dead"]);
});

it("sweeps what is overdue and not carried out here, until it is stopped", async () => {
	const { clock, head, hold, held, report } = await openBooks();
	await hold("overdue", "dead");
	await hold("carried", "here");
	await hold("later", "dead", 60_000);
	const stop = sweepHolds(
		head,
		clock,
		5_000,
		(call) => call === "carried",
		report,
	);
	await clock.advance(5_000);
	expect(held()).toEqual(["carried", "later"]);
	stop();
	await clock.advance(120_000);
	expect(held()).toEqual(["carried", "later"]);
	expect(clock.timers()).toBe(0);
});

it("goes on sweeping after the log refused, and says so", async () => {
	const { clock, head, hold, held, report, reports, log } = await openBooks();
	await hold("overdue", "dead");
	const stop = sweepHolds(head, clock, 5_000, () => false, report);
	log.fault = "log/busy";
	await clock.advance(5_000);
	expect(held()).toEqual(["overdue"]);
	expect(reports.join()).toContain("log/busy");
	delete log.fault;
	await clock.advance(5_000);
	expect(held()).toEqual([]);
	stop();
});

it("a call that outlasts its hold, on a machine that slept, is paid all the same", async () => {
	const bench = await openTestGateway();
	const { call, upstream } = await bench.called();
	upstream.head();
	bench.clock.jump(3_600_000);
	await bench.clock.advance(10_000);
	upstream.data("u:10,5");
	upstream.data("d");
	upstream.end();
	await call.done;
	expect(bench.account()).toMatchObject({ spent: 20, held: 0 });
});
