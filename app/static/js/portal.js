// The few things a page does by itself: close a message, open the menu on a phone, ask before a danger.
"use strict";
document.addEventListener("click", (event) => {
  const close = event.target.closest("[data-close]");
  if (close) close.parentElement.remove();
  const menu = event.target.closest("[data-menu]");
  if (menu) {
    const open = document.getElementById("side").classList.toggle("k-side--open");
    menu.setAttribute("aria-expanded", String(open));
  }
  const user = document.querySelector(".k-user[open]");
  if (user && !user.contains(event.target)) user.removeAttribute("open");
  if (event.target.closest("[data-print]")) window.print();
  const all = event.target.closest("[data-check-all]");
  if (all) document.querySelectorAll("[data-check]").forEach((box) => { box.checked = all.checked; });
});
document.addEventListener("submit", (event) => {
  const form = event.target;
  const question = form.dataset.confirm;
  if (question && !window.confirm(question)) { event.preventDefault(); return; }
  if (form.method === "post") {
    form.querySelectorAll("button[type=submit]").forEach((button) => { setTimeout(() => { button.disabled = true; }, 0); });
  }
});
const filterTree = document.querySelector("[data-tree-filter]");
if (filterTree) {
  filterTree.addEventListener("input", () => {
    const wanted = filterTree.value.trim().toLowerCase();
    document.querySelectorAll(".k-tree li").forEach((row) => {
      row.hidden = wanted !== "" && !row.textContent.toLowerCase().includes(wanted);
    });
  });
}
const follow = document.querySelector("[data-follow]");
if (follow) {
  const look = () => {
    fetch(follow.dataset.follow, { headers: { Accept: "application/json" } }).then((answer) => {
      if (!answer.ok) throw new Error(String(answer.status));
      return answer.json();
    }).then((run) => {
      if (!run.is_open) { window.location.reload(); return; }
      follow.querySelector("progress").value = run.percent;
      follow.querySelector("[data-percent]").textContent = run.percent + "%";
      follow.querySelector("[data-progress]").textContent = run.word;
      setTimeout(look, 1000);
    }).catch(() => { setTimeout(look, 5000); });
  };
  setTimeout(look, 500);
}
window.addEventListener("pageshow", (event) => { if (event.persisted) window.location.reload(); });
const registration = document.querySelector("form[data-preview]");
if (registration) {
  const place = (html) => {
    const parts = document.createElement("template");
    parts.innerHTML = html;
    parts.content.querySelectorAll("[data-part]").forEach((part) => {
      registration.querySelector("[data-place=" + part.dataset.part + "]").replaceChildren(part);
    });
  };
  const fitFields = () => {
    const picked = registration.querySelector("input[name=clause]:checked");
    registration.querySelectorAll("[data-pricing-of]").forEach((box) => {
      box.hidden = !picked || !box.dataset.pricingOf.split(" ").includes(picked.dataset.pricing);
      if (box.hidden) box.querySelector("input").value = "";
    });
  };
  let asked = 0;
  const look = () => {
    fitFields();
    const mine = asked += 1;
    fetch(registration.dataset.preview, { method: "POST", body: new FormData(registration) }).then((answer) => {
      if (!answer.ok) throw new Error(String(answer.status));
      return answer.text();
    }).then((html) => { if (mine === asked) place(html); }).catch(() => {});
  };
  registration.addEventListener("change", (event) => {
    if (event.target.name && event.target.name !== "checked") look();
  });
  registration.addEventListener("keydown", (event) => {
    if (event.key === "Enter" && event.ctrlKey) registration.querySelector("[value=next]").click();
  });
  place(registration.querySelector("[data-place=preview]").innerHTML);
  fitFields();
}
