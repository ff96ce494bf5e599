import type {
	HttpClient,
	Timeouts,
	UpstreamCall,
	UpstreamFault,
	UpstreamRequest,
	UpstreamSink,
} from "../../ports/http-client.ts";
import type { HttpRequest } from "../../ports/http-server.ts";
import type { Forwarded, Meter, Metered } from "../../ports/wire-protocol.ts";
import { Body } from "./body.ts";
import type { Leg } from "./plan.ts";
import type { OutgoingRequest, VendorKey } from "./substrates.ts";

/** What becomes of attempts. What is thrown here comes back as `broke`. */
export interface AttemptWatch {
	/** Whether it may be sent at this moment too. */
	allows(attempt: Attempt): boolean;
	/** A good answer begins: nothing of it has been passed yet. */
	began(attempt: Attempt): void;
	/** A part of the answer, for the client. */
	passed(attempt: Attempt, chunk: Uint8Array): void;
	/** The good answer has ended. */
	ended(attempt: Attempt, metered: Metered): void;
	/** The vendor refused, with this body. */
	refused(attempt: Attempt, body: Body): void;
	/** There was no answer, or not all of it. */
	failed(attempt: Attempt, fault: UpstreamFault): void;
	/** The vendor's key could not be had: nothing was sent. */
	unauthorised(attempt: Attempt, fault: unknown): void;
	/** Something of ours threw. */
	broke(attempt: Attempt, fault: unknown): void;
}

/** How an attempt goes out. */
export interface Sending {
	readonly client: HttpClient;
	readonly method: string;
	readonly request: HttpRequest;
	readonly timeouts: Timeouts;
	/** Milliseconds since the client asked. */
	elapsed(): number;
}

/** Bytes of a vendor's error that are passed on. */
const errorBytes = 64 * 1024;

const passedBack = ["request-id", "x-request-id", "retry-after"];

/** One sending of a call to one substrate. After `abort`, and after its end, its watch hears nothing of it. */
export class Attempt implements UpstreamSink {
	readonly leg: Leg;
	readonly key: VendorKey;
	readonly outputLimit: number | undefined;
	/** Milliseconds since the client asked, when it went out and when its answer began. */
	readonly began: number;
	firstByte: number | undefined;
	status = 0;
	/** Of the vendor's headers those that go on to the client. */
	readonly headers: Record<string, string> = {};
	contentType = "application/json";
	/** The answer is a stream of events, whatever was asked for. */
	streaming = false;
	meter: Meter | undefined;
	readonly #forwarded: Forwarded;
	readonly #sending: Sending;
	readonly #watch: AttemptWatch;
	#upstream: UpstreamCall | undefined;
	#refused: Body | undefined;
	#sentAgain = false;
	#over = false;

	constructor(
		leg: Leg,
		key: VendorKey,
		outputLimit: number | undefined,
		sending: Sending,
		watch: AttemptWatch,
	) {
		this.leg = leg;
		this.key = key;
		this.outputLimit = outputLimit;
		this.began = sending.elapsed();
		this.#sending = sending;
		this.#watch = watch;
		this.#forwarded = leg.passage.forward(outputLimit);
	}

	/** Nothing of it can have reached the vendor. */
	get unsent(): boolean {
		return this.#upstream === undefined || this.#upstream.unsent === true;
	}

	/** The vendor's answer was no good one. */
	get isRefused(): boolean {
		return this.#refused !== undefined;
	}

