import { readFileSync } from "node:fs";
import { isIP } from "node:net";
import { isAbsolute, join } from "node:path";
import * as v from "valibot";
import { type Document, isMap, isSeq, LineCounter, parseDocument } from "yaml";
import {
	type CatalogueOverlay,
	type OverlayProblem,
	readOverlay,
} from "../adapters/catalogue/overlay.ts";
import { Fault } from "../kernel/outcome.ts";
import type { Timeouts } from "../ports/http-client.ts";
import type { HttpLimits } from "../ports/http-server.ts";
import type { PeerPlace } from "../ports/peer-link.ts";
import type { Quirks, Vendor } from "../ports/vendor.ts";
import { type Environment, type Home, othersMayRead } from "./home.ts";
import { closest } from "./suggest.ts";

/** What the owner may set in `config.yaml`. All durations are in milliseconds here; in the file they carry a unit. */
export interface Config {
	/** Who pays for the operator's own calls, and whose keys `dos key create` makes. Default `main`. */
	readonly account: string;
	/**
	 * Address of a Postgres database that keeps the log, for more than one machine. A `${NAME}` in the file has
	 * become that variable's value. Absent: a file in the home folder.
	 */
	readonly store?: string;
	readonly listen: ListenConfig;
	readonly replica: ReplicaConfig;
	readonly limits: LimitsConfig;
	/** How long a vendor may take: connect 10 s, first byte 5 min, idle 2 min, total 30 min. */
	readonly timeouts: Timeouts;
	readonly holds: HoldsConfig;
	readonly retries: RetriesConfig;
	readonly cache: CacheConfig;
	/** Calls that are sent a second time, to a candidate, and scored. Default none. */
	readonly shadow: readonly ShadowConfig[];
	/** By vendor id: settings of known vendors, and vendors of the owner's own. */
	readonly vendors: Readonly<Record<string, VendorConfig>>;
	/** Names of the owner's own for models: `fast: openai/gpt-4o-mini`. */
	readonly models: Readonly<Record<string, string>>;
	/** Price rows of the owner's, as written; the price book reads them. Default none. */
	readonly prices: readonly unknown[];
	/** What a call to a model of unknown price may cost at most, as written. Absent: such a call is refused. */
	readonly ceiling?: unknown;
	/** Classes, postures and table, as written: a mistake in them stops what it is about, and never the reading. Absent: nothing is said. */
	readonly routing?: unknown;
	/** What the owner says of vendors and substrates. Default nothing. */
	readonly catalogue: CatalogueOverlay;
}

export interface ListenConfig {
	/** Address to listen on. Default `127.0.0.1`: this machine alone. */
	readonly host: string;
	/** 0 picks a free one. Default 4141. */
	readonly port: number;
	/** PEM files, relative to the home folder. Absent: plain HTTP. */
	readonly tls?: { readonly key: string; readonly certificate: string };
	/** The explicit word to listen beyond this machine without TLS. Default false. */
	readonly insecure: boolean;
	/** Host names that requests may carry besides the address listened on. Default none. */
	readonly hosts: readonly string[];
}

export interface ReplicaConfig {
	/** How old what was seen of the log may be for `/readyz` to say ready. Default 5 s. */
	readonly readyWithin: number;
	/** How long a replica that is asked to end says so to load balancers and still takes calls. Default 5 s. */
	readonly drainGrace: number;
	/**
	 * Where other replicas reach this one, so that one can write for all; `off`: each writes for itself. Default: the address
	 * that the database is reached from, any free port. A `${NAME}` in the file has become that variable's value.
	 */
	readonly peer?: "off" | Partial<PeerPlace>;
}

export interface LimitsConfig extends HttpLimits {
	/** Calls that are carried out at once. Default 1024. */
	readonly calls: number;
	/** Bytes of their bodies together. Default 512 MiB. */
	readonly callBytes: number;
	/** Calls that may wait for room. Default 1024. */
	readonly queue: number;
	/** Milliseconds that one waits for room, at most; 0: none waits. Default 10 s. */
	readonly queueWait: number;
	/** Requests of one key in a minute. Absent: no limit. */
	readonly requestsPerMinute?: number;
}

export interface HoldsConfig {
	/** How long a call waits when only other calls in flight stand between it and its credits. Default 5 s. */
	readonly wait: number;
	/**
	 * Output tokens a call may make when it names no limit; sent to the vendor as the limit. Default none
	 * (undefined here): no limit is sent, and the hold follows what such calls were seen to need.
	 */
	readonly outputCeiling: number | undefined;
}

