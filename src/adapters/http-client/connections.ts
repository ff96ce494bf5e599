import { createSecureContext, type SecureContext } from "node:tls";
import { AnswerFault, AnswerReader, type AnswerSink } from "./answer-reader.ts";
import { type Line, type LineUser, openLine } from "./line.ts";
import type { Origin } from "./request-rules.ts";

/** Who has a connection for now. */
export interface Tenant extends AnswerSink {
	/** The request's method. */
	readonly method: string;
	/** The connection stands: the request may be written. */
	assigned(connection: Connection): void;
	/** The answer is whole. */
	ended(): void;
	/** The connection broke, or what came is no sound answer. */
	lost(error: Error | undefined): void;
}

export interface ConnectionRules {
	/** Connections to one origin at once; further tenants wait. */
	readonly perOrigin: number;
	/** Connections to one origin that are kept while nobody uses them, and for how long. */
	readonly idlePerOrigin: number;
	readonly idleMilliseconds: number;
	readonly headerBytes: number;
	readonly authorities: readonly string[] | undefined;
}

/** Connections by origin, used again and again. */
export class Connections {
	readonly rules: ConnectionRules;
	readonly #hosts = new Map<string, Host>();
	#sweeper: NodeJS.Timeout | undefined;
	#secure: SecureContext | undefined;
	closed = false;

	constructor(rules: ConnectionRules) {
		this.rules = rules;
	}

	/** Gives the tenant a connection, now or as soon as one stands. */
	lease(origin: Origin, tenant: Tenant): void {
		const name = origin.secure ? `s ${origin.host}` : origin.host;
		let host = this.#hosts.get(name);
		if (!host) {
			host = new Host(this, origin);
			this.#hosts.set(name, host);
		}
		host.lease(tenant);
	}

	/** A tenant that waits for a connection, or is having one made, wants none any more. */
	withdraw(tenant: Tenant): void {
		for (const host of this.#hosts.values()) host.withdraw(tenant);
	}

	close(): void {
		this.closed = true;
		this.#sweep(Number.POSITIVE_INFINITY);
	}

	/** One sweep for all, as a timer for each connection would have to be set and taken back with every call. */
	keepSweeping(): void {
		this.#sweeper ??= setInterval(
			() => this.#sweep(performance.now()),
			500,
		).unref();
	}

	/** Made once: reading the authorities is slow. */
	get secure(): SecureContext {
		const { authorities } = this.rules;
		this.#secure ??= createSecureContext({
			minVersion: "TLSv1.2",
			...(authorities ? { ca: [...authorities] } : {}),
		});
		return this.#secure;
	}

	#sweep(now: number): void {
		for (const [name, host] of this.#hosts) {
			host.sweep(now);
			if (host.empty) this.#hosts.delete(name);
		}
		if (this.#hosts.size > 0) return;
		clearInterval(this.#sweeper);
		this.#sweeper = undefined;
	}
}

/** The connections to one origin. */
class Host {
	readonly all: Connections;
	readonly origin: Origin;
	/** The one used last is used next, so that what is not needed grows old. */
	readonly idle: Connection[] = [];
	readonly #waiting: Tenant[] = [];
	readonly #connecting = new Set<Connection>();
	#open = 0;
	/** What the vendor gave to take a TLS session up again. */
	session: Buffer | undefined;

	constructor(all: Connections, origin: Origin) {
		this.all = all;
		this.origin = origin;
	}

	get empty(): boolean {
		return this.#open === 0 && this.#waiting.length === 0;
	}

	lease(tenant: Tenant): void {
		const kept = this.idle.pop();
		if (kept) kept.take(tenant);
		else if (this.#open < this.all.rules.perOrigin) this.#connect(tenant);
		else this.#waiting.push(tenant);
	}

	withdraw(tenant: Tenant): void {
		const index = this.#waiting.indexOf(tenant);
		if (index >= 0) this.#waiting.splice(index, 1);
		for (const connection of this.#connecting)
			if (connection.tenant === tenant) connection.destroy();
	}

	#connect(tenant: Tenant): void {
		this.#open++;
		this.#connecting.add(new Connection(this, tenant));
	}

	stands(connection: Connection): void {
		this.#connecting.delete(connection);
	}

	/** A connection has been used and can be used again. */
	free(connection: Connection): void {
		const next = this.#waiting.shift();
		if (next) connection.take(next);
		else if (
			this.all.closed ||
			this.idle.length >= this.all.rules.idlePerOrigin
		)
			connection.destroy();
		else {
			this.idle.push(connection);
			this.all.keepSweeping();
		}
	}

	/** Nobody gets this connection any more. */
	left(connection: Connection): void {
		this.#connecting.delete(connection);
		const index = this.idle.indexOf(connection);
		if (index >= 0) this.idle.splice(index, 1);
	}

	/** It is closed. */
	gone(connection: Connection): void {
		this.#open--;
		this.left(connection);
		const next = this.#waiting.shift();
		if (next) this.#connect(next);
	}

	/** Closes what has been unused for too long. */
	sweep(now: number): void {
		for (const connection of [...this.idle])
			if (connection.idleUntil <= now) connection.destroy();
	}
}

/** What vendors say of it, which is mostly what the last one said. */
let lastHint: string | undefined;
let lastKept: number | undefined;

/** Milliseconds that a connection is kept: a second less than its vendor says, for the way of our next request; undefined where it does not say. */
function keptFor(hint: string | undefined): number | undefined {
	if (hint === lastHint) return lastKept;
	const said =
		hint === undefined ? undefined : /timeout=(\d{1,6})/i.exec(hint)?.[1];
	lastHint = hint;
	lastKept =
		said === undefined ? undefined : Math.min(600, Number(said) - 1) * 1_000;
	return lastKept;
}

export class Connection implements LineUser {
	readonly line: Line;
	idleUntil = 0;
	tenant: Tenant | undefined;
	readonly #host: Host;
	readonly #reader: AnswerReader;
	/** What the tenant did not want yet, in memory of its own. */
	#backlog: Buffer | undefined;
	/** The vendor has closed its side. */
	#ended = false;
	#reading = false;
	#destroyed = false;
	#gone = false;
	/** Bytes of a request are still on their way out. */
	sending = false;
	#hint: string | undefined;