	send(): void {
		const { leg } = this;
		const { protocol, vendor } = leg.substrate;
		const { method, request, timeouts } = this.#sending;
		const url =
			vendor.bases[protocol] + (this.#forwarded.path ?? leg.passage.path);
		const headers: Record<string, string> = {
			"content-type": "application/json",
			...this.#forwarded.headers,
		};
		for (const name of leg.passage.passHeaders) {
			const value = request.header(name);
			if (value !== undefined) headers[name] = value;
		}
		const outgoing = new Outgoing(
			protocol,
			method,
			url,
			headers,
			this.#forwarded,
			timeouts,
		);
		const authorised = this.key.authorize(outgoing);
		if (!(authorised instanceof Promise)) {
			this.#transmit(outgoing.with(authorised));
			return;
		}
		authorised.then(
			(fetched) => {
				if (this.#over) return;
				try {
					this.#transmit(outgoing.with(fetched));
				} catch (fault) {
					this.#broke(fault);
				}
			},
			(fault: unknown) => {
				if (this.#over) return;
				this.#over = true;
				this.#watch.unauthorised(this, fault);
			},
		);
	}

	abort(): void {
		this.#over = true;
		this.#upstream?.abort();
	}

	pause(): void {
		this.#upstream?.pause();
	}

	resume(): void {
		this.#upstream?.resume();
	}

	head(status: number, header: (name: string) => string | undefined): void {
		if (this.#over) return;
		try {
			this.status = status;
			this.firstByte = this.#sending.elapsed();
			this.contentType = fitting(header("content-type")) ?? "application/json";
			for (const name of passedBack) {
				const value = fitting(header(name));
				if (value !== undefined) this.headers[name] = value;
			}
			if (status < 200 || status >= 300) {
				this.#refused = new Body(errorBytes);
				return;
			}
			const answer = this.leg.passage.answer(
				this.#forwarded,
				status,
				this.contentType,
			);
			this.meter = answer.meter;
			this.streaming = answer.streaming;
			this.contentType = answer.contentType;
			this.#watch.began(this);
		} catch (fault) {
			this.#broke(fault);
		}
	}

	data(chunk: Uint8Array): void {
		if (this.#over) return;
		try {
			if (!this.#refused) {
				const passed = (this.meter as Meter).pass(chunk);
				if (passed) this.#watch.passed(this, passed);
			} else if (!this.#refused.add(chunk)) {
				this.abort();
				this.#watch.refused(this, this.#refused);
			}
		} catch (fault) {
			this.#broke(fault);
		}
	}

	end(): void {
		if (this.#over) return;
		this.#over = true;
		try {
			if (this.#refused) this.#watch.refused(this, this.#refused);
			else this.#watch.ended(this, this.finish());
		} catch (fault) {
			this.#broke(fault);
		}
	}

	fail(fault: UpstreamFault): void {
		if (this.#over) return;
		try {
			// Once more, at once: but what has waited in vain for a connection has waited enough.
			if (
				fault.unsent &&
				!this.#sentAgain &&
				!isTimeout(fault) &&
				this.#watch.allows(this)
			) {
				this.#sentAgain = true;
				this.send();
				return;
			}
			this.#over = true;
			this.#watch.failed(this, fault);
		} catch (broken) {
			this.#broke(broken);
		}
	}

	/** What was counted of the answer, the rest of it passed. */
	finish(): Metered {
		const metered = (this.meter as Meter).finish();
		if (metered.rest) this.#watch.passed(this, metered.rest);
		return metered;
	}

	#transmit(outgoing: Outgoing): void {
		this.#upstream = this.#sending.client.send(outgoing, this);
	}

	/** Nothing thrown escapes to the HTTP edge, where it would take the process down. */
	#broke(fault: unknown): void {
		this.abort();
		this.#watch.broke(this, fault);
	}
}

export function isTimeout({ code }: UpstreamFault): boolean {
	return code.endsWith("timeout");
}

/**
 * A request on its way to a vendor, before and after it has its key. A class for its getter: an object
 * literal that has one is given a hidden class of its own each time it is made, which lives until
 * the next full collection, and through the getter's closure a whole ended call lives with it
 * (docs/decisions/0009-hot-path.md, third round).
 */
class Outgoing implements UpstreamRequest, OutgoingRequest {
	readonly protocol: string;
	readonly method: string;
	readonly url: string;
	readonly headers: Readonly<Record<string, string>>;
	readonly timeouts: Timeouts;
	readonly #forwarded: Forwarded;

	constructor(
		protocol: string,
		method: string,
		url: string,
		headers: Readonly<Record<string, string>>,
		forwarded: Forwarded,
		timeouts: Timeouts,
	) {
		this.protocol = protocol;
		this.method = method;
		this.url = url;
		this.headers = headers;
		this.timeouts = timeouts;
		this.#forwarded = forwarded;
	}

	get body(): Uint8Array {
		return this.#forwarded.body;
	}

	get pieces(): readonly Uint8Array[] | undefined {
		return this.#forwarded.pieces;
	}

	with(key: Readonly<Record<string, string>>): Outgoing {
		const { protocol, method, url, headers, timeouts } = this;
		return new Outgoing(
			protocol,
			method,
			url,
			{ ...headers, ...key },
			this.#forwarded,
			timeouts,
		);
	}
}

/** A vendor's header value, where an answer of ours can carry it. */
function fitting(value: string | undefined): string | undefined {
	return value !== undefined && /^[\t\x20-\x7e\x80-\xff]*$/.test(value)
		? value
		: undefined;
}