export interface RetriesConfig {
	/** Times that one substrate is asked for a call, at most. Default 2. */
	readonly attempts: number;
	/** Other substrates that are asked when one fails, at most. Default 3. */
	readonly fallbacks: number;
	/** Asks a second substrate when the first is late. Absent: never. */
	readonly hedge?: {
		/** How long the first may take to begin. Default 2 s. */
		readonly after: number;
		/** Only calls that ask for at most so many output tokens. Default 256. */
		readonly outputTokens: number;
	};
}

export interface CacheConfig {
	/** What an answer out of the cache costs, in hundredths of what it cost first. Default 0. */
	readonly price: number;
}

export interface ShadowConfig {
	/** The candidate: `vendor/model`, a model or an alias. */
	readonly to: string;
	/** Of the calls that it is about, from 0 to 1; in the file also in percent: `5%`. */
	readonly share: number;
	/** Absent: of any. */
	readonly callTypes?: readonly string[];
	readonly difficulties?: readonly (typeof difficulties)[number][];
	/** Who pays it: what that account has, and its caps, are the budget. */
	readonly account: string;
	/** A model that compares the two answers. Absent: only rules do. */
	readonly judge?: string;
}

export interface VendorConfig {
	/** False turns the vendor off, key or not. Default true. */
	readonly enabled: boolean;
	/** Used when the environment holds none. A `${NAME}` in the file has become that variable's value. */
	readonly key?: string;
	/** Several keys that calls are spread over, instead of any other. Those whose variable is not set are left out. */
	readonly keys?: readonly VendorKeyConfig[];
	/** Where its API is reached, instead of the address we know. */
	readonly base?: string;
	/** What stands in the places of the addresses we know: `region`, `location`, `resource`. */
	readonly parameters?: Readonly<Record<string, string>>;
	/** Makes this a vendor of the owner's own: how it speaks. Needs `base`. */
	readonly protocol?: (typeof protocols)[number];
	/** How an own vendor takes its key. Default: as its protocol does. */
	readonly auth?: Vendor["auth"];
	/** An own vendor that runs on the owner's machine: free of charge unless priced. Default false. */
	readonly local: boolean;
	/** The explicit word to send its key over plain HTTP beyond this machine. Default false. */
	readonly insecure: boolean;
	/** How an own vendor departs from its protocol. */
	readonly quirks: Quirks;
}

export interface VendorKeyConfig {
	readonly key: string;
	/** What it is called in metrics and messages. Default its place in the list, from 1. */
	readonly name: string;
	/** Its part of the calls, against the weights of the others. Default 1. */
	readonly weight: number;
	/** What the vendor allows it. Absent: no limit but the vendor's own word. */
	readonly requestsPerMinute?: number;
	readonly tokensPerMinute?: number;
}

export interface LoadedConfig {
	readonly config: Config;
	/** Whether there is a file. */
	readonly exists: boolean;
	/** What works but should be mended, each a sentence. */
	readonly warnings: readonly string[];
	/** Where in the file something stands, or the nearest thing above it that does; 1-based. */
	placeOf(path: readonly (string | number)[]): ConfigPlace | undefined;
}

export interface ConfigPlace {
	readonly line: number;
	readonly column: number;
}

/** One thing wrong in the file. */
export interface ConfigProblem {
	/** 1-based; absent when nothing in the file can be pointed at. */
	readonly line?: number;
	readonly column?: number;
	/** `listen.port`. */
	readonly path: string;
	readonly message: string;
}

/**
 * Reads the owner's settings; without a file, everything has its default. Throws `config/invalid`
 * with every problem and its place, and `config/unreadable`. Never repeats a value from the file,
 * as it may be a secret.
 */
export function loadConfig(home: Home, environment: Environment): LoadedConfig {
	let text = "";
	let exists = true;
	try {
		text = readFileSync(home.config, "utf8");
	} catch (cause) {
		const reason = (cause as NodeJS.ErrnoException).code;
		if (reason !== "ENOENT") {
			throw new Fault(
				"config/unreadable",
				`${home.config} cannot be read (${reason}). Check its permissions.`,
				{ cause },
			);
		}
		exists = false;
	}
	const { config, warnings, holdsSecret, placeOf } = parseConfig(text, {
		environment,
		file: home.config,
		folder: home.folder,
	});
	if (holdsSecret && othersMayRead(home.config)) {
		return {
			config,
			exists,
			placeOf,
			warnings: [
				...warnings,
				`${home.config} holds keys and others may read it. Run: chmod 600 ${home.config}`,
			],
		};
	}
	return { config, exists, warnings, placeOf };
}

