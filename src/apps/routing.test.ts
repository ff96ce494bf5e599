import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { freePriceBook } from "../contexts/credits/index.ts";
import { loadConfig } from "./config.ts";
import { findHome, type Home } from "./home.ts";
import { type Ledger, openLedger } from "./ledger.ts";
import {
	fileDiffers,
	nothingSaid,
	openRouting,
	recordedCatalogue,
	takeRouting,
} from "./routing.ts";

let folder: string;
let home: Home;
let ledger: Ledger;
beforeEach(async () => {
	folder = mkdtempSync(join(tmpdir(), "dos-routing-"));
	home = findHome({}, folder);
	mkdirSync(home.folder, { recursive: true });
	ledger = await openLedger(home, { create: true });
});
afterEach(async () => {
	await ledger.close();
	rmSync(folder, { recursive: true });
});

const section = `routing:
  postures:
    - id: bar
      by: me
      why: because
      from: 2026-01-01
      deny:
        - { vendor: [nobody] }
`;

async function begin(text: string, only: "look" | "record" = "record") {
	writeFileSync(home.config, text);
	const settings = loadConfig(home, {});
	const desk = await openRouting({
		ledger,
		config: settings.config,
		vendors: [],
		prices: freePriceBook([]),
		report: () => {},
	});
	const told = await takeRouting(ledger, settings, desk, { only });
	const state = ledger.head.state("routing");
	return {
		told,
		desk,
		inForce: desk.current().policy.postures.map(({ id }) => id),
		by: state.policy?.by,
	};
}

async function setUp(): Promise<void> {
	await ledger.head.execute(
		"credits",
		{ type: "open-account", account: "main", name: "main" },
		{ actor: "operator" },
	);
}

const idle =
	'The posture "bar" denies vendor nobody, and nothing in the catalogue is that.';

describe("a start", () => {
	it("puts in force what the settings say, and the defaults where they say nothing", async () => {
		await setUp();
		expect(await begin("")).toMatchObject({ inForce: [], by: "defaults" });
		expect(await begin(section)).toMatchObject({
			inForce: ["bar"],
			by: "owner",
			told: [idle],
		});
		const position = ledger.head.position();
		await begin(section);
		expect(ledger.head.position()).toBe(position);
	});

	it("takes nothing back when the section is gone, but when it is empty", async () => {
		await setUp();
		await begin(section);
		expect(await begin("account: main\n")).toMatchObject({
			inForce: ["bar"],
			told: [nothingSaid],
		});
		expect(await begin("routing: {}\n")).toMatchObject({
			inForce: [],
			by: "owner",
			told: [],
		});
	});

	it("of a replica records nothing of it, and says where its file differs", async () => {
		await setUp();
		await begin("");
		expect(await begin(section, "look")).toMatchObject({
			inForce: [],
			told: [fileDiffers, idle],
		});
		await begin(section);
		expect(await begin("", "look")).toMatchObject({
			inForce: ["bar"],
			told: [],
		});
	});

	it("tells what stops calls, with its place in the file", async () => {
		await setUp();
		const { told, desk } = await begin(`${section}    - id: bad
      from: soon
  classes:
    empty:
`);
		expect(told.slice(0, 2)).toEqual([
			'config.yaml 12:5: The sovereignty class "empty" is not in force, and calls that need it are refused: it is no map.',
			'config.yaml 9:7: The posture "bad" stops every call in its scope: by is missing.',
		]);
		expect(desk.current().policy.broken).toHaveLength(1);
	});
});

describe("the catalogue", () => {
	it("is recorded when it is new, and after the first event of a new log", async () => {
		const { desk } = await begin("", "look");
		expect(ledger.head.position()).toBe(0);
		await setUp();
		await expect
			.poll(() => ledger.head.state("routing").catalogue)
			.toBe(desk.current().catalogue.version);
		expect(await recordedCatalogue(ledger)).toEqual(desk.current().catalogue);
		const position = ledger.head.position();
		await begin("", "look");
		expect(ledger.head.position()).toBe(position);
	});
});
