import { microCreditsPerCredit } from "../../kernel/money.ts";
import type { Refusal } from "../../kernel/outcome.ts";
import type { HttpResponse } from "../../ports/http-server.ts";
import type { WireProtocol } from "../../ports/wire-protocol.ts";
import { statusOf } from "./model.ts";

/** Answers with a refusal in the client's own error shape; where the answer has begun already, the connection is broken. */
export function respond(
	wire: WireProtocol,
	response: HttpResponse,
	refusal: Refusal,
	extra: Readonly<Record<string, string>> = {},
): void {
	if (response.started) {
		response.abort();
		return;
	}
	const status = statusOf(refusal.code);
	const { headers, body } = wire.refusal(status, howToTopUp(refusal));
	const retryAfter = refusal.details?.retryAfter;
	response.head(status, {
		...headers,
		"content-length": String(body.byteLength),
		...(typeof retryAfter === "number"
			? { "retry-after": String(retryAfter) }
			: {}),
		...extra,
	});
	response.end(body);
}

/** A client that lacks credits is told which command gives them: enough for this call, in whole credits. */
function howToTopUp(refusal: Refusal): Refusal {
	if (refusal.code === "credits/cap-exceeded") {
		const { of, id } = refusal.details as { of: string; id: string };
		const topUp =
			of === "key" ? `dos key caps ${id}` : `dos credits caps --account ${id}`;
		return { ...refusal, details: { ...refusal.details, topUp } };
	}
	if (refusal.code !== "credits/insufficient") return refusal;
	const { account, needed, available } = refusal.details as {
		account: string;
		needed: number;
		available: number;
	};
	const missing = Math.ceil((needed - available) / microCreditsPerCredit);
	const topUp = `dos credits grant ${Math.max(1, missing)} --account ${account}`;
	return {
		...refusal,
		message: `${refusal.message} The owner can run: ${topUp}`,
		details: { ...refusal.details, topUp },
	};
}
