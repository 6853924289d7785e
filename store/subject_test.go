package store_test

import (
	"testing"

	"intouch/store"
)

func TestBareSubject(t *testing.T) {
	for in, want := range map[string]string{
		"Счёт 5": "Счёт 5", "Re: Счёт 5": "Счёт 5", "RE: Re[2]: Отв: FW: Счёт 5": "Счёт 5", "Fwd: [sales] Re: Offer": "Offer",
		"[order]": "[order]", "Re:": "Re:", "Ответ: Акт": "Акт", "НА: Акт": "Акт", "Regarding: x": "Regarding: x", "AW:WG: x": "x", "re (3): x": "x", "": "",
	} {
		if got := store.BareSubject(in); got != want {
			t.Errorf("%q: %q, want %q", in, got, want)
		}
	}
	for in, want := range map[string]bool{"Re: x": true, "Fwd: x": true, "x": false, "[list] x": false, "Отв: x": true} {
		if got := store.IsReply(in); got != want {
			t.Errorf("%q: %v", in, got)
		}
	}
}