	constructor(host: Host, tenant: Tenant) {
		this.#host = host;
		this.tenant = tenant;
		const connection = this;
		this.#reader = new AnswerReader(
			{
				get held() {
					return connection.tenant?.held ?? true;
				},
				head(status, header) {
					connection.#hint = header("keep-alive");
					connection.tenant?.head(status, header);
				},
				data: (piece) => connection.tenant?.data(piece),
			},
			host.all.rules.headerBytes,
		);
		const { hostname, port, secure, servername } = host.origin;
		this.line = openLine(
			secure
				? {
						host: hostname,
						port,
						secure: {
							servername,
							secureContext: host.all.secure,
							ALPNProtocols: ["http/1.1"],
							...(host.session ? { session: host.session } : {}),
						},
						onSession: (session) => {
							host.session = session;
						},
					}
				: { host: hostname, port },
			this,
		);
	}

	ended(): void {
		this.#ended = true;
		this.#finish();
	}

	broke(error: Error): void {
		this.#lose(error);
	}

	/** Only then is its place free for another one. */
	closed(): void {
		this.#lose(undefined);
		if (this.#gone) return;
		this.#gone = true;
		this.#host.gone(this);
	}

	stands(): void {
		this.#host.stands(this);
		if (this.tenant) this.take(this.tenant);
		else this.destroy();
	}

	take(tenant: Tenant): void {
		this.tenant = tenant;
		this.#hint = undefined;
		this.#reader.expect(tenant.method);
		this.line.ref();
		tenant.assigned(this);
	}

	destroy(): void {
		this.tenant = undefined;
		if (this.#destroyed) return;
		this.#destroyed = true;
		this.#host.left(this);
		this.line.destroy();
	}

	read(bytes: Buffer): boolean {
		if (!this.tenant) {
			// Nobody asked for anything: what comes then is no answer to trust.
			this.destroy();
			return false;
		}
		if (this.#backlog) {
			this.#backlog = Buffer.concat([this.#backlog, bytes]);
			return false;
		}
		return this.#feed(bytes);
	}

	#feed(bytes: Buffer): boolean {
		let used: number;
		this.#reading = true;
		try {
			used = this.#reader.feed(bytes);
		} catch (fault) {
			if (!(fault instanceof AnswerFault)) throw fault;
			this.#lose(fault);
			return false;
		} finally {
			this.#reading = false;
		}
		const { tenant } = this;
		if (!tenant) return false;
		if (used < bytes.length) {
			if (this.#reader.whole && !tenant.held) {
				this.#reader.reusable = false;
			} else {
				const rest = bytes.subarray(used);
				this.#backlog = this.line.lent ? Buffer.from(rest) : rest;
				this.line.pause();
				return false;
			}
		}
		this.#finish();
		if (!this.tenant?.held) return true;
		this.line.pause();
		return false;
	}

	/** Ends the answer where it is whole, or where the connection is. */
	#finish(): void {
		const { tenant } = this;
		if (!tenant) {
			if (this.#ended) this.destroy();
			return;
		}
		if (tenant.held || this.#backlog) return;
		const whole = this.#ended ? this.#reader.closed() : this.#reader.whole;
		if (!whole) {
			if (this.#ended) this.#lose(undefined);
			return;
		}
		this.tenant = undefined;
		if (this.#ended || this.sending || !this.#reader.reusable) this.destroy();
		else this.#keep();
		tenant.ended();
	}

	#keep(): void {
		const kept = keptFor(this.#hint) ?? this.#host.all.rules.idleMilliseconds;
		if (kept <= 0) {
			this.destroy();
			return;
		}
		this.idleUntil = performance.now() + kept;
		this.line.unref();
		this.#host.free(this);
	}

	#lose(error: Error | undefined): void {
		const { tenant } = this;
		this.destroy();
		tenant?.lost(error);
	}

	/** The tenant holds from now on. A head is told all the same. */
	hold(): void {
		if (!this.#reading && this.#reader.begun) this.line.pause();
	}

	/** The tenant holds no longer. Later in this turn, as it may be in the middle of something. */
	resume(): void {
		queueMicrotask(() => {
			if (this.tenant?.held || this.#destroyed) return;
			const backlog = this.#backlog;
			this.#backlog = undefined;
			if (backlog) {
				if (!this.#feed(backlog)) return;
			} else this.#finish();
			if (!this.#destroyed) this.line.resume();
		});
	}
}
