import { describe, expect, it } from "vitest";
import { memoryDerivedStore } from "../../adapters/derived-store/memory.ts";
import type { DomainEvent } from "../../kernel/event.ts";
import type { Projection } from "../../kernel/projection.ts";
import { upcaster } from "../../kernel/upcast.ts";
import type { EventLog } from "../../ports/event-log.ts";
import { fill, soundEvents, soundLog } from "./log.testing.ts";
import { openProjector } from "./projector.ts";

interface Counted {
	sum: number;
	seen: string[];
}

/** Sums the amounts of `thing-counted`: every fourth event. */
const sums: Projection<Counted> = {
	name: "sums",
	format: 1,
	types: ["thing-counted"],
	initial: () => ({ sum: 0, seen: [] }),
	apply(state, event) {
		state.sum += event.data.amount as number;
		state.seen.push(`${event.type} ${event.position}`);
		return state;
	},
	save: (state) => state,
	load: (saved) => structuredClone(saved) as Counted,
};

const sumUpTo = (position: number) => {
	let sum = 0;
	for (let at = 4; at <= position; at += 4) sum += at;
	return sum;
};

function counting(log: EventLog): { readonly log: EventLog; read(): number } {
	let read = 0;
	return {
		read: () => read,
		log: {
			...log,
			async *scan(position, options) {
				for await (const batch of log.scan(position, options)) {
					read += batch.length;
					yield batch;
				}
			},
		},
	};
}

describe("a projector", () => {
	it("folds the types it reads and stands where the log does", async () => {
		const { log, read } = counting(await soundLog(30));
		const projector = await openProjector({ log, projection: sums });
		expect(projector.position()).toBe(0);
		expect(projector.state()).toEqual(sums.initial());
		await projector.catchUp();
		expect(projector.state().sum).toBe(sumUpTo(30));
		expect(projector.position()).toBe(30);
		expect(read()).toBe(7);
	});

	it("goes on from where it stood, once for every event, however often it is asked", async () => {
		const events = soundEvents(60);
		const log = await soundLog(10);
		const projector = await openProjector({ log, projection: sums });
		await projector.catchUp();
		await fill(log, events.slice(10, 40));
		await Promise.all([
			projector.catchUp(),
			projector.catchUp(),
			projector.catchUp(),
		]);
		await projector.catchUp();
		expect(projector.state().seen).toEqual(
			[4, 8, 12, 16, 20, 24, 28, 32, 36, 40].map((at) => `thing-counted ${at}`),
		);
	});

	it("is saved and opened without reading what it knows", async () => {
		const derived = memoryDerivedStore();
		const { log, read } = counting(await soundLog(30));
		const first = await openProjector({ log, projection: sums, derived });
		await first.catchUp();
		await first.save();
		await fill(log, soundEvents(50).slice(30));
		const before = read();
		const second = await openProjector({ log, projection: sums, derived });
		expect(second.position()).toBe(30);
		expect(second.state().sum).toBe(sumUpTo(30));
		await second.catchUp();
		expect(second.state().sum).toBe(sumUpTo(50));
		expect(read() - before).toBe(5);
		expect(await derived.names()).toEqual(["projection/sums"]);
	});

	it("does not write what is saved already, nor what has not begun", async () => {
		const derived = memoryDerivedStore();
		const log = await soundLog(8);
		const projector = await openProjector({ log, projection: sums, derived });
		await projector.save();
		expect(await derived.names()).toEqual([]);
		await projector.catchUp();
		await projector.save();
		await derived.clear();
		await projector.save();
		expect(await derived.names()).toEqual([]);
	});

	it.each([
		["of another format", { format: 2 }],
		["of another log", { hash: "00" }],
		["beyond the log's end", { position: 99 }],
		["that is no JSON", { body: "{" }],
		["that it cannot load", { body: "null" }],
	])("ignores a save %s", async (_, change) => {
		const derived = memoryDerivedStore();
		const log = await soundLog(30);
		const projection: Projection<Counted> = {
			...sums,
			load(saved) {
				if (saved === null) throw new Error("There is nothing to load.");
				return sums.load(saved);
			},
		};
		const first = await openProjector({ log, projection, derived });
		await first.catchUp();
		await first.save();
		const saved = await derived.load("projection/sums");
		if (!saved) throw new Error("It was saved.");
		await derived.save("projection/sums", {
			...saved,
			body: '{"sum":-1,"seen":[]}',
			...change,
		});
		const second = await openProjector({ log, projection, derived });
		expect(second.position()).toBe(0);
		await second.catchUp();
		expect(second.state()).toEqual(first.state());
	});

	it("is rebuilt from the log alone", async () => {
		const derived = memoryDerivedStore();
		const log = await soundLog(30);
		const projector = await openProjector({ log, projection: sums, derived });
		await projector.catchUp();
		await projector.save();
		const spoiled = projector.state() as Counted;
		spoiled.sum = -1;
		await projector.rebuild();
		expect(projector.state().sum).toBe(sumUpTo(30));
		expect(await derived.names()).toEqual([]);
		await projector.save();
		expect(await derived.names()).toEqual(["projection/sums"]);
	});

	it("reads old events as today's", async () => {
		const upcast = upcaster({
			"thing-named": ({ amount }) => ({
				type: "thing-counted",
				data: { amount: -(amount as number) },
			}),
		});
		const projector = await openProjector({
			log: await soundLog(5),
			projection: sums,
			upcast,
		});
		await projector.catchUp();
		expect(projector.state().sum).toBe(4 - 1 - 2 - 3 - 5);
	});

	it("is not handed an old event that became something it does not read", async () => {
		const upcast = upcaster({
			"thing-counted": ({ amount }) => ({
				type: "thing-numbered",
				data: { amount },
			}),
		});
		const projector = await openProjector({
			log: await soundLog(5),
			projection: sums,
			upcast,
		});
		await projector.catchUp();
		expect(projector.state().seen).toEqual([]);
		expect(projector.position()).toBe(5);
	});

	it("begins anew after a fault, and never shows what was half done", async () => {
		let faulty = true;
		const projection: Projection<Counted> = {
			...sums,
			apply(state: Counted, event: DomainEvent) {
				if (faulty && event.position === 12)
					throw new Error("The disk is gone.");
				return sums.apply(state, event);
			},
		};
		const derived = memoryDerivedStore();
		const projector = await openProjector({
			log: await soundLog(30),
			projection,
			derived,
		});
		const [first, second] = await Promise.allSettled([
			projector.catchUp(),
			projector.catchUp(),
		]);
		expect([first.status, second.status]).toEqual(["rejected", "rejected"]);
		expect(projector.state()).toEqual(sums.initial());
		await projector.save();
		expect(await derived.names()).toEqual([]);
		faulty = false;
		await projector.catchUp();
		expect(projector.state().sum).toBe(sumUpTo(30));
	});
});