/** As `loadConfig`, from a text. `holdsSecret` tells whether a key is written out in it. */
export function parseConfig(
	text: string,
	from: {
		readonly environment: Environment;
		readonly file: string;
		readonly folder: string;
	},
): {
	readonly config: Config;
	readonly warnings: readonly string[];
	readonly holdsSecret: boolean;
	readonly placeOf: LoadedConfig["placeOf"];
} {
	const lines = new LineCounter();
	// Pretty errors would quote the line, and with it perhaps a key.
	const document = parseDocument(text, {
		lineCounter: lines,
		prettyErrors: false,
		// Warnings would go to standard error, and quote what they are about.
		logLevel: "error",
	});
	if (document.errors.length > 0) {
		const problems = document.errors.map(({ code, pos }) => {
			const { line, col } = lines.linePos(pos[0]);
			return {
				line,
				column: col,
				path: "",
				message: syntaxErrors[code] ?? `is not valid YAML (${code})`,
			};
		});
		throw invalid(from.file, problems);
	}
	function placeOf(
		path: readonly (string | number)[],
	): ConfigPlace | undefined {
		const offset = offsetOf(document.contents, path);
		if (offset === undefined) return undefined;
		const { line, col } = lines.linePos(offset);
		return { line, column: col };
	}
	const plain = toPlain(document, from.file) ?? {};
	const written = withRouting(withoutEmpty(plain), plain);
	const parsed = v.safeParse(schema, written);
	if (!parsed.success) {
		const problems = parsed.issues.map((issue): ConfigProblem => {
			const steps = issue.path ?? [];
			// To valibot a list is a map with strange keys; to the owner it is no map at all.
			const list = Array.isArray(steps.at(-1)?.input);
			const path = steps
				.slice(0, list ? -1 : undefined)
				.map(({ key }) => key as string | number);
			return {
				...placeOf(path),
				path: path.map(shownKey).join("."),
				message: list ? noSection : describe(issue, path),
			};
		});
		problems.sort((one, other) => (one.line ?? 0) - (other.line ?? 0));
		throw invalid(from.file, problems);
	}
	const {
		listen,
		replica: { peer: peerStated, ...replica },
		vendors,
		store: storeStated,
		catalogue: said,
		...rest
	} = parsed.output;
	const catalogue = readOverlay(said);
	if (!catalogue.ok) {
		const { problems } = catalogue.error.details as {
			readonly problems: readonly OverlayProblem[];
		};
		throw invalid(
			from.file,
			problems.map(({ path, message }) => ({
				...placeOf(["catalogue", ...path]),
				path: ["catalogue", ...path].map(shownKey).join("."),
				message,
			})),
		);
	}
	const warnings: string[] = [];
	const storeVariable = referenceIn(storeStated);
	const store = (
		storeVariable === undefined ? storeStated : from.environment[storeVariable]
	)?.trim();
	if (storeVariable !== undefined && !store)
		// Going on without would begin another log in the home folder.
		throw invalid(from.file, [
			{
				path: "store",
				message: `refers to the environment variable ${storeVariable}, which is not set`,
			},
		]);
	let holdsSecret =
		storeStated !== undefined &&
		storeVariable === undefined &&
		/:\/\/[^/@]*:[^/@]/.test(storeStated);
	const peerVariable = referenceIn(peerStated);
	const peer = readPeer(
		peerVariable === undefined
			? peerStated
			: from.environment[peerVariable]?.trim(),
	);
	if (peerStated !== undefined && peer === undefined)
		throw invalid(from.file, [
			{
				path: "replica.peer",
				message: `refers to the environment variable ${peerVariable}, which ${noPeer}`,
			},
		]);
	const resolvedVendors: Record<string, VendorConfig> = {};
	function resolved(stated: string, path: string): string | undefined {
		const reference = referenceIn(stated);
		if (reference === undefined) {
			holdsSecret = true;
			return stated.trim();
		}
		const key = from.environment[reference]?.trim();
		if (!key)
			warnings.push(
				`${path} refers to the environment variable ${reference}, which is not set.`,
			);
		return key;
	}
	for (const [id, { key: stated, keys, ...vendor }] of Object.entries(
		vendors,
	)) {
		const key =
			stated === undefined ? undefined : resolved(stated, `vendors.${id}.key`);
		const listed = keys?.flatMap((row, index): VendorKeyConfig[] => {
			const name = row.name ?? String(index + 1);
			const key = resolved(row.key, `vendors.${id}.keys (${name})`);
			return key ? [{ ...row, key, name }] : [];
		});
		resolvedVendors[id] = {
			...vendor,
			...(key && { key }),
			...(listed && { keys: listed }),
		};
	}
	const absolute = (path: string) =>
		isAbsolute(path) ? path : join(from.folder, path);
	const tls = listen.tls && {
		key: absolute(listen.tls.key),
		certificate: absolute(listen.tls.certificate),
	};
	return {
		config: {
			...rest,
			...(store && { store }),
			listen: tls ? { ...listen, tls } : listen,
			replica: { ...replica, ...(peer && { peer }) },
			vendors: resolvedVendors,
			catalogue: catalogue.value,
		},
		warnings,
		holdsSecret,
		placeOf,
	};
}

