import {
	chmodSync,
	mkdtempSync,
	rmSync,
	statSync,
	writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { afterEach, beforeEach, expect, it } from "vitest";
import { createHome, findHome, hasLog, othersMayRead } from "./home.ts";

let folder: string;
beforeEach(() => {
	folder = mkdtempSync(join(tmpdir(), "dos-home-"));
});
afterEach(() => rmSync(folder, { recursive: true }));

it.each([
	["the user's own folder by default", {}, undefined, "/users/ada/.dos"],
	["where DOS_HOME says", { DOS_HOME: "/srv/dos" }, undefined, "/srv/dos"],
	[
		"by default when DOS_HOME is empty",
		{ DOS_HOME: "" },
		undefined,
		"/users/ada/.dos",
	],
	[
		"where the option says, before DOS_HOME",
		{ DOS_HOME: "/srv/dos" },
		"/opt/dos",
		"/opt/dos",
	],
	[
		"under ~ where no shell has read it",
		{ DOS_HOME: "~/other" },
		undefined,
		"/users/ada/other",
	],
	["at an absolute place", { DOS_HOME: "here" }, undefined, resolve("here")],
	["at ~name as it is", { DOS_HOME: "/x/~ada" }, undefined, "/x/~ada"],
])("the home is %s", (_, environment, chosen, expected) => {
	expect(findHome({ HOME: "/users/ada", ...environment }, chosen).folder).toBe(
		expected,
	);
});

it("is created for its owner alone, and left as it is when it exists", async () => {
	const home = findHome({}, join(folder, "deep", "home"));
	createHome(home);
	expect(statSync(home.folder).mode & 0o777).toBe(0o700);
	expect(othersMayRead(home.folder)).toBe(false);
	chmodSync(home.folder, 0o755);
	createHome(home);
	expect(othersMayRead(home.folder)).toBe(true);
	expect(await hasLog(home)).toBe(false);
	writeFileSync(home.database, "");
	expect(await hasLog(home)).toBe(true);
});

it("that cannot be created is a fault with a way out", () => {
	writeFileSync(join(folder, "file"), "");
	expect(() => createHome(findHome({}, join(folder, "file", "home")))).toThrow(
		expect.objectContaining({
			code: "home/unusable",
			message: expect.stringContaining("DOS_HOME"),
		}),
	);
});

it.runIf(process.platform === "linux")(
	"where the system makes no folders is refused too, not tried for ever",
	() => {
		expect(() => createHome(findHome({}, "/proc/dos/home"))).toThrow(
			expect.objectContaining({ code: "home/unusable" }),
		);
	},
);
