package mailsync

import "testing"

func TestAuthFailed(t *testing.T) {
	const ours = "mx.vector.test"
	for _, c := range []struct {
		name, want string
		fields     []string
	}{
		{"none at all", "", nil},
		{"nothing checked", "", []string{"mx.vector.test; none"}},
		{"all pass", "", []string{"mx.vector.test; spf=pass smtp.mailfrom=vector.test; dkim=pass header.d=vector.test; dmarc=pass header.from=vector.test"}},
		{"spf fails", "spf", []string{"mx.vector.test; spf=fail smtp.mailfrom=anna@vector.test"}},
		{"spf fails in the old word", "spf", []string{"mx.vector.test; spf=hardfail"}},
		{"dkim fails", "dkim", []string{`mx.vector.test; dkim=fail reason="signature verification failed" header.d=vector.test`}},
		{"dmarc fails although spf of another domain passes", "dmarc", []string{"mx.vector.test; spf=pass smtp.mailfrom=evil.test; dmarc=fail (p=none dis=none) header.from=vector.test"}},
		{"dmarc passes although a forwarder broke spf", "", []string{"mx.vector.test; spf=fail; dkim=pass; dmarc=pass"}},
		{"no failure: softfail, neutral, none, temperror", "", []string{"mx.vector.test; spf=softfail; dkim=neutral; dmarc=temperror; arc=fail; iprev=fail"}},
		{"version, case, a dot at the end", "spf", []string{"MX.Vector.Test. 1; SPF=Fail"}},
		{"method version", "spf", []string{"mx.vector.test; spf/1=fail"}},
		{"comments", "dkim", []string{"mx.vector.test (our (own) server; spf=pass) ; dkim (really; not) = fail (dmarc=pass; dmarc=pass)"}},
		{"quoted semicolons", "", []string{`mx.vector.test; spf=pass reason="x; dmarc=fail"; dkim=pass`}},
		{"only the topmost of ours", "spf", []string{"mx.vector.test; spf=fail", "mx.vector.test; spf=pass; dmarc=pass"}},
		{"a forged one of another id above", "dmarc", []string{"mx.other.test; dmarc=pass", "mx.vector.test; dmarc=fail"}},
		{"another server's failure", "", []string{"mx.other.test; dmarc=fail"}},
		{"an id that begins the same", "", []string{"mx.vector.test.evil.test; dmarc=fail"}},
		{"folded", "dmarc", []string{"mx.vector.test;\tspf=pass   smtp.mailfrom=x; \t dmarc=fail"}},
		{"rubbish", "", []string{"", ";", "=;=", `"`, "(", "mx.vector.test; =fail; spf; spf="}},
	} {
		if got := authFailed(c.fields, ours, "vector.test"); got != c.want {
			t.Errorf("%s: %q, want %q", c.name, got, c.want)
		}
	}
}

func FuzzAuthFailed(f *testing.F) {
	f.Add("mx.vector.test 1; dkim (x) = fail reason=\"a;b\"; spf=pass")
	f.Fuzz(func(t *testing.T, field string) {
		if got := authFailed([]string{field}, "mx.vector.test", "vector.test"); got != "" && got != "spf" && got != "dkim" && got != "dmarc" {
			t.Errorf("%q", got)
		}
	})
}
