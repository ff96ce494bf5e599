import { closeSync, openSync, rmSync, writeFileSync, writeSync } from "node:fs";
import { openTree, signerKey } from "../../../contexts/log/index.ts";
import {
	type Bond,
	type BoundCall,
	createRouter,
	gatherBound,
	positionBefore,
	recordedInputs,
	retell,
} from "../../../contexts/routing/index.ts";
import { toHex } from "../../../kernel/bytes.ts";
import { canonicalLine } from "../../../kernel/event.ts";
import { Fault } from "../../../kernel/outcome.ts";
import { logOrigin, makeCheckpoint } from "../../checkpoints.ts";
import { type Ledger, withLedger } from "../../ledger.ts";
import { counted } from "../amounts.ts";
import { csv } from "../csv.ts";
import { usage } from "../errors.ts";
import {
	type Proof,
	type ProvedCall,
	type ReportHead,
	reportColumns,
	reportPage,
	reportRow,
} from "../report-text.ts";
import type { Session } from "../session.ts";

interface ReportOptions {
	readonly posture?: string;
	readonly class?: string;
	readonly month: {
		readonly month: string;
		readonly from: number;
		readonly to: number;
	};
	readonly format: "csv" | "html";
	readonly out?: string;
}

/** A decision is recorded when its hold is: so long after the month's end one of the month may still stand in the log. */
const slack = 3_600_000;

/** The calls that a rule bound in a month, each with the proof of its events under a checkpoint signed now. */
export async function report(
	session: Session,
	options: ReportOptions,
): Promise<void> {
	const bond = bondIn(options);
	const { month, format, out } = options;
	if (session.json && out === undefined)
		throw usage("With --json, name the file to write the report to: --out.");
	await withLedger(session.home, async (ledger) => {
		const { log, digest } = ledger;
		const checkpoint = await makeCheckpoint(ledger);
		const tree = await openTree({ log, digest, derived: ledger.derived });
		const head: ReportHead = {
			bond,
			month: month.month,
			made: session.now(),
			origin: await logOrigin(log),
			checkpoint: checkpoint.note,
			key: signerKey(await ledger.signer(), digest),
			size: checkpoint.size,
			root: Buffer.from(checkpoint.root, "base64").toString("hex"),
		};

		async function proofOf(position: number): Promise<Proof> {
			const event = await log.at(position);
			if (!event)
				throw new Fault("log/damaged", `The log has no event ${position}.`);
			const path = await tree.inclusionProof(position, checkpoint.size);
			return {
				position,
				hash: event.hash,
				event: canonicalLine(event),
				path: path.map(toHex),
			};
		}

		async function* proved(): AsyncGenerator<ProvedCall> {
			for await (const call of boundCalls(
				ledger,
				bond,
				month,
				checkpoint.size,
				session,
			))
				yield {
					call,
					decision: await proofOf(call.position),
					...(call.end !== undefined && { end: await proofOf(call.end) }),
				};
		}

		const sink = openSink(session, out);
		let calls = 0;
		try {
			if (format === "csv") {
				await sink.write(csv([reportColumns]));
				for await (const one of proved()) {
					calls++;
					await sink.write(csv([reportRow(one, head)]));
				}
			} else {
				const all: ProvedCall[] = [];
				for await (const one of proved()) all.push(one);
				calls = all.length;
				for (const part of reportPage(all, head)) await sink.write(part);
			}
		} catch (fault) {
			sink.undo();
			throw fault;
		}
		sink.close();
		if (out !== undefined) {
			const beside = `${out}.checkpoint.txt`;
			writeFileSync(beside, checkpoint.note);
			session.result(
				{ calls, file: out, checkpoint: beside, key: head.key },
				() =>
					`${counted(calls, "call")} in ${out}, under the checkpoint in ${beside}.\nIt verifies with the key ${head.key}`,
			);
		} else
			session.note(
				`${counted(calls, "call")}, under the checkpoint in ${checkpoint.file}. It verifies with the key ${head.key}`,
			);
	});
}

async function* boundCalls(
	{ log, digest }: Ledger,
	bond: Bond,
	window: { readonly from: number; readonly to: number },
	to: number,
	session: Session,
): AsyncGenerator<BoundCall> {
	const inputs = recordedInputs(log, digest);
	const bound = gatherBound(bond, window, inputs);
	const progress = session.progress("Events read:");
	let read = 0;
	try {
		for await (const retold of retell({
			log,
			inputs,
			router: createRouter({ worlds: 32 }),
			position: await positionBefore(log, window.from),
			to,
		})) {
			progress.at(++read);
			const done = bound.take(retold);
			if (done) yield done;
			if (retold.event.time >= window.to + slack && bound.waiting() === 0)
				break;
		}
	} finally {
		progress.end();
	}
	yield* bound.open();
}

function bondIn({ posture, class: named }: ReportOptions): Bond {
	if ((posture === undefined) === (named === undefined))
		throw usage("Say which calls: --posture <id> or --class <name>.");
	return posture !== undefined
		? { kind: "posture", id: posture }
		: { kind: "class", name: named as string };
}

/** Standard output, or a new file that is gone again when not all could be written. */
function openSink(
	session: Session,
	file: string | undefined,
): {
	write(text: string): Promise<void> | void;
	close(): void;
	undo(): void;
} {
	if (file === undefined)
		return { write: session.write, close() {}, undo() {} };
	let open: number;
	try {
		open = openSync(file, "wx", 0o600);
	} catch (cause) {
		const { code } = cause as NodeJS.ErrnoException;
		throw new Fault(
			code === "EEXIST" ? "file/exists" : "file/unwritable",
			code === "EEXIST"
				? `${file} exists. Name a new file.`
				: `${file} cannot be written (${code}).`,
			{ cause },
		);
	}
	return {
		write: (text) => void writeSync(open, text),
		close: () => closeSync(open),
		undo() {
			closeSync(open);
			rmSync(file, { force: true });
		},
	};
}
