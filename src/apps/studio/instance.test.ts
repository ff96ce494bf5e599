import { spawnSync } from "node:child_process";
import { afterEach, expect, it, vi } from "vitest";
import { memoryLeases } from "../../adapters/lease/memory.ts";
import { systemChance } from "../../adapters/runtime/chance.ts";
import { systemClock } from "../../adapters/runtime/clock.ts";
import type { Leases } from "../../ports/lease.ts";
import {
	type Instance,
	instanceName,
	instancePrefix,
	isDead,
	openInstance,
} from "./instance.ts";

const times = { lease: 300, grace: 300 };
const running: Instance[] = [];

afterEach(async () => {
	for (const one of running.splice(0)) await one.end();
});

async function run(leases: Leases, said: string[] = []): Promise<Instance> {
	const one = openInstance({
		leases,
		chance: systemChance,
		oneMachine: false,
		times,
		report: (line) => said.push(line),
	});
	running.push(one);
	await one.begin();
	return one;
}

const pause = (milliseconds: number) =>
	new Promise<void>((resolve) => setTimeout(resolve, milliseconds));

/** Leases through which nothing comes while it is stopped, as for a process that stands still. */
function stoppable(leases: Leases) {
	let stopped: Promise<void> | undefined;
	let go = () => {};
	const through: Leases = {
		...leases,
		async take(...what) {
			await stopped;
			return leases.take(...what);
		},
	};
	return {
		leases: through,
		stop() {
			stopped = new Promise((resolve) => {
				go = resolve;
			});
		},
		go() {
			stopped = undefined;
			go();
		},
	};
}

it("gives the duties to one, and to another when that one ends or falls silent", async () => {
	const leases = memoryLeases(systemClock);
	const paused = stoppable(leases);
	const first = await run(paused.leases);
	const second = await run(leases);
	const third = await run(leases);
	const all = [first, second, third];
	const onDuty = () => all.filter((one) => one.onDuty());
	expect(onDuty()).toEqual([first]);
	await pause(500);
	expect(onDuty()).toEqual([first]);
	expect(all.map((one) => one.replicas())).toEqual([3, 3, 3]);
	paused.stop();
	await pause(700);
	expect(onDuty()).toHaveLength(1);
	expect(first.onDuty()).toBe(false);
	const [heir] = onDuty() as [Instance];
	paused.go();
	await pause(200);
	expect(onDuty()).toEqual([heir]);
	await heir.end();
	await pause(300);
	expect(onDuty()).toHaveLength(1);
	expect(heir.onDuty()).toBe(false);
});

it("takes a silent run for gone after lease and grace, never before, and for ever: one that wakes has another name", async () => {
	const leases = memoryLeases(systemClock);
	const paused = stoppable(leases);
	const said: string[] = [];
	const watcher = await run(leases);
	const sleeper = await run(paused.leases, said);
	const name = sleeper.holder();
	// Long enough that the watcher is steady.
	await pause(400);
	expect([...(await watcher.gone([name, watcher.holder()]))]).toEqual([]);
	paused.stop();
	await pause(350);
	// Over, and within its grace.
	expect(sleeper.lapsed()).toBe(true);
	expect((await watcher.gone([name])).size).toBe(0);
	await pause(600);
	expect([...(await watcher.gone([name]))]).toEqual([name]);
	paused.go();
	await sleeper.renew();
	expect(sleeper.lapsed()).toBe(false);
	expect(sleeper.holder()).not.toBe(name);
	expect(said).toHaveLength(1);
	expect([...(await watcher.gone([name, sleeper.holder()]))]).toEqual([name]);
});

it("goes on under its name when it wakes within the grace", async () => {
	const leases = memoryLeases(systemClock);
	const paused = stoppable(leases);
	await run(leases);
	const sleeper = await run(paused.leases);
	const name = sleeper.holder();
	paused.stop();
	await pause(400);
	paused.go();
	// The renewal that stood still may come back first, with a lease that is over by then.
	await vi.waitFor(async () => {
		await sleeper.renew();
		expect(sleeper.holder()).toBe(name);
	});
});

it("names no lease on its holds while it has none, so that nobody takes them for a dead run's", async () => {
	const said: string[] = [];
	const away: Leases = {
		...memoryLeases(systemClock),
		take: () => Promise.reject(new Error("The store is away.")),
	};
	const one = await run(away, said);
	expect(said).toHaveLength(1);
	const holder = one.holder();
	expect(holder.split(".")).toHaveLength(3);
	const other = await run(memoryLeases(systemClock));
	expect((await other.gone([holder])).size).toBe(0);
});

it("takes nobody for dead by a process number that another machine or container gave", async () => {
	const here = instanceName(systemChance);
	const [host, place, , run] = here.split(".");
	const { pid } = spawnSync(process.execPath, ["--version"]);
	expect(isDead(here.replace(`.${process.pid}.`, `.${process.ppid}.`))).toBe(
		false,
	);
	expect(isDead(`${host}.${place}.${pid}.${run}`)).toBe(true);
	// The same host name, the same number 1, another container.
	expect(isDead(`${host}.00000000.${pid}.${run}`)).toBe(false);
	const leases = memoryLeases(systemClock);
	const stranger = `${host}.00000000.1.abcdefghij`;
	await leases.take(instancePrefix + stranger, stranger, 60_000);
	const one = openInstance({
		leases,
		chance: systemChance,
		oneMachine: true,
		report: () => {},
	});
	expect((await one.gone([stranger])).size).toBe(0);
});