/** The variable that `${NAME}` refers to. */
function referenceIn(stated: string | undefined): string | undefined {
	return stated === undefined ? undefined : /^\$\{(\w+)\}$/.exec(stated)?.[1];
}

/** Whether an address is of this machine alone. */
export function isLoopback(host: string): boolean {
	const bare = host.replace(/^\[(.*)\]$/, "$1").toLowerCase();
	return (
		bare === "localhost" || bare === "::1" || /^127(\.\d{1,3}){3}$/.test(bare)
	);
}

/** Throws `listen/insecure` when others on the network could read what passes, and the owner has not said that they may. */
export function assertSafeToListen({
	host,
	tls,
	insecure,
}: ListenConfig): void {
	if (isLoopback(host) || tls || insecure) return;
	throw new Fault(
		"listen/insecure",
		`Listening on ${host} without TLS would let others on the network read keys and prompts. ` +
			"Set listen.tls in config.yaml, or say that you accept it: listen.insecure: true (or --insecure).",
		{ details: { host } },
	);
}

/** Every key the file knows, dotted, with `<id>`, `<alias>` and `<name>` for names the owner chooses and `<n>` for places in a list: what the guide must explain. */
export function configKeys(): readonly string[] {
	return keysOf(schema, "");
}

/** What `dos init` writes where there is no file: every line a comment, so that defaults stay ours to better. */
export const starterConfig = `# Settings of DuranteOS. This file is yours: it is read, never rewritten.
# Everything has a default; remove the "#" in front of what you want to change.
# All keys are explained in docs/guides/configuration.md. After a change, run: dos doctor

# listen:
#   host: 127.0.0.1
#   port: 4141

# Vendors are on when their key is in the environment (OPENAI_API_KEY, ANTHROPIC_API_KEY, ...)
# or here. "dos vendors" lists them.
# vendors:
#   openai:
#     key: \${MY_OPENAI_KEY}             # taken from this environment variable
#   my-server:                          # any OpenAI- or Anthropic-compatible server of yours
#     protocol: openai-chat             # or anthropic-messages
#     base: http://127.0.0.1:8000/v1
#     local: true                       # runs on this machine: free unless priced below

# Your own names for models.
# models:
#   fast: openai/gpt-4o-mini

# How long a vendor may take.
# timeouts:
#   connect: 10s
#   firstByte: 5m
#   idle: 2m
#   total: 30m

# What is set aside for a call before it is sent.
# holds:
#   wait: 5s                            # for credits that other calls in flight hold
#   outputCeiling: none                 # output tokens of a call that names no limit

# Which models may answer, and which go first: docs/guides/routing.md. "dos route try" decides
# without calling; "dos route apply" puts a change in force while servers run.
# routing:
#   postures:
#     - id: house
#       by: the owner
#       why: nobody learns from what we ask
#       from: 2026-01-01
#       require: [{ trains: false }]
#   table:
#     aliases:
#       house: [{ channel: [own-machine] }]

# What a failed call may try before its client hears of it.
# retries:
#   attempts: 2                         # of one vendor
#   fallbacks: 3                        # others, in the order of the decision
`;

const longest = 24 * 24 * 3600_000;
const protocols = [
	"openai-chat",
	"openai-responses",
	"anthropic-messages",
	"google-generate",
	"bedrock-converse",
] as const;
const waysToSendKeys = [
	"bearer",
	"x-api-key",
	"api-key",
	"x-goog-api-key",
	"none",
] as const;

const text = v.pipe(
	v.string("must be text: put it in quotes"),
	v.nonEmpty("must not be empty"),
);
const flag = (initial: boolean) =>
	v.optional(v.boolean("must be true or false"), initial);
