package main

import (
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
)

func TestWebhookCommand(t *testing.T) {
	var got atomic.Int64
	receiver := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		if r.Header.Get("webhook-signature") != "" && strings.Contains(string(body), r.Header.Get("webhook-id")) {
			got.Add(1)
		}
		if r.URL.Path != "/good" {
			w.WriteHeader(http.StatusTeapot)
		}
	}))
	defer receiver.Close()
	file := settings(t, "")
	do := func(code int, says, stdin string, args ...string) output {
		t.Helper()
		out := command(t, stdin, append([]string{"--config", file}, args...)...)
		if out.code != code || !strings.Contains(out.stdout+out.stderr, says) {
			t.Fatalf("%v: %+v, want code %d and %q", args, out, code, says)
		}
		return out
	}
	secret := do(exitDone, "webhook 1 is told of: deal.changed", "", "webhook", "add", receiver.URL+"/good", "--events", "deal.changed").stdout
	if !strings.HasPrefix(secret, "whsec_") || strings.Count(secret, "\n") != 1 {
		t.Errorf("secret %q", secret)
	}
	do(exitFailed, "is a webhook already", "", "webhook", "add", receiver.URL+"/good")
	do(exitDone, "webhook 2", "", "webhook", "add", receiver.URL+"/bad")
	do(exitDone, "took the event", "", "webhook", "test", "1")
	do(exitFailed, "it answered 418", "", "webhook", "test", receiver.URL+"/bad")

	do(exitDone, "", "id,name\na,Alpha\n", "import", "clients", "-")
	do(exitDone, "", "id,client,date,amount\nd1,a,2026-11-01,100\n", "import", "deals", "-")
	before := got.Load()
	do(exitDone, "2 webhooks", "", "job", "webhooks")
	if n := got.Load() - before; n != 2 {
		t.Errorf("%d events arrived", n)
	}
	list := do(exitDone, "refuses", "", "webhook", "list").stdout
	if strings.Contains(list, strings.TrimSpace(secret)) {
		t.Error("the list shows a secret")
	}
	do(exitDone, "is told from now on", "", "webhook", "enable", "2")
	do(exitDone, "removed", "", "webhook", "remove", "2")
	do(exitUsage, `no webhook "2"`, "", "webhook", "remove", "2")
	for _, bad := range [][]string{{"http://shop.example.com/"}, {"shop"}, {"https://u:p@shop.example.com"}, {"https://shop.example.com", "--events", "deal.done"}} {
		do(exitUsage, "webhook add: ", "", append([]string{"webhook", "add"}, bad...)...)
	}
	do(exitUsage, "give one of", "", "webhook")
}
