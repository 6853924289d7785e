package store

import "testing"

func TestTitleWithClient(t *testing.T) {
	for _, tt := range []struct{ subject, client, want string }{
		{"Договор", "ООО «Ромашка»", "Договор — ООО «Ромашка»"},
		{"Договор", "", "Договор"},
		{"ооо «ромашка»: договор", "ООО «Ромашка»", "ооо «ромашка»: договор"},
		{"", "Acme", "Acme"},
		{"Call", "Acme\n Ltd", "Call — Acme Ltd"},
	} {
		if got := TitleWithClient(tt.subject, tt.client); got != tt.want {
			t.Errorf("%q, %q: %q, want %q", tt.subject, tt.client, got, tt.want)
		}
	}
}

func TestTrimClient(t *testing.T) {
	for _, tt := range []struct{ title, client, want string }{
		{"Договор — ООО «Ромашка»", "ООО «Ромашка»", "Договор"},
		{"Договор — ООО «Лютик»", "ООО «Ромашка»", "Договор — ООО «Лютик»"},
		{"A — B — Acme", "Acme", "A — B"},
		{"Call — Acme Ltd", "Acme\n Ltd", "Call"},
		{"Acme", "Acme", "Acme"},
		{" — Acme", "Acme", " — Acme"},
		{"Call", "", "Call"},
	} {
		if got := TrimClient(tt.title, tt.client); got != tt.want {
			t.Errorf("%q, %q: %q, want %q", tt.title, tt.client, got, tt.want)
		}
	}
}