const count = (least: number, most: number = Number.MAX_SAFE_INTEGER) =>
	v.pipe(
		v.number("must be a number"),
		v.integer("must be a whole number"),
		v.minValue(least, `must be at least ${least}`),
		v.maxValue(most, `must be at most ${most}`),
	);
const noDuration =
	'must be a duration with its unit, such as "500ms", "10s" or "5m"';
const duration = (least: number) =>
	v.pipe(
		v.string(noDuration),
		v.rawTransform(({ dataset, addIssue, NEVER }) => {
			const value = parseDuration(dataset.value);
			if (value !== undefined && value >= least && value <= longest)
				return value;
			addIssue({
				message:
					value === undefined
						? noDuration
						: `must be between ${least}ms and 24d`,
			});
			return NEVER;
		}),
	);
const size = v.pipe(
	v.union(
		[v.string(), v.number()],
		'must be a size, such as "16 KiB" or "32 MiB"',
	),
	v.rawTransform(({ dataset, addIssue, NEVER }) => {
		const value = parseSize(dataset.value);
		if (value !== undefined && value >= 1 && value <= 2 ** 31) return value;
		addIssue({
			message:
				value === undefined
					? 'must be a size, such as "16 KiB" or "32 MiB"'
					: "must be between 1 byte and 2 GiB",
		});
		return NEVER;
	}),
);
const noPeer =
	'must be off, a port, or the one address of this machine that others reach, such as 10.0.0.7, "10.0.0.7:4142" or "[fd00::7]:4142"';
const noSection = "must hold settings, each with a name";
const section = <Entries extends v.ObjectEntries>(entries: Entries) =>
	v.strictObject(entries, noSection);

const quirk = v.exactOptional(v.boolean("must be true or false"));
const words = v.exactOptional(v.array(text, "must be a list of words"));
const vendorKeys = v.pipe(
	v.array(
		section({
			key: text,
			name: v.exactOptional(
				v.pipe(
					v.string("must be text: put it in quotes"),
					v.regex(
						/^[a-z0-9][a-z0-9_-]{0,31}$/,
						"must be 1 to 32 characters of a-z, 0-9, - and _",
					),
				),
			),
			weight: v.optional(count(1, 1_000), 1),
			requestsPerMinute: v.exactOptional(count(1)),
			tokensPerMinute: v.exactOptional(count(1)),
		}),
		"must be a list of keys",
	),
	v.minLength(1, "must hold a key"),
	v.check((keys) => {
		const names = keys.map(({ name }, index) => name ?? String(index + 1));
		return new Set(names).size === names.length;
	}, "must not name two keys alike"),
	v.check(
		(keys) => keys.every(({ key, name }) => key !== name),
		"must not use a key as its name: names are shown",
	),
);
const vendor = v.pipe(
	section({
		enabled: flag(true),
		key: v.exactOptional(text),
		keys: v.exactOptional(vendorKeys),
		base: v.exactOptional(text),
		parameters: v.exactOptional(
			v.record(
				v.pipe(
					v.string(),
					v.regex(/^[a-z]{1,32}$/, "is no name of a parameter"),
				),
				text,
				"must hold values by name, such as region: eu-central-1",
			),
		),
		protocol: v.exactOptional(
			v.picklist(protocols, `must be one of ${protocols.join(", ")}`),
		),
		auth: v.exactOptional(
			v.picklist(waysToSendKeys, `must be one of ${waysToSendKeys.join(", ")}`),
		),
		local: flag(false),
		insecure: flag(false),
		quirks: v.optional(
			section({
				maxTokensOnly: quirk,
				noStreamOptions: quirk,
				reportsCost: quirk,
				noEmbeddings: quirk,
				schemaSubset: quirk,
				systemFirst: quirk,
				noSchemas: quirk,
				takes: words,
				lacks: words,
				callIdLength: v.exactOptional(count(1, 64)),
				efforts: words,
			}),
			{},
		),
	}),
	v.forward(
		v.partialCheck(
			[["protocol"], ["base"]],
			({ protocol, base }) => protocol === undefined || base !== undefined,
			"needs a base as well: the address of this vendor's API",
		),
		["protocol"],
	),
	v.forward(
		v.partialCheck(
			[["key"], ["keys"]],
			({ key, keys }) => key === undefined || keys === undefined,
			"stands beside key: put that one into the list",
		),
		["keys"],
	),
);

