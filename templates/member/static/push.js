// The page on which a member allows notifications: one button, and what stands in its way.
"use strict";

const root = document.getElementById("push");
const trouble = document.getElementById("trouble");

function show(state) {
  for (const section of root.querySelectorAll("[data-state]")) {
    section.hidden = section.dataset.state !== state;
  }
}

function canPush() {
  return "serviceWorker" in navigator && "PushManager" in window && "Notification" in window;
}

function isAppleTouch() {
  const pretendsMac = navigator.platform === "MacIntel" && navigator.maxTouchPoints > 1; // iPads since iPadOS 13
  return /iPhone|iPad|iPod/.test(navigator.userAgent) || pretendsMac;
}

function keyBytes(text) {
  const plain = atob(text.replaceAll("-", "+").replaceAll("_", "/"));
  return Uint8Array.from(plain, (character) => character.charCodeAt(0));
}

async function tell(method, subscription) {
  const response = await fetch(location.pathname + location.search, {
    method,
    headers: { "Content-Type": "application/json" },
    body: JSON.stringify(subscription),
    credentials: "omit",
  });
  if (!response.ok) {
    throw new Error(`answered ${response.status}`);
  }
}

// The subscription that we can write to: one that was made for another key is none.
async function current() {
  const registration = await navigator.serviceWorker.getRegistration("/");
  const subscription = registration ? await registration.pushManager.getSubscription() : null;
  const key = subscription && subscription.options.applicationServerKey;
  return key && String(new Uint8Array(key)) === String(keyBytes(root.dataset.key)) ? subscription : null;
}

async function allow() {
  const permission = await Notification.requestPermission();
  if (permission !== "granted") {
    show(permission === "denied" ? "denied" : "off");
    return;
  }
  await navigator.serviceWorker.register("/sw.js", { scope: "/" });
  const registration = await navigator.serviceWorker.ready;
  // A new subscription each time: an old one may belong to another key, or was stopped, which we never undo.
  const old = await registration.pushManager.getSubscription();
  if (old) {
    await old.unsubscribe();
  }
  const subscription = await registration.pushManager.subscribe({
    userVisibleOnly: true,
    applicationServerKey: keyBytes(root.dataset.key),
  });
  try {
    await tell("POST", subscription);
  } catch (error) {
    await subscription.unsubscribe(); // or the page would say "on" where nobody knows of it
    throw error;
  }
  show("on");
}

async function stop() {
  const subscription = await current();
  if (subscription) {
    await tell("DELETE", subscription);
    await subscription.unsubscribe();
  }
  show("off");
}

function pressing(button, work) {
  button.addEventListener("click", async () => {
    trouble.hidden = true;
    button.disabled = true;
    try {
      await work();
    } catch (error) {
      console.error(error);
      trouble.hidden = false;
    } finally {
      button.disabled = false;
    }
  });
}

async function start() {
  if (!canPush()) {
    show(isAppleTouch() && !navigator.standalone ? "home-screen" : "unsupported");
  } else if (Notification.permission === "denied") {
    show("denied");
  } else {
    show(Notification.permission === "granted" && (await current()) ? "on" : "off");
  }
}

pressing(document.getElementById("allow"), allow);
pressing(document.getElementById("stop"), stop);
start().catch((error) => {
  console.error(error);
  show("unsupported");
});
