import type { Decider, Decision, KeyedDraft } from "../../kernel/decider.ts";
import type { DomainEvent, JsonObject } from "../../kernel/event.ts";
import { refuse } from "../../kernel/outcome.ts";
import type { LearningCommand, RunFacts } from "./model.ts";

/** What people and programs may say of one call, all together: an outcome costs nothing, and stays for ever. */
export const mostOutcomes = 32;
export const mostCases = 1_000;
export const mostSubstrates = 20;
export const mostSamples = 100;

type Ask<Type extends LearningCommand["type"]> = Extract<
	LearningCommand,
	{ type: Type }
>;
type Recalled = ReadonlyMap<string, DomainEvent>;

/** Keeps no state: what was recorded is found in the log, by its key. */
export const learning: Decider<null, LearningCommand> = {
	name: "learning",
	format: 1,
	initial: () => null,
	recall(command) {
		switch (command.type) {
			case "record-outcome":
				return outcomeKeys(command.call);
			case "observe-answer":
				return [observedKey(command)];
			case "start-bakeoff":
				return [runKey(command.run)];
			case "record-sample":
				return [runKey(command.run), sampleKey(command)];
			case "end-bakeoff":
				return [runKey(command.run), endKey(command.run)];
		}
	},
	decide(command, _, { recalled }) {
		switch (command.type) {
			case "record-outcome":
				return recordOutcome(command, recalled);
			case "observe-answer":
				return observeAnswer(command, recalled);
			case "start-bakeoff":
				return startBakeoff(command, recalled);
			case "record-sample":
				return recordSample(command, recalled);
			case "end-bakeoff":
				return endBakeoff(command, recalled);
		}
	},
	evolve: (state) => state,
	save: () => null,
	load: () => null,
};

/** The stream of a run: all that is known of it. */
export function runStream(run: string): string {
	return `bakeoff/${run}`;
}

/**
 * One outcome by call and who says it. The same said again is recorded already; said otherwise, the later counts,
 * and both stay.
 */
function recordOutcome(
	command: Ask<"record-outcome">,
	recalled: Recalled,
): Decision {
	const { type: _, ...data } = command;
	const { call, by, score, verdict, label, note } = data;
	if (!isText(by, 64)) return invalid("by must be 1 to 64 characters of text");
	if (score === undefined && verdict === undefined && label === undefined)
		return invalid("it must hold a score, a verdict or a label");
	if (score !== undefined && !isCount(score, 0, 1000))
		return invalid("score must be from 0 to 1");
	if (label !== undefined && !isText(label, 64))
		return invalid("label must be 1 to 64 characters of text");
	if (note !== undefined && !isText(note, 500))
		return invalid("note must be 1 to 500 characters of text");
	const keys = outcomeKeys(call);
	const earlier = keys.flatMap((key) => recalled.get(key) ?? []);
	const said = earlier.findLast(({ data }) => data.by === by)?.data;
	const same =
		said !== undefined &&
		said.score === score &&
		said.verdict === verdict &&
		said.label === label &&
		said.note === note;
	if (same) return nothingNew;
	const key = keys[earlier.length];
	if (key === undefined)
		return refuse(
			"outcome/too-many",
			`There are ${mostOutcomes} outcomes of this call, and no more are taken.`,
			{ call },
		);
	return one(`outcome/${call}`, "outcome-recorded", data, key);
}

function observeAnswer(
	command: Ask<"observe-answer">,
	recalled: Recalled,
): Decision {
	const { type: _, ...data } = command;
	const key = observedKey(command);
	return recalled.has(key)
		? nothingNew
		: one(`outcome/${command.call}`, "answer-observed", data, key);
}

function startBakeoff(
	command: Ask<"start-bakeoff">,
	recalled: Recalled,
): Decision {
	const { type: _, ...facts } = command;
	const { run, over, samples, cases } = facts;
	if (recalled.has(runKey(run)))
		return refuse("bakeoff/exists", `There is a run "${run}" already.`);
	if (!isCount(over.length, 1, mostSubstrates) || !isSet(over))
		return refuse(
			"bakeoff/invalid",
			`A run is over 1 to ${mostSubstrates} substrates, each named once.`,
		);
	if (!isCount(samples, 1, mostSamples))
		return refuse(
			"bakeoff/invalid",
			`A run has 1 to ${mostSamples} samples of a case.`,
		);
	if (!isCount(cases.length, 1, mostCases) || !isSet(cases.map(({ id }) => id)))
		return refuse(
			"bakeoff/invalid",
			`A suite has 1 to ${mostCases} cases, each with an id of its own.`,
		);
	return one(runStream(run), "bakeoff-started", facts, runKey(run));
}

function recordSample(
	command: Ask<"record-sample">,
	recalled: Recalled,
): Decision {
	const { type: _, ...data } = command;
	const started = recalled.get(runKey(data.run));
	if (!started) return unknownRun(data.run);
	const { cases, over, samples } = started.data as unknown as RunFacts;
	const planned =
		isCount(data.case, 0, cases.length - 1) &&
		isCount(data.substrate, 0, over.length - 1) &&
		isCount(data.sample, 1, samples);
	if (!planned)
		return refuse("bakeoff/invalid", "This sample is none of its run's.");
	const key = sampleKey(command);
	return recalled.has(key)
		? nothingNew
		: one(runStream(data.run), "bakeoff-sample-recorded", data, key);
}

function endBakeoff({ run }: Ask<"end-bakeoff">, recalled: Recalled): Decision {
	if (!recalled.has(runKey(run))) return unknownRun(run);
	return recalled.has(endKey(run))
		? nothingNew
		: one(runStream(run), "bakeoff-ended", { run }, endKey(run));
}

const nothingNew: Decision = { ok: true, events: [] };

function one(
	stream: string,
	type: string,
	data: object,
	key: string,
): { readonly ok: true; readonly events: readonly KeyedDraft[] } {
	return {
		ok: true,
		events: [{ stream, type, data: data as JsonObject, key }],
	};
}

function invalid(rule: string): Decision {
	return refuse("request/invalid", `An outcome is not as it must be: ${rule}.`);
}

function unknownRun(run: string): Decision {
	return refuse("bakeoff/unknown", `There is no run "${run.slice(0, 64)}".`);
}

function outcomeKeys(call: string): readonly string[] {
	return Array.from(
		{ length: mostOutcomes },
		(_, number) => `outcome/${call}/${number + 1}`,
	);
}

/** What is seen of an answer itself, once; that it was asked again, once. */
function observedKey({ call, repeatedBy }: Ask<"observe-answer">): string {
	return `observed/${call}/${repeatedBy === undefined ? "answer" : "repeated"}`;
}

function runKey(run: string): string {
	return `bakeoff/${run}`;
}

function endKey(run: string): string {
	return `bakeoff/${run}/end`;
}

function sampleKey(sample: Ask<"record-sample">): string {
	return `bakeoff/${sample.run}/${sample.case}/${sample.substrate}/${sample.sample}`;
}

/** Control and format characters but line breaks and tabs, and broken unicode: what can hide in a text. */
const unprintable = /(?![\n\t])[\p{Cc}\p{Cf}\p{Cs}\p{Zl}\p{Zp}]/u;

function isText(value: string, limit: number): boolean {
	return value.length >= 1 && value.length <= limit && !unprintable.test(value);
}

function isCount(value: number, least: number, most: number): boolean {
	return Number.isSafeInteger(value) && value >= least && value <= most;
}

function isSet(values: readonly string[]): boolean {
	return new Set(values).size === values.length;
}