const account = v.pipe(
	v.string("must be text"),
	v.regex(
		/^[a-z0-9_-]{1,64}$/,
		"must be 1 to 64 characters of a-z, 0-9, - and _",
	),
);
const model = v.pipe(
	v.string("must be the name of a model"),
	v.regex(/^[^\s\p{Cc}]{1,200}$/u, "must be the name of a model"),
);
const difficulties = ["easy", "medium", "hard"] as const;
const noPortion = 'must be a part of the calls, such as "5%" or 0.05';
const portion = v.pipe(
	v.union([v.number(), v.string()], noPortion),
	v.transform((value) =>
		typeof value === "number"
			? value
			: /^\d{1,3}(\.\d{1,3})?%$/.test(value)
				? Number(value.slice(0, -1)) / 100
				: Number.NaN,
	),
	v.check((value) => value >= 0 && value <= 1, noPortion),
);

const schema = section({
	account: v.optional(account, "main"),
	store: v.exactOptional(
		v.pipe(
			text,
			v.regex(
				/^(postgres(ql)?:\/\/|\$\{\w+\}$)/,
				"must be an address such as postgres://role:password@host/database, or name an environment variable",
			),
		),
	),
	listen: v.optional(
		section({
			host: v.optional(text, "127.0.0.1"),
			port: v.optional(count(0, 65_535), 4141),
			tls: v.exactOptional(section({ key: text, certificate: text })),
			insecure: flag(false),
			hosts: v.optional(v.array(text, "must be a list"), []),
		}),
		{},
	),
	replica: v.optional(
		section({
			readyWithin: v.optional(duration(100), "5s"),
			drainGrace: v.optional(duration(0), "5s"),
			peer: v.exactOptional(
				v.pipe(
					v.union([v.string(), v.number()], noPeer),
					v.transform(String),
					v.check(
						(stated) =>
							referenceIn(stated) !== undefined ||
							readPeer(stated) !== undefined,
						noPeer,
					),
				),
			),
		}),
		{},
	),
	limits: v.optional(
		section({
			bodyBytes: v.optional(size, "32 MiB"),
			headerBytes: v.optional(size, "16 KiB"),
			connections: v.optional(count(1, 1_000_000), 1024),
			requestsPerMinute: v.exactOptional(count(1)),
			calls: v.optional(count(1, 1_000_000), 1024),
			callBytes: v.optional(size, "512 MiB"),
			queue: v.optional(count(0, 1_000_000), 1024),
			queueWait: v.optional(duration(0), "10s"),
			headersTimeout: v.optional(duration(1), "10s"),
			requestTimeout: v.optional(duration(1), "5m"),
			keepAliveTimeout: v.optional(duration(1), "75s"),
		}),
		{},
	),
	timeouts: v.optional(
		section({
			connect: v.optional(duration(1), "10s"),
			firstByte: v.optional(duration(1), "300s"),
			idle: v.optional(duration(1), "120s"),
			total: v.optional(duration(1), "1800s"),
		}),
		{},
	),
	holds: v.optional(
		section({
			wait: v.optional(duration(0), "5s"),
			outputCeiling: v.optional(
				v.union(
					[
						v.pipe(
							v.literal("none"),
							v.transform(() => undefined),
						),
						count(1, 10_000_000),
					],
					"must be a number of tokens, or none",
				),
				"none",
			),
		}),
		{},
	),
	retries: v.optional(
		section({
			attempts: v.optional(count(1, 10), 2),
			fallbacks: v.optional(count(0, 20), 3),
			hedge: v.exactOptional(
				section({
					after: v.optional(duration(1), "2s"),
					outputTokens: v.optional(count(1, 10_000_000), 256),
				}),
			),
		}),
		{},
	),
	cache: v.optional(section({ price: v.optional(count(0, 100), 0) }), {}),
	shadow: v.optional(
		v.array(
			section({
				to: model,
				share: portion,
				callTypes: words,
				difficulties: v.exactOptional(
					v.pipe(
						v.array(
							v.picklist(
								difficulties,
								`must be one of ${difficulties.join(", ")}`,
							),
							"must be a list",
						),
						v.minLength(1, "must name one"),
					),
				),
				account,
				judge: v.exactOptional(model),
			}),
			"must be a list",
		),
		[],
	),
	vendors: v.optional(
		v.record(
			v.pipe(
				v.string(),
				v.regex(
					/^[a-z0-9][a-z0-9-]{0,63}$/,
					"is no vendor id: use lower-case letters, digits and -",
				),
			),
			vendor,
			"must hold vendors by id",
		),
		{},
	),
	models: v.optional(
		v.record(
			v.pipe(
				v.string(),
				v.regex(
					/^[^\s\p{Cc}]{1,200}$/u,
					"is no model name: it must not hold spaces",
				),
			),
			v.pipe(
				v.string("must be vendor/model"),
				v.regex(
					/^[a-z0-9][a-z0-9-]*\/[^\s\p{Cc}]+$/u,
					"must be vendor/model, such as openai/gpt-4o-mini",
				),
			),
			"must hold vendor/model by alias",
		),
		{},
	),
	prices: v.optional(v.array(v.unknown(), "must be a list of price rows"), []),
	ceiling: v.exactOptional(v.unknown()),
	routing: v.exactOptional(v.unknown()),
	catalogue: v.exactOptional(v.unknown()),
});

