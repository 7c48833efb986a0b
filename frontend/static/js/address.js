// Addresses that a person can read: spaces as "+", and colons, semicolons, commas, slashes and "@" as they are.

const PLAIN = { "%20": "+", "%3A": ":", "%3B": ";", "%2C": ",", "%2F": "/", "%40": "@", "'": "%27" };

/**
 * A path with parameters; empty ones are left out.
 * @param {string} path
 * @param {Iterable<[string, unknown]>} pairs a name may come more than once
 */
export function addressOf(path, pairs) {
  const said = [...pairs].filter(([, value]) => value !== "" && value !== null && value !== undefined);
  return path + (said.length ? `?${said.map(([name, value]) => `${name}=${readable(value)}`).join("&")}` : "");
}

/** Goes to another view of this page; false where it is there already. */
export function visit(address, { replace = false, state = null } = {}) {
  if (address === location.pathname + location.search) return false;
  history[replace ? "replaceState" : "pushState"](state, "", address);
  return true;
}

function readable(value) {
  return encodeURIComponent(value).replace(/%20|%3A|%3B|%2C|%2F|%40|'/g, (code) => PLAIN[code]);
}
