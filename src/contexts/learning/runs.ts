import { readEvent } from "../../kernel/event.ts";
import { accept, type Outcome, refuse } from "../../kernel/outcome.ts";
import type { EventLog } from "../../ports/event-log.ts";
import { runStream } from "./learning.ts";
import type { LearningEvent, RunFacts, Sample } from "./model.ts";

/** A run as the log knows it. */
export interface Run extends RunFacts {
	/** Milliseconds since 1970 UTC. */
	readonly started: number;
	/** In the order that they were recorded. */
	readonly recorded: readonly Sample[];
	/** Undefined while samples are missing. */
	readonly ended: number | undefined;
}

type Reads = Pick<EventLog, "scan" | "readStream">;

/** The run of an id, or of the one id that begins like this; without one, the newest. Refuses with `bakeoff/unknown`. */
export async function findRun(
	log: Reads,
	id: string | undefined,
): Promise<Outcome<Run>> {
	const ids = await runIds(log);
	if (ids.length === 0)
		return refuse(
			"bakeoff/unknown",
			"There is no run yet. Run: dos bakeoff run",
		);
	const found =
		id === undefined ? ids.slice(-1) : ids.filter((one) => one.startsWith(id));
	const [run] = found;
	if (run === undefined || found.length > 1)
		return refuse(
			"bakeoff/unknown",
			`${found.length > 1 ? "Several runs begin" : "No run begins"} with "${String(id).slice(0, 64)}". Run: dos bakeoff list`,
		);
	return accept(await readRun(log, run));
}

/** Every run, oldest first. */
export async function listRuns(log: Reads): Promise<readonly Run[]> {
	const runs: Run[] = [];
	for (const id of await runIds(log)) runs.push(await readRun(log, id));
	return runs;
}

async function runIds(log: Reads): Promise<readonly string[]> {
	const ids: string[] = [];
	for await (const batch of log.scan(0, { types: ["bakeoff-started"] }))
		for (const event of batch)
			ids.push((readEvent(event).data as { run: string }).run);
	return ids;
}

const pageSize = 1_000;

async function readRun(log: Reads, id: string): Promise<Run> {
	let facts: RunFacts | undefined;
	let started = 0;
	let ended: number | undefined;
	const recorded: Sample[] = [];
	for (let after = 0; ; after += pageSize) {
		const page = await log.readStream(runStream(id), {
			after,
			limit: pageSize,
		});
		for (const stored of page) {
			const { time, ...event } = readEvent(stored);
			const { type, data } = event as unknown as LearningEvent;
			if (type === "bakeoff-started") {
				facts = data;
				started = time;
			} else if (type === "bakeoff-sample-recorded") recorded.push(data);
			else if (type === "bakeoff-ended") ended = time;
		}
		if (page.length < pageSize) break;
	}
	return { ...(facts as RunFacts), started, recorded, ended };
}
