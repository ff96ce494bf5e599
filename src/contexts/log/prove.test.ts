import { describe, expect, it } from "vitest";
import { canonicalLine, type StoredEvent } from "../../kernel/event.ts";
import type { EventLog } from "../../ports/event-log.ts";
import {
	checkpointOf,
	digest,
	fill,
	forgedLog,
	origin,
	signer,
	soundEvents,
	soundLog,
	stranger,
	trust,
} from "./log.testing.ts";
import { checkProof, type ProofBundle, proveEvent } from "./prove.ts";
import { openTree } from "./tree.ts";

const events = soundEvents(600);

async function prove(position: number, log: EventLog = forgedLog(events)) {
	return proveEvent(position, {
		log,
		tree: await openTree({ log, digest }),
		origin,
		signer,
		digest,
	});
}

async function bundleOf(position: number): Promise<ProofBundle> {
	const outcome = await prove(position);
	if (!outcome.ok) throw new Error(outcome.error.message);
	return outcome.value;
}

const bundle = await bundleOf(300);
const refusal = (code: string) => ({ ok: false, error: { code } });

describe("the proof of an event", () => {
	it("holds for every event, also after a journey as JSON", async () => {
		const log = await soundLog(21);
		for (let position = 1; position <= 21; position++) {
			const outcome = await prove(position, log);
			const travelled: unknown = JSON.parse(
				JSON.stringify(outcome.ok && outcome.value),
			);
			expect(checkProof(travelled, trust)).toMatchObject({
				ok: true,
				value: {
					event: await log.at(position),
					checkpoint: { origin, size: 21, signedBy: trust.keys[0] },
				},
			});
		}
	});

	it("names everything that a stranger needs", () => {
		expect(bundle).toMatchObject({
			format: "duranteos-proof",
			version: 1,
			event: canonicalLine(events[299] as StoredEvent),
			index: 299,
			size: 600,
			key: trust.keys[0],
		});
		expect(bundle.checkpoint).toContain(`${origin}\n600\n`);
		expect(bundle.path).toHaveLength(10);
	});

	it("covers what was recorded after the tree was opened", async () => {
		const log = await soundLog(5);
		const tree = await openTree({ log, digest });
		await fill(log, soundEvents(9).slice(5));
		expect(
			await proveEvent(9, { log, tree, origin, signer, digest }),
		).toMatchObject({ ok: true, value: { size: 9 } });
	});

	it("is refused for an event that is not there", async () => {
		expect(await prove(601)).toMatchObject(refusal("proof/no-such-event"));
		expect(await prove(0)).toMatchObject(refusal("proof/no-such-event"));
	});

	it("is never made for an event that was changed", async () => {
		const forged = events.with(299, {
			...(events[299] as StoredEvent),
			data: "{}",
		});
		await expect(prove(300, forgedLog(forged))).rejects.toMatchObject({
			code: "log/damaged",
		});
	});

	it("is worth nothing from somebody who is not trusted, whatever key it brings", async () => {
		const log = forgedLog(events);
		const tree = await openTree({ log, digest });
		const theirs = await proveEvent(300, {
			log,
			tree,
			origin,
			signer: stranger,
			digest,
		});
		expect(checkProof(theirs.ok && theirs.value, trust)).toMatchObject(
			refusal("checkpoint/not-trusted"),
		);
	});

	it.each<[string, Partial<ProofBundle>, string]>([
		[
			"another event",
			{ event: canonicalLine(events[300] as StoredEvent) },
			"proof/malformed",
		],
		[
			"a changed event",
			{ event: bundle.event.replace("operator", "operatos") },
			"proof/not-included",
		],
		["an event that is none", { event: "{}" }, "proof/malformed"],
		["another index", { index: 298 }, "proof/malformed"],
		["another size", { size: 601 }, "proof/malformed"],
		["a path cut short", { path: bundle.path.slice(1) }, "proof/not-included"],
		[
			"a path with another hash",
			{ path: bundle.path.with(3, bundle.path[2] as string) },
			"proof/not-included",
		],
		[
			"a path that is no base64",
			{ path: bundle.path.with(3, "?") },
			"proof/malformed",
		],
		["a path that is none", { path: "?" as never }, "proof/malformed"],
		["a path of numbers", { path: [1] as never }, "proof/malformed"],
		[
			"a changed checkpoint",
			{ checkpoint: bundle.checkpoint.replace("\n600\n", "\n601\n") },
			"checkpoint/bad-signature",
		],
		["no checkpoint", { checkpoint: undefined as never }, "proof/malformed"],
		["no index", { index: undefined as never }, "proof/malformed"],
		["half a size", { size: 0.5 }, "proof/malformed"],
		["another version", { version: 2 as never }, "proof/malformed"],
		["another format", { format: "proof" as never }, "proof/malformed"],
	])("fails with %s", (_, change, code) => {
		expect(checkProof({ ...bundle, ...change }, trust)).toMatchObject(
			refusal(code),
		);
	});

	it("fails under an older checkpoint of the same log", async () => {
		const older = await checkpointOf(forgedLog(events), 400);
		expect(
			checkProof({ ...bundle, checkpoint: older, size: 400 }, trust),
		).toMatchObject(refusal("proof/not-included"));
	});

	it.each([undefined, null, 7, "proof", []])("is not %j", (nothing) => {
		expect(checkProof(nothing, trust)).toMatchObject(
			refusal("proof/malformed"),
		);
	});
});
