"use strict";
(function () {
	var main = document.querySelector("main[data-live]");
	if (!main)
		return;
	var lost = document.getElementById("lost");
	var wait = Number(main.dataset.live) * 1000;
	function renew() {
		var url = new URL(location.href);
		url.searchParams.delete("lang");
		url.searchParams.set("live", "1");
		fetch(url, {credentials: "same-origin", cache: "no-store"}).then(function (answer) {
			if (answer.status === 403) {
				location.href = "/sign-in?ended=1";
				throw new Error("session");
			}
			if (!answer.ok)
				throw new Error(String(answer.status));
			return answer.text();
		}).then(function (text) {
			var page = new DOMParser().parseFromString(text, "text/html");
			var fresh = page.querySelector("main[data-live]");
			if (fresh)
				main.replaceChildren.apply(main, Array.from(fresh.childNodes));
			lost.className = "gone";
		}).catch(function () {
			lost.className = "notice stop";
		}).finally(function () {
			setTimeout(renew, wait);
		});
	}
	setTimeout(renew, wait);
})();
