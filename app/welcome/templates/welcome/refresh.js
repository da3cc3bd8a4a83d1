// Shows another state of the environment as soon as there is one: looks again every two seconds while something may
// change by itself, and when the reader comes back to the page. A server that does not answer is asked again.
async function look() {
  if (document.hidden) return;
  const answer = await fetch(location).catch(() => null);
  if (!answer?.ok) return;
  const page = new DOMParser().parseFromString(await answer.text(), "text/html");
  const status = (of) => of.querySelector("#status")?.textContent;
  if (status(page) !== status(document)) location.reload();
}

document.addEventListener("visibilitychange", look);
if ("mayPass" in document.body.dataset) setInterval(look, 2000);
