import { describe, expect, it } from "vitest";
import { memoryEventLog } from "../../adapters/event-log/memory.ts";
import { nodeDigest } from "../../adapters/runtime/digest.ts";
import { manualClock } from "../../adapters/runtime/manual-clock.ts";
import { given } from "../../kernel/decider.testing.ts";
import { openHead } from "../log/index.ts";
import { learning, mostOutcomes } from "./learning.ts";
import type { LearningCommand, RunFacts } from "./model.ts";
import { findRun, listRuns } from "./runs.ts";

const said = {
	type: "record-outcome",
	call: "call_1",
	account: "main",
	by: "ada",
	score: 900,
} as const satisfies LearningCommand;

function outcome(number: number, data: object) {
	return {
		stream: "outcome/call_1",
		type: "outcome-recorded",
		data: { call: "call_1", account: "main", ...data },
		key: `outcome/call_1/${number}`,
	};
}

const facts: RunFacts = {
	run: "r1",
	suite: "support",
	digest: "d",
	account: "main",
	key: "k1",
	over: ["a/x", "b/y"],
	samples: 2,
	cases: [
		{ id: "one", callType: "chat", difficulty: "easy" },
		{ id: "two", callType: "chat", difficulty: "easy" },
	],
};
const started = {
	stream: "bakeoff/r1",
	type: "bakeoff-started",
	data: { ...facts },
	key: "bakeoff/r1",
};
const sample = {
	type: "record-sample",
	run: "r1",
	case: 1,
	substrate: 0,
	sample: 2,
	score: 500,
	passed: false,
	cost: 12,
} as const satisfies LearningCommand;

describe("an outcome", () => {
	it("is recorded", () => {
		given(learning, [])
			.when(said)
			.then([outcome(1, { by: "ada", score: 900 })]);
	});

	it("said again by the same is recorded once", () => {
		given(learning, [outcome(1, { by: "ada", score: 900 })])
			.when(said)
			.then([]);
	});

	it("said otherwise stands beside the first", () => {
		given(learning, [outcome(1, { by: "ada", score: 900 })])
			.when({ ...said, score: 100 })
			.then([outcome(2, { by: "ada", score: 100 })]);
	});

	it("taken back and said once more is said once more: the last counts", () => {
		given(learning, [
			outcome(1, { by: "ada", score: 900 }),
			outcome(2, { by: "ada", score: 100 }),
		])
			.when(said)
			.then([outcome(3, { by: "ada", score: 900 })]);
	});

	it("of another is one of its own", () => {
		given(learning, [outcome(1, { by: "ada", score: 900 })])
			.when({ ...said, by: "bob" })
			.then([outcome(2, { by: "bob", score: 900 })]);
	});

	it("is refused when there are too many", () => {
		const full = Array.from({ length: mostOutcomes }, (_, at) =>
			outcome(at + 1, { by: `test ${at}`, score: 1 }),
		);
		given(learning, full).when(said).then({ code: "outcome/too-many" });
		given(learning, full)
			.when({ ...said, by: "test 0", score: 1 })
			.then([]);
	});

	it.each([
		["says nothing", { score: undefined }],
		["is above 1", { score: 1001 }],
		["is below 0", { score: -1 }],
		["is no whole number of thousandths", { score: 0.5 }],
		["names nobody", { by: "" }],
		["hides something in a name", { by: "ada\u202e" }],
		["has broken unicode", { note: "\ud800" }],
		["has a long note", { note: "x".repeat(501) }],
	])("that %s is refused", (_, change) => {
		given(learning, [])
			.when({ ...said, ...change } as LearningCommand)
			.then({ code: "request/invalid" });
	});
});

it("what was seen of an answer is recorded once, and that it was asked again once", () => {
	const seen = {
		type: "observe-answer",
		call: "call_1",
		account: "main",
	} as const;
	const event = (data: object, key: string) => ({
		stream: "outcome/call_1",
		type: "answer-observed",
		data: { call: "call_1", account: "main", ...data },
		key: `observed/call_1/${key}`,
	});
	const first = event({ schema: false }, "answer");
	given(learning, [])
		.when({ ...seen, schema: false })
		.then([first]);
	given(learning, [first])
		.when({ ...seen, schema: true })
		.then([]);
	given(learning, [first])
		.when({ ...seen, repeatedBy: "call_2" })
		.then([event({ repeatedBy: "call_2" }, "repeated")]);
});

describe("a run", () => {
	it("records each planned sample once", () => {
		const { type: _, ...data } = sample;
		const event = {
			stream: "bakeoff/r1",
			type: "bakeoff-sample-recorded",
			data,
			key: "bakeoff/r1/1/0/2",
		};
		given(learning, [started]).when(sample).then([event]);
		given(learning, [started, event]).when(sample).then([]);
	});

	it.each([
		["a case", { case: 2 }],
		["a substrate", { substrate: 2 }],
		["a sample", { sample: 3 }],
		["a first sample", { sample: 0 }],
	])("refuses %s that is none of its own", (_, change) => {
		given(learning, [started])
			.when({ ...sample, ...change })
			.then({ code: "bakeoff/invalid" });
	});

	it("that nobody began is not known", () => {
		given(learning, []).when(sample).then({ code: "bakeoff/unknown" });
		given(learning, [])
			.when({ type: "end-bakeoff", run: "r1" })
			.then({ code: "bakeoff/unknown" });
	});

	it.each([
		["the same substrate twice", { over: ["a/x", "a/x"] }],
		["no substrate", { over: [] }],
		["no case", { cases: [] }],
		["no sample", { samples: 0 }],
		["more samples than anybody needs", { samples: 101 }],
	])("over %s is refused", (_, change) => {
		given(learning, [])
			.when({ type: "start-bakeoff", ...facts, ...change })
			.then({ code: "bakeoff/invalid" });
	});
});

it("runs are read back from the log, by the beginning of their id", async () => {
	const log = memoryEventLog();
	const clock = manualClock();
	const head = await openHead({
		log,
		deciders: { learning },
		clock,
		digest: nodeDigest,
	});
	const tell = async (command: LearningCommand) => {
		const told = head.execute("learning", command, { actor: "operator" });
		clock.advance(1);
		expect((await told).ok).toBe(true);
	};
	expect(await findRun(log, undefined)).toMatchObject({
		error: { code: "bakeoff/unknown" },
	});
	await tell({ type: "start-bakeoff", ...facts });
	await tell({ type: "start-bakeoff", ...facts, run: "r2" });
	await tell(sample);
	await tell({ type: "end-bakeoff", run: "r1" });
	const { type: _, run: __, ...recorded } = sample;
	expect(await findRun(log, "r1")).toMatchObject({
		value: { ...facts, recorded: [recorded], ended: expect.any(Number) },
	});
	expect(await findRun(log, undefined)).toMatchObject({
		value: { run: "r2", recorded: [], ended: undefined },
	});
	expect(await findRun(log, "r")).toMatchObject({
		error: { message: expect.stringContaining("Several") },
	});
	expect((await listRuns(log)).map(({ run }) => run)).toEqual(["r1", "r2"]);
	await head.close();
});
