/**
 * Keeps what Node compiles of an installation for its next start, in a folder of this user's caches that nobody
 * else can write to (docs/decisions/0014-compile-cache.md). Plain JavaScript, as a program that runs from its
 * sources needs it before the first of them is read.
 */
import {
	existsSync,
	lstatSync,
	mkdirSync,
	readdirSync,
	realpathSync,
	rmSync,
	statSync,
} from "node:fs";
import * as nodeModule from "node:module";
import { homedir } from "node:os";
import { dirname, isAbsolute, join } from "node:path";

/** Installations, each with a version of Node, that code is kept of: the newest. */
const kept = 8;

const anythingOfOthers = 0o077;
const writeOfOthers = 0o022;
const sticky = 0o1000;

/**
 * Turns Node's compile cache on for what is loaded from here on. `installation` is the address of the package's
 * folder. Costs a start some looks at folders, and never fails one: where the folder cannot be made, or others
 * could write to it, all is compiled anew. What `NODE_COMPILE_CACHE` says stands, as Node itself heeds it.
 */
export function keepCompiledCode(installation) {
	const { env, platform, versions } = process;
	// Bun starts no sooner with it; Windows has no owner and mode to look at.
	if (versions.bun || platform === "win32" || !nodeModule.enableCompileCache)
		return;
	if (env.NODE_COMPILE_CACHE || env.NODE_DISABLE_COMPILE_CACHE) return;
	try {
		const all = join(cachesOfUser(), "duranteos", "compiled-code");
		const own = join(all, nameOf(installation.pathname));
		if (!existsSync(own)) {
			if (!makeWithin(own)) return;
			forgetOldest(all);
		}
		const real = realpathSync(own);
		if (isOnlyOurs(real, anythingOfOthers)) nodeModule.enableCompileCache(real);
	} catch {
		// A home that is not there, a full disk: compiling takes a moment longer.
	}
}

function cachesOfUser() {
	const named = process.env.XDG_CACHE_HOME ?? "";
	// One that is not absolute would lead wherever one happens to stand.
	const caches = isAbsolute(named) ? named : join(homedir(), ".cache");
	if (!existsSync(dirname(caches))) throw new Error(`no ${dirname(caches)}`);
	return caches;
}

/** Says which installation and which Node: what they leave is told apart, and let go with them. */
function nameOf(path) {
	return `${process.version}${path.replaceAll("/", "!")}`.slice(0, 255);
}

/** Makes a folder and those above it that are missing, if the first is made in one that is this user's alone to change. */
function makeWithin(folder) {
	if (existsSync(folder))
		return isOnlyOurs(realpathSync(folder), writeOfOthers);
	if (!makeWithin(dirname(folder))) return false;
	mkdirSync(folder, { mode: 0o700 });
	return true;
}

/**
 * Whether a folder, named without links, is this user's and grants others nothing of `denied`, and nobody can put
 * another in its place: those above it are this user's or root's, and others cannot write to them, or not touch
 * what is not theirs there (sticky).
 */
function isOnlyOurs(folder, denied) {
	const user = process.geteuid();
	// A program that runs with another's rights believes nothing of who called it.
	if (user !== process.getuid()) return false;
	const { uid, mode } = lstatSync(folder);
	if (uid !== user || mode & denied) return false;
	for (let path = folder; path !== dirname(path); ) {
		path = dirname(path);
		const { uid, mode } = lstatSync(path);
		if (uid !== user && uid !== 0) return false;
		if (mode & writeOfOthers && !(mode & sticky)) return false;
	}
	return true;
}

function forgetOldest(all) {
	const age = (name) =>
		statSync(join(all, name), { throwIfNoEntry: false })?.mtimeMs ?? 0;
	const newest = readdirSync(all)
		.map((name) => ({ name, age: age(name) }))
		.sort((one, other) => other.age - one.age);
	for (const { name } of newest.slice(kept))
		rmSync(join(all, name), { recursive: true, force: true });
}