/** A hundred years: a moment that far away can still be counted exactly. */
const longestDuration = 36_525 * 86_400_000;

/** Milliseconds of "500ms", "10s", "5m", "2h" or "30d"; undefined for anything else, and beyond a hundred years. */
export function parseDuration(text: string): number | undefined {
	const match = /^(\d{1,12}(?:\.\d{1,3})?) ?(ms|s|m|h|d)$/.exec(text.trim());
	if (!match) return undefined;
	const unit = { ms: 1, s: 1000, m: 60_000, h: 3_600_000, d: 86_400_000 }[
		match[2] as "ms"
	];
	const milliseconds = Math.round(Number(match[1]) * unit);
	return milliseconds <= longestDuration ? milliseconds : undefined;
}

/** Bytes of 1024, "16 KiB" or "32MiB"; undefined for anything else. */
function parseSize(size: string | number): number | undefined {
	if (typeof size === "number")
		return Number.isSafeInteger(size) ? size : undefined;
	const match = /^(\d{1,12}) ?(B|KiB|MiB|GiB)?$/.exec(size.trim());
	if (!match) return undefined;
	const unit = { B: 1, KiB: 2 ** 10, MiB: 2 ** 20, GiB: 2 ** 30 }[
		(match[2] ?? "B") as "B"
	];
	return Number(match[1]) * unit;
}

/** Undefined for what cannot be an address that others reach: `0.0.0.0` and `::` are none. */
function readPeer(text: string | undefined): ReplicaConfig["peer"] {
	if (text === undefined || text === "off") return text;
	const stated = /^\d+$/.test(text)
		? `:${text}`
		: isIP(text) === 6
			? `[${text}]`
			: text;
	const [, named, digits] =
		/^(\[[^\]]+\]|[^:]*)(?::(\d{1,5}))?$/.exec(stated) ?? [];
	const port = Number(digits ?? 0);
	if (named === undefined || (digits !== undefined && port === 0)) return;
	if (port > 65_535 || (!named && !port)) return;
	if (named && !isOneHost(named)) return;
	return {
		...(named && { host: named.replace(/^\[(.*)\]$/, "$1") }),
		...(port && { port }),
	};
}

function isOneHost(named: string): boolean {
	const bracketed = /^\[(.*)\]$/.exec(named)?.[1];
	if (/^[0.:]+$/.test(bracketed ?? named)) return false;
	if (bracketed !== undefined) return isIP(bracketed) === 6;
	return /^[\d.]+$/.test(named)
		? isIP(named) === 4
		: named.length <= 253 &&
				/^[a-z0-9_][a-z0-9_-]{0,62}(\.[a-z0-9_][a-z0-9_-]{0,62})*\.?$/i.test(
					named,
				);
}

/** A key that is itself a list or settings holds values, and those are never repeated. */
function shownKey(key: string | number): string {
	return /[{}[\]\n]/.test(String(key))
		? "(a key that is no name)"
		: String(key);
}

/** A few lines of aliases can stand for more than any memory holds: the library stops there, with a throw. */
function toPlain(document: Document, file: string): unknown {
	try {
		return document.toJS();
	} catch {
		throw invalid(file, [
			{
				path: "",
				message:
					'uses "*" or "&" so often, or in such a way, that it cannot be read: write values out',
			},
		]);
	}
}

/** `limits:` with nothing behind it is as good as absent, as everything below it may be a comment. */
function withoutEmpty(value: unknown): unknown {
	if (typeof value !== "object" || value === null || Array.isArray(value))
		return value;
	return Object.fromEntries(
		Object.entries(value)
			.filter(([, member]) => member !== null)
			.map(([name, member]) => [name, withoutEmpty(member)]),
	);
}

/**
 * The `routing:` section as it was written, but for its parts that are empty altogether. Inside of them nothing is
 * passed over: an empty class or posture is one that cannot be read, and none that was not written.
 */
