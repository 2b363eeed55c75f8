// Questions to the server. Where a login is asked for, the browser goes there.

export class NoAnswer extends Error {}

export async function get(path) {
  return answer(fetch(path, { headers: { accept: "application/json" } }));
}

export async function post(path, form = {}, signal = undefined) {
  return answer(fetch(path, { method: "POST", body: new URLSearchParams(form), signal }));
}

async function answer(asked) {
  let response;
  try {
    response = await asked;
  } catch (error) {
    if (error.name === "AbortError") throw error;
    throw new NoAnswer("The load generator does not answer: it has ended, or the network is gone.");
  }
  if (response.redirected && new URL(response.url).pathname.endsWith("/login")) {
    location.assign(response.url);
    return new Promise(() => {}); // the page is leaving
  }
  if (!response.ok) throw new NoAnswer(`The load generator answered ${response.status}: ${await response.text()}`);
  return response.json();
}
