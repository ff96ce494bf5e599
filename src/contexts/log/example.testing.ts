import { memoryEventLog } from "../../adapters/event-log/memory.ts";
import { ed25519Signer } from "../../adapters/runtime/signer.ts";
import { chain, digest, fill } from "./log.testing.ts";
import { exportLog } from "./portable.ts";
import { type ProofBundle, proveEvent } from "./prove.ts";
import { openTree } from "./tree.ts";

/** The log of three events that `docs/log-format.md` goes through, signed by a key of 32 bytes 0x07. */
export async function example(): Promise<{
	readonly text: string;
	readonly proof: ProofBundle;
}> {
	const origin = "example.com/log";
	const signer = ed25519Signer(origin, new Uint8Array(32).fill(7));
	const log = await fill(
		memoryEventLog(),
		chain([
			{
				time: 1_800_000_000_000,
				stream: "account/main",
				version: 1,
				type: "account-opened",
				actor: "operator",
				data: '{"account":"main","name":"Zoë","caps":{}}',
			},
			{
				time: 1_800_000_000_000,
				stream: "account/main",
				version: 2,
				type: "credits-granted",
				actor: "operator",
				key: "grant-1",
				input: "c0ffee",
				data: '{"account":"main","amount":500000000}',
			},
			{
				time: 1_800_000_060_000,
				stream: "account/main",
				version: 3,
				type: "account-caps-set",
				actor: "operator",
				cause: "request/9",
				correlation: 'a "session"',
				data: '{"account":"main","caps":{"day":100000000}}',
			},
		]),
	);
	let text = "";
	for await (const piece of exportLog({ log, origin, signer, digest }))
		text += piece;
	const tree = await openTree({ log, digest });
	const proof = await proveEvent(2, { log, tree, origin, signer, digest });
	if (!proof.ok) throw new Error(proof.error.message);
	return { text, proof: proof.value };
}
