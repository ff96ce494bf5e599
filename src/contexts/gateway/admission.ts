import { accept, type Outcome, refuse } from "../../kernel/outcome.ts";
import type { KeptAnswer } from "../../ports/answer-store.ts";
import type { HttpRequest } from "../../ports/http-server.ts";
import type { PriceSheet } from "../../ports/price-book.ts";
import type {
	WireOperation,
	WireProtocol,
	WireRequest,
} from "../../ports/wire-protocol.ts";
import { resolutionKey } from "../credits/index.ts";
import type { Intent, Recorded } from "../log/index.ts";
import type { Caller } from "./access.ts";
import type { CallTools } from "./call.ts";
import type { HoldCommand } from "./hold-queue.ts";
import { affordableLimit, type HoldSize, sizeHold } from "./hold-size.ts";
import { recordedData } from "./model.ts";
import { expect } from "./sizing.ts";
import type { Substrate } from "./substrates.ts";

/** A call whose hold is durable. */
export interface Admitted {
	readonly call: string;
	readonly asked: WireRequest;
	readonly substrate: Substrate;
	readonly sheet: PriceSheet;
	readonly size: HoldSize;
	readonly held: number;
	readonly outputLimit: number | undefined;
	readonly keepAnswer: boolean;
}

/** The first answer to an idempotency key. */
export interface Replayed {
	readonly kept: KeptAnswer;
}

/** A hold outlives the longest call by this many milliseconds. */
const holdGrace = 60_000;

/** Everything before the first byte leaves: who asks, what, at which price, and the durable hold. */
export async function admit(
	tools: CallTools,
	wire: WireProtocol,
	operation: WireOperation,
	request: HttpRequest,
	call: string,
	cancelled: () => boolean,
): Promise<Outcome<Admitted | Replayed>> {
	const access = await tools.access.admit(
		wire.clientKey((name) => request.header(name)),
		"call",
		request.remote,
	);
	if (!access.ok) return access;
	const body = await request.body();
	const read = wire.read(operation.id, body);
	if (!read.ok) return read;
	const asked = read.value;
	const found = tools.substrates.find(asked.model, wire.id);
	if (!found.ok) return found;
	const substrate = found.value;
	const now = tools.clock.now();
	const sheet = tools.substrates.sheet(substrate, now);
	if (!sheet) {
		return refuse(
			"price/unknown",
			`No price is known for ${substrate.id}, and nothing is called at an unknown price. Add a row under prices: in config.yaml, or a ceiling price.`,
			{ substrate: substrate.id },
		);
	}
	const { key, account } = access.value;
	const expected = expect(
		tools.head.state("sizing"),
		key.id,
		substrate.id,
		asked.inputBytes,
		asked.mediaParts,
	);
	const sized = sizeHold(sheet, asked, expected, tools.holds.outputCeiling);
	if (!sized.ok) return sized;
	const size = sized.value;
	const command: HoldCommand = {
		type: "hold",
		call,
		account: account.id,
		key: key.id,
		amount: size.amount,
		atLeast: size.atLeast,
		expires: now + tools.timeouts.total + tools.holds.wait + holdGrace,
		holder: tools.holder,
		substrate: substrate.id,
		model: asked.model,
		operation: operation.id,
		sheet: sheet.id,
	};
	const retry = request.header("idempotency-key");
	const held = await hold(
		tools,
		command,
		access.value,
		retry,
		operation,
		asked,
		cancelled,
	);
	if (!held.ok) return held;
	if ("kept" in held.value) return accept(held.value);
	const { amount } = recordedData<"credits-held">(held.value);
	const outputLimit =
		amount < size.amount
			? affordableLimit(sheet, size, amount, asked.choices)
			: size.outputLimit;
	return accept({
		call,
		asked,
		substrate,
		sheet,
		size,
		held: amount,
		outputLimit,
		keepAnswer: retry !== undefined,
	});
}

/**
 * Holds the credits. Under an idempotency key the first hold counts: while it is open a retry is told to wait, once
 * settled it gets the kept answer, and a call that was released (nothing was charged) may be tried again.
 */
async function hold(
	tools: CallTools,
	command: HoldCommand,
	caller: Caller,
	retry: string | undefined,
	operation: WireOperation,
	asked: WireRequest,
	cancelled: () => boolean,
): Promise<Outcome<Recorded | Replayed>> {
	const actor = `key/${caller.key.id}`;
	if (retry === undefined)
		return tools.queue.hold(
			command,
			{ actor, correlation: command.call },
			cancelled,
		);
	if (retry === "" || retry.length > 255) {
		return refuse(
			"request/invalid",
			"An Idempotency-Key has 1 to 255 characters.",
			{ field: "Idempotency-Key" },
		);
	}
	const input = `${operation.id} ${hex(tools.digest.bytes(asked.body))}`;
	for (let attempt = 1; ; attempt++) {
		const intent: Intent = {
			actor,
			correlation: command.call,
			key: `call/${caller.key.id}/${attempt}/${retry}`,
			input,
		};
		const outcome = await tools.queue.hold(command, intent, cancelled);
		if (!outcome.ok || !outcome.value.replayed) return outcome;
		const first = recordedData<"credits-held">(outcome.value).call;
		if (tools.head.state("credits").holds.has(first)) {
			return refuse(
				"idempotency/in-flight",
				"The first request with this idempotency key is still being answered. Try again shortly.",
				{
					call: first,
					retryAfter: 1,
				},
			);
		}
		const [resolution] = await tools.log.findByKey([resolutionKey(first)]);
		if (resolution && resolution.type !== "credits-settled") continue;
		const kept = await tools.answers.find(first, tools.clock.now());
		if (kept) return accept({ kept });
		return refuse(
			"idempotency/answer-gone",
			"This idempotency key was used and its call was charged, but the answer is no longer kept (24 hours, up to 4 MiB, whole answers only). Nothing is charged again under it: use a new key for a new call.",
			{ call: first, receipt: `/v1/receipts/${first}` },
		);
	}
}

function hex(bytes: Uint8Array): string {
	let text = "";
	for (const byte of bytes) text += byte.toString(16).padStart(2, "0");
	return text;
}