function withRouting(settings: unknown, plain: unknown): unknown {
	const routing = memberOf(plain, "routing");
	if (routing === undefined || routing === null) return settings;
	return { ...(settings as object), routing: partsOf(routing) };
}

function partsOf(section: unknown): unknown {
	if (typeof section !== "object" || section === null || Array.isArray(section))
		return section;
	return Object.fromEntries(
		Object.entries(section)
			.filter(([, part]) => part !== null)
			.map(([name, part]) => [name, name === "table" ? partsOf(part) : part]),
	);
}

function memberOf(value: unknown, name: string): unknown {
	return typeof value === "object" && value !== null
		? (value as Readonly<Record<string, unknown>>)[name]
		: undefined;
}

const syntaxErrors: Readonly<Record<string, string | undefined>> = {
	BAD_INDENT:
		"is indented differently from its neighbours, or a bracket before it was not closed",
	DUPLICATE_KEY: "names the same key a second time",
	TAB_AS_INDENT: "is indented with a tab: use spaces",
	MULTILINE_IMPLICIT_KEY: 'is no key and value: perhaps a ":" is missing',
	MISSING_CHAR:
		'lacks a character: perhaps a quote, a bracket or the space behind a ":"',
	MULTIPLE_DOCS: 'begins a second document: remove the "---"',
	BAD_ALIAS:
		'uses "*" or "&" in a way YAML does not allow: put the value in quotes',
};

function describe(
	issue: v.BaseIssue<unknown>,
	path: readonly (string | number)[],
): string {
	if (issue.type !== "strict_object") return issue.message;
	if (issue.expected === "never") {
		const name = String(path.at(-1));
		const meant = closest(name, entriesAt(path.slice(0, -1)));
		return meant ? `is no setting; did you mean "${meant}"?` : "is no setting";
	}
	return issue.input === undefined ? "is missing" : issue.message;
}

/** Where in the file a path stands, or the nearest thing above it that does: key rather than value. */
function offsetOf(
	node: unknown,
	path: readonly (string | number)[],
): number | undefined {
	let offset: number | undefined;
	let current = node;
	for (const step of path) {
		if (isSeq(current)) {
			const item = current.items[Number(step)];
			offset = (item as { range?: readonly number[] })?.range?.[0] ?? offset;
			current = item;
			continue;
		}
		if (!isMap(current)) break;
		const pair = current.items.find(({ key }) => String(key) === String(step));
		if (!pair) break;
		offset = (pair.key as { range?: readonly number[] }).range?.[0] ?? offset;
		current = pair.value;
	}
	return offset;
}

function invalid(file: string, problems: readonly ConfigProblem[]): Fault {
	const described = problems.map(({ line, column, path, message }) => {
		const place = line === undefined ? "" : `${line}:${column} `;
		return `  ${place}${path || (line === undefined ? "It" : "this line")} ${message}`;
	});
	return new Fault(
		"config/invalid",
		`${file} has ${problems.length === 1 ? "a mistake" : "mistakes"}:\n${described.join("\n")}`,
		{
			details: { file, problems },
		},
	);
}

/** What the owner's own names stand for, by where they stand. */
const recordKeys: Readonly<Record<string, string>> = {
	models: "<alias>",
	vendors: "<id>",
};

/** What this walk needs to know of a valibot schema: wrappers, sections, records and pipes. */
interface SchemaNode {
	readonly type: string;
	readonly wrapped?: SchemaNode;
	readonly entries?: Readonly<Record<string, SchemaNode>>;
	readonly value?: SchemaNode;
	readonly item?: SchemaNode;
	readonly pipe?: readonly SchemaNode[];
}

function unwrap(node: SchemaNode): SchemaNode {
	return node.wrapped ? unwrap(node.wrapped) : node;
}

function entriesAt(path: readonly (string | number)[]): readonly string[] {
	let node = unwrap(schema);
	for (const step of path) {
		const next = node.entries?.[step] ?? node.value ?? node.item;
		if (!next) return [];
		node = unwrap(next);
	}
	return Object.keys(node.entries ?? {});
}

function keysOf(schemaNode: SchemaNode, path: string): readonly string[] {
	const node = unwrap(schemaNode);
	const at = (name: string) => (path ? `${path}.${name}` : name);
	if (node.entries)
		return Object.entries(node.entries).flatMap(([name, entry]) =>
			keysOf(entry, at(name)),
		);
	if (node.type === "record" && node.value)
		return keysOf(node.value, at(recordKeys[path] ?? "<name>"));
	if (node.item && unwrap(node.item).entries)
		return keysOf(node.item, at("<n>"));
	return [path];
}
